"""Pairs of a detection and an object of the same image and category, and their IoUs.

Masks are intersected by pycocotools, and only those of which area and ends do not tell that they share too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from divergen_records.run_lengths import CodeSizes
from numpy.typing import NDArray

__all__ = ["Detected", "Groups", "Truth", "box_ious", "find_groups", "mask_ious"]

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
        sizes: Of the masks; of those that are None, anything.
    """

    image: Ints
    category: Ints
    boxes: Floats
    area: Floats
    crowd: Bools
    masks: Sequence[Any] = ()
    sizes: CodeSizes | None = None


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
        sizes: Of the masks.
    """

    image: Ints
    category: Ints
    score: Floats
    boxes: Floats
    area: Floats
    forgiven: Bools
    masks: Sequence[Any] = ()
    sizes: CodeSizes | None = None

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
            sizes=self.sizes and self.sizes.select(which),
        )


@dataclass(frozen=True)
class Groups:
    """The images and categories with detections and objects: G groups, P pairs of a detection and an object of one.

    Attributes:
        positions: (R,) int64, detections in the order of the matches; a group's lie together, by falling score.
        rows: (R,) int64, the same ones in the order given.
        owners: (R,) int64, their groups.
        columns: (C,) int64, objects; a group's lie together, in the file's order.
        tall: (G,) int64, detections of each group.
        wide: (G,) int64, objects of each group.
    """

    positions: Ints
    rows: Ints
    owners: Ints
    columns: Ints
    tall: Ints
    wide: Ints

    def pairs(self) -> tuple[Ints, Ints]:
        """(P,) int64 each: place of the detection in `rows`, and of the object in `columns`; row after row."""
        width = self.wide[self.owners]
        row = np.repeat(np.arange(len(self.rows)), width)
        column = np.arange(len(row)) - np.repeat(np.cumsum(width) - width, width)
        return row, column + (np.cumsum(self.wide) - self.wide)[self.owners[row]]


def find_groups(truth: Truth, detected: Detected, order: Ints) -> Groups:
    """The groups of detections; ``order`` is that of the matches."""
    stride = int(max(truth.category.max(initial=0), detected.category.max(initial=0))) + 1
    truth_key = truth.image * stride + truth.category
    key = (detected.image * stride + detected.category)[order]
    by_truth, by_key = np.argsort(truth_key, kind="stable"), np.argsort(key, kind="stable")
    truth_key, key = truth_key[by_truth], key[by_key]
    shared = np.intersect1d(truth_key, key)
    positions, columns = by_key[np.isin(key, shared)], by_truth[np.isin(truth_key, shared)]
    tall, wide = (np.searchsorted(keys, shared, "right") - np.searchsorted(keys, shared) for keys in (key, truth_key))
    owners = np.repeat(np.arange(len(shared)), tall)
    return Groups(positions, order[positions], owners, columns, tall, wide)


def mask_ious(truth: Truth, detected: Detected, groups: Groups, least: float) -> Floats:
    """(P,) float64; 0 for a detection that certainly has an IoU below ``least`` with each object."""
    from pycocotools import mask as coco_mask

    row, column = groups.pairs()
    ious = np.zeros(len(row))
    reaching = np.zeros(len(groups.rows), bool)
    reaching[row[_may_reach(truth, detected, groups.rows[row], groups.columns[column], least)]] = True
    own = [detected.masks[index] for index in groups.rows[reaching].tolist()]
    other = [truth.masks[index] for index in groups.columns.tolist()]
    crowd = truth.crowd[groups.columns].astype(np.uint8).tolist()
    tall = np.bincount(groups.owners[reaching], minlength=len(groups.tall))
    ends = zip(np.cumsum(tall).tolist(), np.cumsum(groups.wide).tolist(), strict=True)
    parts, row_start, start = [], 0, 0
    for row_end, end in ends:
        if row_end > row_start:
            parts.append(coco_mask.iou(own[row_start:row_end], other[start:end], crowd[start:end]).ravel())
        row_start, start = row_end, end
    ious[reaching[row]] = np.concatenate([np.zeros(0), *parts])
    return ious


def _may_reach(truth: Truth, detected: Detected, first: Ints, second: Ints, least: float) -> Bools:
    """(P,) bool: whether the IoU of a detection and an object can be ``least``; by areas and ends of codes.

    Of areas a and b no more than m = min(a, b, pixels between the later start and the earlier end) are shared, so that
    the IoU is at most m / (a + b - m); that with a crowd is at most m / a.
    """
    if detected.sizes is None or truth.sizes is None:
        return np.ones(len(first), bool)
    own, other = detected.sizes, truth.sizes
    a, b = own.area[first], other.area[second]
    most = np.minimum(own.end[first], other.end[second]) - np.maximum(own.first[first], other.first[second])
    most = np.minimum(most, np.minimum(a, b))
    reachable: Bools = most >= least * np.where(truth.crowd[second], a, a + b - most)
    reachable &= most > 0
    return reachable


def box_ious(truth: Truth, detected: Detected, groups: Groups, least: float) -> Floats:
    """(P,) float64, all of them whatever ``least`` is, by the arithmetic of pycocotools' ``bbIou``."""
    row, column = groups.pairs()
    ours, theirs = detected.boxes[groups.rows[row]], truth.boxes[groups.columns[column]]
    sides = np.minimum(ours[:, :2] + ours[:, 2:], theirs[:, :2] + theirs[:, 2:]) - np.maximum(
        ours[:, :2], theirs[:, :2]
    )
    overlap = np.where((sides > 0).all(1), sides[:, 0] * sides[:, 1], 0.0)
    own, other = ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3]
    union = np.where(truth.crowd[groups.columns[column]], own, own + other - overlap)
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)
