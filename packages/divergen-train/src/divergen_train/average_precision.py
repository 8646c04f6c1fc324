"""Average precision from matches: the mean over 101 recalls of the best precision at that recall or above.

Precision only rises, and recall only grows, where an object is found, so that nothing but those places is looked at.
The same numbers as pycocotools' and lvis-api's ``accumulate``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .matching import AREAS, THRESHOLDS, Matches

__all__ = ["RECALLS", "average_precision", "category_edges"]

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which the precision is averaged."""


def average_precision(matches: Matches, categories: int) -> NDArray[np.float64]:
    """(A, T, categories) float64; NaN where a category has no object that counts."""
    result = np.full((len(AREAS), len(THRESHOLDS), categories), np.nan)
    objects = np.stack([np.bincount(matches.truth_category[counts], minlength=categories) for counts in matches.counts])
    edges = category_edges(matches, categories)
    for category in np.flatnonzero(objects.any(axis=0)).tolist():
        part = slice(edges[category], edges[category + 1])
        found, right = matches.found[:, :, part], np.cumsum(matches.found[:, :, part], axis=2)
        judged = np.cumsum(~matches.ignored[:, :, part], axis=2)
        for area in np.flatnonzero(objects[:, category]).tolist():
            for threshold in range(len(THRESHOLDS)):
                hits = np.flatnonzero(found[area, threshold])
                tp, all_ = right[area, threshold, hits], judged[area, threshold, hits]
                result[area, threshold, category] = _area_under(tp, all_, int(objects[area, category]))
    return result


def category_edges(matches: Matches, categories: int) -> list[int]:
    """Where the detections of each category begin, and of the last one end; (categories + 1,)."""
    edges: list[int] = np.searchsorted(matches.category, np.arange(categories + 1)).tolist()
    return edges


def _area_under(found: NDArray[np.int64], judged: NDArray[np.int64], objects: int) -> float:
    """From the counts of found objects and judged detections at each found object, by falling score."""
    if not len(found):
        return 0.0
    best = np.maximum.accumulate((found / judged)[::-1])[::-1]
    reached = np.searchsorted(RECALLS, found / objects, side="right")
    return float(np.sum(best * np.diff(reached, prepend=0)) / len(RECALLS))
