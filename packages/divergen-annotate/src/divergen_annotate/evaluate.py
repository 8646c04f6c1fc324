"""Annotators against the truth that a generator recorded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .annotator import Annotator, Image, Mask
from .cleanup import repair as default_repair
from .quality import boundary_f, iou
from .stage import Repair

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How an annotator did.

    Attributes:
        annotator: Its name.
        count: Pictures.
        mean_iou: Mean intersection over union.
        above_90: Share of pictures with an IoU above 0.9.
        boundary_f: Mean F measure of the outlines.
        too_large: Mean share of the mask that is not object.
        too_small: Mean share of the object that is not in the mask.
        per_second: Pictures per second, annotation and repair, without decoding.
    """

    annotator: str
    count: int
    mean_iou: float
    above_90: float
    boundary_f: float
    too_large: float
    too_small: float
    per_second: float


def evaluate(
    batches: Iterable[tuple[Sequence[Image], Sequence[Mask]]],
    annotator: Annotator,
    *,
    repair: Repair | None = default_repair,
) -> Evaluation:
    """Compare an annotator's masks with the true ones.

    Args:
        batches: Pictures (H, W, 3) uint8 RGB and their true masks (H, W) bool.
        annotator: Makes the masks.
        repair: Mends each mask.

    Raises:
        ValueError: If there is no picture.
    """
    rows: list[tuple[float, float, float, float]] = []
    seconds = 0.0
    for images, truths in batches:
        start = time.perf_counter()
        masks = [prediction.mask for prediction in annotator(images)]
        if repair is not None:
            masks = [repair(mask, image) if mask.any() else mask for mask, image in zip(masks, images, strict=True)]
        seconds += time.perf_counter() - start
        rows.extend(_compare(mask, truth) for mask, truth in zip(masks, truths, strict=True))
    if not rows:
        raise ValueError("there is no picture to evaluate on")
    table = np.array(rows)
    means = table.mean(axis=0)
    return Evaluation(
        annotator=annotator.name,
        count=len(rows),
        mean_iou=float(means[0]),
        above_90=float((table[:, 0] > 0.9).mean()),
        boundary_f=float(means[1]),
        too_large=float(means[2]),
        too_small=float(means[3]),
        per_second=len(rows) / max(seconds, 1e-9),
    )


def _compare(mask: Mask, truth: Mask) -> tuple[float, float, float, float]:
    extra = int(np.count_nonzero(mask & ~truth)) / max(1, int(np.count_nonzero(mask)))
    missing = int(np.count_nonzero(truth & ~mask)) / max(1, int(np.count_nonzero(truth)))
    return iou(mask, truth), boundary_f(mask, truth), extra, missing
