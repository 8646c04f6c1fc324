"""The columns that a run adds to its table, beside those of the packages."""

from __future__ import annotations

from divergen_records import Columns, Float32, Int32

__all__ = ["FeedbackColumns"]


class FeedbackColumns(Columns):
    """What a training that judges its generated instances (BSGAL) found."""

    judged: Int32 | None = None
    """How often a training judged this instance."""
    acceptance: Float32 | None = None
    """Share of these in which it was learned from, 0 to 1."""
    contribution: Float32 | None = None
    """Mean estimated contribution to the loss on real data; above 0 helps."""
