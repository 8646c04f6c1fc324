"""A detection in COCO's results format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from .masks import encode_rle

__all__ = ["detection_row"]


def detection_row(
    image_id: int, category_id: int, box: Sequence[float], score: float, mask: NDArray[Any] | None = None
) -> dict[str, Any]:
    """One row of a results file: box to hundredths of a pixel, score to six places.

    Args:
        image_id: Of the data set.
        category_id: Of the data set.
        box: (4,), XYXY, pixels.
        score: 0 to 1.
        mask: (H, W) bool, of the whole image; None for a box alone.
    """
    x0, y0, x1, y1 = (round(float(edge), 2) for edge in box)
    row = {
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        "score": round(float(score), 6),
    }
    return row if mask is None else row | {"segmentation": encode_rle(mask)}
