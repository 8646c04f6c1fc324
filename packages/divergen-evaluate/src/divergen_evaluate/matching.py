"""Which detection finds which object: the matching of COCO and LVIS, for all images and categories at once.

The rules are those of pycocotools' and lvis-api's ``evaluateImg``. In each image, category, area range and IoU
threshold, the detections come by falling score; each takes the free object of highest IoU, one that counts before one
that is ignored; of equal IoUs the last. Those tools loop over images, categories and ranges in Python; here the n-th
detections of all groups with equally many objects are matched together.

Axes: A area ranges, T IoU thresholds, N detections, M objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .ious import Detected, Groups, Truth, box_ious, find_groups, mask_ious

__all__ = ["AREAS", "THRESHOLDS", "Matches", "match"]

AREAS = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]], dtype=np.float64)
"""Area ranges, pixels: all, small, medium, large; both ends belong to a range."""

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU from which a detection may be an object's."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Matches:
    """What was found: all that average precision needs, and nothing that depends on which images are counted.

    Detections are sorted by category, falling score, image, and the order given.

    Attributes:
        image: (N,) int64.
        category: (N,) int64.
        score: (N,) float64.
        found: (A, T, N) bool, matched to an object that counts.
        ignored: (A, T, N) bool, neither right nor wrong.
        truth_image: (M,) int64.
        truth_category: (M,) int64.
        counts: (A, M) bool, objects that are to be found.
    """

    image: Ints
    category: Ints
    score: Floats
    found: Bools
    ignored: Bools
    truth_image: Ints
    truth_category: Ints
    counts: Bools


def match(truth: Truth, detected: Detected, kinds: Sequence[str]) -> dict[str, Matches]:
    """Match detections to objects.

    Args:
        truth: The objects.
        detected: The detections that are judged.
        kinds: By IoUs of what: ``"box"``, ``"mask"``.
    """
    order = np.lexsort((detected.image, -detected.score, detected.category))  # stable: then the order given
    groups = find_groups(truth, detected, order)
    counts = ~(_outside(truth.area) | truth.crowd)
    outside = _outside(detected.area[order])[:, None]
    found = {}
    for kind in kinds:
        ious = _IOUS[kind](truth, detected, groups, THRESHOLDS[0])
        matched, hidden = _match_groups(truth, groups, ious, ~counts, len(order))
        found[kind] = Matches(
            image=detected.image[order],
            category=detected.category[order],
            score=detected.score[order],
            found=matched & ~hidden,
            ignored=hidden | (~matched & (outside | detected.forgiven[order])),
            truth_image=truth.image,
            truth_category=truth.category,
            counts=counts,
        )
    return found


def _outside(area: Floats) -> Bools:
    """(A, N): whether an area lies outside of each range."""
    low, high = AREAS[:, :1], AREAS[:, 1:]
    return (area < low) | (area > high)


def _match_groups(truth: Truth, groups: Groups, ious: Floats, ignore: Bools, detections: int) -> tuple[Bools, Bools]:
    """(A, T, N) each: matched at all, and matched to an object that is ignored; ``ious`` (P,) of the pairs."""
    shape = (len(AREAS), len(THRESHOLDS), detections)
    matched, hidden = np.zeros(shape, bool), np.zeros(shape, bool)
    for batch in _equal_sizes(groups, ious):
        _match_batch(*batch, ignore, truth.crowd, matched, hidden)
    return matched, hidden


_IOUS = {"box": box_ious, "mask": mask_ious}


def _equal_sizes(groups: Groups, ious: Floats) -> Iterator[tuple[Ints, Ints, Floats, Ints]]:
    """Batches of groups with equally many objects: positions (R,), group of each (R,), IoUs (R, G), objects (B, G).

    A detection that reaches no object stays unmatched whatever the others do, and is left out.
    """
    width = groups.wide[groups.owners]
    starts, column_starts = np.cumsum(width) - width, np.cumsum(groups.wide) - groups.wide
    for size in np.unique(groups.wide).tolist():
        members, rows = np.flatnonzero(groups.wide == size), np.flatnonzero(width == size)
        pairs = ious[starts[rows][:, None] + np.arange(size)]
        reaches = pairs.max(axis=1) >= THRESHOLDS[0]
        rows = rows[reaches]
        objects = groups.columns[column_starts[members][:, None] + np.arange(size)]
        yield groups.positions[rows], np.searchsorted(members, groups.owners[rows]), pairs[reaches], objects


def _match_batch(
    positions: Ints,
    group: Ints,
    ious: Floats,
    objects: Ints,
    ignore: Bools,
    crowd: Bools,
    matched: Bools,
    hidden: Bools,
) -> None:
    """Write into ``matched`` and ``hidden``; detections of a group lie together, by falling score."""
    if not len(positions):
        return
    size = objects.shape[1]
    turn = np.arange(len(group)) - np.searchsorted(group, group)
    # Of equal IoUs the later object ranks higher; an object that counts ranks above all that are ignored.
    rank = np.argsort(np.argsort(ious, axis=1, kind="stable"), axis=1).astype(np.int32)
    bonus = size * ~ignore[:, objects].transpose(1, 0, 2)  # (B, A, G)
    free = np.ones((len(objects), len(AREAS), len(THRESHOLDS), size), bool)
    limits = np.minimum(THRESHOLDS, 1 - 1e-10)
    order = np.argsort(turn, kind="stable")
    turns = np.searchsorted(turn[order], np.arange(int(turn.max()) + 2))
    for first, last in pairwise(turns.tolist()):
        now = order[first:last]
        own = group[now]
        able = free[own] & (ious[now][:, None, :] >= limits[:, None])[:, None]
        values = np.where(able, rank[now][:, None, None] + bonus[own][:, :, None], -1)
        best = values.argmax(axis=3)
        value = np.take_along_axis(values, best[..., None], axis=3)[..., 0]  # (B', A, T)
        took = value >= 0
        matched[:, :, positions[now]] = took.transpose(1, 2, 0)
        hidden[:, :, positions[now]] = (took & (value < size)).transpose(1, 2, 0)
        who, area, threshold = np.nonzero(took)
        taken = best[who, area, threshold]
        free[own[who], area, threshold, taken] = crowd[objects[own[who], taken]]
