"""Average recall from matches: the share of the objects that are found, as pycocotools and lvis-api count it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .matching import Matches

__all__ = ["RECALLS_OF", "recall"]

RECALLS_OF: dict[str, dict[str, tuple[int, int | None]]] = {
    "coco": {"AR1": (0, 1), "AR10": (0, 10), "AR100": (0, None), "ARs": (1, None), "ARm": (2, None), "ARl": (3, None)},
    "lvis": {"AR@300": (0, None), "ARs": (1, None), "ARm": (2, None), "ARl": (3, None)},
}
"""Style -> name -> which area range, and how many detections of a category count on an image: None for all matched."""


def recall(matches: Matches, categories: int, area: int = 0, most: int | None = None) -> NDArray[np.float64]:
    """(T, categories) float64; NaN where a category has no object that counts.

    Args:
        matches: Of all detections that count.
        categories: Number of categories.
        area: Index of the area range.
        most: Only the best so many detections of each category on each image; a detection's match does not depend on
            those below it, so that nothing is matched anew.
    """
    objects = np.bincount(matches.truth_category[matches.counts[area]], minlength=categories)
    found = matches.found[area]
    if most is not None:
        found = found & (_places(matches) < most)
    hits = np.stack([np.bincount(matches.category[row], minlength=categories) for row in found])
    return np.where(objects > 0, hits / np.maximum(objects, 1), np.nan)


def _places(matches: Matches) -> NDArray[np.int64]:
    """(N,) int64: how many detections of the same category on the same image score higher."""
    order = np.lexsort((matches.image, matches.category))
    group = matches.category[order] * (int(matches.image.max(initial=0)) + 1) + matches.image[order]
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order)) - np.searchsorted(group, group)
    return places
