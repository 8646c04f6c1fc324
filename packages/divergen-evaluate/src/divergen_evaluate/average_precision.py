"""Average precision from matches: the mean over 101 recalls of the best precision at that recall or above.

Precision only rises, and recall only grows, where an object is found, so that nothing but those places is looked at.
The same numbers as pycocotools' and lvis-api's ``accumulate``, for all categories at once.
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
    starts = np.array(category_edges(matches, categories))
    for area, counts in enumerate(matches.counts):
        objects = np.bincount(matches.truth_category[counts], minlength=categories)
        for threshold in range(len(THRESHOLDS)):
            found, ignored = matches.found[area, threshold], matches.ignored[area, threshold]
            judged = np.concatenate(([0], np.cumsum(~ignored)))
            hits = np.flatnonzero(found & (objects[matches.category] > 0))
            category = matches.category[hits]
            tp = np.arange(1, len(hits) + 1) - np.searchsorted(category, category)
            precision = tp / (judged[hits + 1] - judged[starts[category]])
            reached = np.searchsorted(RECALLS, tp / objects[category], side="right")
            steps = reached - np.where(tp > 1, np.concatenate(([0], reached[:-1])), 0)
            total = np.bincount(category, weights=_best_to_come(precision, category) * steps, minlength=categories)
            result[area, threshold] = np.where(objects > 0, total / len(RECALLS), np.nan)
    return result


def category_edges(matches: Matches, categories: int) -> list[int]:
    """Where the detections of each category begin, and of the last one end; (categories + 1,)."""
    edges: list[int] = np.searchsorted(matches.category, np.arange(categories + 1)).tolist()
    return edges


def _best_to_come(precision: NDArray[np.float64], category: NDArray[np.int64]) -> NDArray[np.float64]:
    """The highest precision from each place to the end of its category; categories are sorted."""
    order = np.argsort(precision, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    # Backwards, each category's numbers lie above those of the categories before.
    floor = -category * len(order)
    highest = np.maximum.accumulate((rank + floor)[::-1])[::-1] - floor
    best: NDArray[np.float64] = precision[order[highest]]
    return best
