"""The columns that annotation adds to an instance table, beside the record's mask, box, area and annotator."""

from __future__ import annotations

from divergen_records import Columns, Float32, Int32

__all__ = ["MaskColumns"]


class MaskColumns(Columns):
    """How sure a mask is, and what it looks like; see `divergen_annotate.quality`."""

    mask_score: Float32 | None = None
    """The annotator's own confidence, 0 to 1."""
    components: Int32 | None = None
    """Connected components of the mask (8-connected), before the repair kept the largest."""
    border_contact: Float32 | None = None
    """Share of the picture's border pixels that the mask touches, 0 to 1."""
    solidity: Float32 | None = None
    """Mask pixels / pixels of its convex hull."""
    thin_share: Float32 | None = None
    """Share of the mask's pixels in structures too thin to survive an opening, 0 to 1."""
