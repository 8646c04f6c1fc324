"""The columns that a run adds to its table, beside those of the packages."""

from __future__ import annotations

from divergen_records import Columns, Float32, Int32

__all__ = ["FeedbackColumns"]


class FeedbackColumns(Columns):
    """What a training that judges its generated instances (BSGAL) found."""

    judged: Int32 | None = None
    """How often a training judged this instance."""
    acceptance: Float32 | None = None
    """Share of these in which it was accepted, 0 to 1; NULL where nothing is rejected."""
    contribution: Float32 | None = None
    """Mean estimated contribution to the loss on real data."""
    belief: Float32 | None = None
    """What it is believed to contribute beside the average of its category; above 0 helps more than that."""
    draw_weight: Float32 | None = None
    """How often the training drew it at the end, 1 on average in its category."""
