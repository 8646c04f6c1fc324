"""Which detection finds which object: the matching of COCO and LVIS, for all images and categories at once.

The rules are those of pycocotools' and lvis-api's ``evaluateImg``. In each image, category, area range and IoU
threshold, the detections come by falling score; each takes the free object of highest IoU, one that counts before one
that is ignored; of equal IoUs the last. Those tools loop over images, categories and ranges in Python; here the n-th
detections of all groups with equally many objects are matched together. Masks are intersected by pycocotools.

Axes: A area ranges, T IoU thresholds, N detections, M objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AREAS", "THRESHOLDS", "Detected", "Matches", "Truth", "match"]

AREAS = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]], dtype=np.float64)
"""Area ranges, pixels: all, small, medium, large; both ends belong to a range."""

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU from which a detection may be an object's."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """The objects of a data set, in the file's order.

    Attributes:
        image: (M,) int64, index of the image by rising id.
        category: (M,) int64, index of the category by rising id.
        boxes: (M, 4) float64, XYWH, pixels.
        area: (M,) float64, pixels.
        crowd: (M,) bool, regions of many objects: any number of detections may be in them, none is an error.
        masks: RLE of each, compressed; empty where masks are not judged.
    """

    image: Ints
    category: Ints
    boxes: Floats
    area: Floats
    crowd: Bools
    masks: Sequence[Any] = ()


@dataclass(frozen=True)
class Detected:
    """Detections, in the order given.

    Attributes:
        image: (N,) int64, as in `Truth`.
        category: (N,) int64, as in `Truth`.
        score: (N,) float64.
        boxes: (N, 4) float64, XYWH, pixels.
        area: (N,) float64, pixels.
        forgiven: (N,) bool, of a category that its image does not annotate exhaustively: unmatched it is no error.
        masks: RLE of each, compressed; empty where masks are not judged.
    """

    image: Ints
    category: Ints
    score: Floats
    boxes: Floats
    area: Floats
    forgiven: Bools
    masks: Sequence[Any] = ()

    def select(self, which: Bools) -> Detected:
        """Some of them, (N,) bool."""
        if which.all():
            return self
        return Detected(
            image=self.image[which],
            category=self.category[which],
            score=self.score[which],
            boxes=self.boxes[which],
            area=self.area[which],
            forgiven=self.forgiven[which],
            masks=list(compress(self.masks, which.tolist())),
        )


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


def match(truth: Truth, detected: Detected, *, masks: bool) -> Matches:
    """Match detections to objects.

    Args:
        truth: The objects.
        detected: The detections that are judged.
        masks: Whether IoUs are those of masks; those of boxes otherwise.
    """
    order = np.lexsort((detected.image, -detected.score, detected.category))  # stable: then the order given
    counts = ~(_outside(truth.area) | truth.crowd)
    matched, hidden = _match_groups(truth, detected, order, ~counts, masks)
    outside = _outside(detected.area[order])[:, None]
    ignored = hidden | (~matched & (outside | detected.forgiven[order]))
    return Matches(
        image=detected.image[order],
        category=detected.category[order],
        score=detected.score[order],
        found=matched & ~hidden,
        ignored=ignored,
        truth_image=truth.image,
        truth_category=truth.category,
        counts=counts,
    )


def _outside(area: Floats) -> Bools:
    """(A, N): whether an area lies outside of each range."""
    low, high = AREAS[:, :1], AREAS[:, 1:]
    return (area < low) | (area > high)


def _match_groups(truth: Truth, detected: Detected, order: Ints, ignore: Bools, masks: bool) -> tuple[Bools, Bools]:
    """(A, T, N) each, detections in ``order``: matched at all, and matched to an object that is ignored."""
    shape = (len(AREAS), len(THRESHOLDS), len(order))
    matched, hidden = np.zeros(shape, bool), np.zeros(shape, bool)
    rows, columns = _groups(truth, detected, order)
    if rows:
        iou = _mask_ious if masks else _box_ious
        ious = iou(truth, detected, [order[positions] for positions in rows], columns)
        for batch in _equal_sizes(rows, columns, ious):
            _match_batch(*batch, ignore, truth.crowd, matched, hidden)
    return matched, hidden


def _groups(truth: Truth, detected: Detected, order: Ints) -> tuple[list[Ints], list[Ints]]:
    """For each image and category with both: positions of detections in ``order`` by falling score, and objects."""
    stride = int(max(truth.category.max(initial=0), detected.category.max(initial=0))) + 1
    truth_key = truth.image * stride + truth.category
    key = (detected.image * stride + detected.category)[order]
    by_truth, by_key = np.argsort(truth_key, kind="stable"), np.argsort(key, kind="stable")
    shared = np.intersect1d(truth_key, key)
    truth_edges = np.stack([np.searchsorted(truth_key[by_truth], shared, side) for side in ("left", "right")], 1)
    edges = np.stack([np.searchsorted(key[by_key], shared, side) for side in ("left", "right")], 1)
    rows = [by_key[first:last] for first, last in edges.tolist()]
    return rows, [by_truth[first:last] for first, last in truth_edges.tolist()]


def _mask_ious(truth: Truth, detected: Detected, rows: list[Ints], columns: list[Ints]) -> list[Floats]:
    from pycocotools import mask as coco_mask

    return [
        coco_mask.iou(
            [detected.masks[index] for index in group.tolist()],
            [truth.masks[index] for index in objects.tolist()],
            truth.crowd[objects].astype(np.uint8).tolist(),
        )
        for group, objects in zip(rows, columns, strict=True)
    ]


def _box_ious(truth: Truth, detected: Detected, rows: list[Ints], columns: list[Ints]) -> list[Floats]:
    """All pairs at once, by the arithmetic of pycocotools' ``bbIou``."""
    tall, wide = (np.array([len(part) for part in parts]) for parts in (rows, columns))
    sizes = tall * wide
    ends = np.cumsum(sizes)
    within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    repeated = np.repeat(wide, sizes)
    row_starts, column_starts = np.cumsum(tall) - tall, np.cumsum(wide) - wide
    first = np.concatenate(rows)[np.repeat(row_starts, sizes) + within // repeated]
    second = np.concatenate(columns)[np.repeat(column_starts, sizes) + within % repeated]
    ours, theirs = detected.boxes[first], truth.boxes[second]
    sides = np.minimum(ours[:, :2] + ours[:, 2:], theirs[:, :2] + theirs[:, 2:]) - np.maximum(
        ours[:, :2], theirs[:, :2]
    )
    overlap = np.where((sides > 0).all(1), sides[:, 0] * sides[:, 1], 0.0)
    own, other = ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3]
    union = np.where(truth.crowd[second], own, own + other - overlap)
    flat = np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)
    return [
        part.reshape(d, g) for part, d, g in zip(np.split(flat, ends[:-1]), tall.tolist(), wide.tolist(), strict=True)
    ]


def _equal_sizes(
    rows: list[Ints], columns: list[Ints], ious: list[Floats]
) -> Iterator[tuple[Ints, Ints, Floats, Ints]]:
    """Batches of groups with equally many objects: positions (P,), group of each (P,), IoUs (P, G), objects (B, G).

    A detection that reaches no object stays unmatched whatever the others do, and is left out.
    """
    sizes = np.array([len(objects) for objects in columns])
    for size in np.unique(sizes).tolist():
        members = np.flatnonzero(sizes == size).tolist()
        positions = np.concatenate([rows[index] for index in members])
        group = np.repeat(np.arange(len(members)), [len(rows[index]) for index in members])
        pairs = np.concatenate([ious[index] for index in members])
        reaches = pairs.max(axis=1) >= THRESHOLDS[0]
        yield positions[reaches], group[reaches], pairs[reaches], np.stack([columns[index] for index in members])


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
