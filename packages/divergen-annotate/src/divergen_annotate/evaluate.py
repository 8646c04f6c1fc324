"""Annotators against the truth that a generator recorded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from divergen_records import ConfigError, DivergenError

from .annotator import Annotator, Mask, run_annotator
from .cleanup import repair as default_repair
from .quality import boundary_f, iou
from .stage import Repair
from .truth import Example, pictures_for

__all__ = ["HEAD", "Evaluation", "evaluate", "predict_masks"]

HEAD = (
    f"{'annotator':<16} {'repair':<6} {'n':>5} {'IoU':>6} {'>0.9':>6} {'bound. F':>8} {'extra':>6} {'missing':>7} "
    f"{'pictures/s':>10}"
)
"""The head of a table of `Evaluation.line`."""


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

    def line(self, *, repaired: bool) -> str:
        """As a line of a table."""
        return (
            f"{self.annotator:<16} {'yes' if repaired else 'no':<6} {self.count:>5} {self.mean_iou:>6.3f} "
            f"{self.above_90:>6.3f} {self.boundary_f:>8.3f} {self.too_large:>6.3f} {self.too_small:>7.3f} "
            f"{self.per_second:>10.1f}"
        )


def evaluate(
    batches: Iterable[Sequence[Example]],
    annotator: Annotator,
    *,
    repair: Repair | None = default_repair,
) -> Evaluation:
    """Compare an annotator's masks with the true ones. A picture that it refuses counts as an empty mask.

    Args:
        batches: Pictures with their truth; those without are left out.
        annotator: Makes the masks.
        repair: Mends each mask.

    Raises:
        ConfigError: If there is no picture with a truth.
    """
    rows: list[tuple[float, float, float, float]] = []
    seconds = 0.0
    for batch in batches:
        known = [example for example in batch if example.truth is not None]
        start = time.perf_counter()
        masks = predict_masks(annotator, known, repair)
        seconds += time.perf_counter() - start
        rows.extend(_compare(mask, cast("Mask", example.truth)) for mask, example in zip(masks, known, strict=True))
    if not rows:
        raise ConfigError("there is no picture with a true mask to evaluate on")
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


def predict_masks(annotator: Annotator, examples: Sequence[Example], repair: Repair | None) -> list[Mask]:
    """The mask of each example, repaired; empty where the annotator refuses the picture."""
    images = pictures_for(annotator, examples)
    results = run_annotator(annotator, images, [example.text for example in examples])
    masks = []
    for result, example in zip(results, examples, strict=True):
        mask = np.zeros(example.image.shape[:2], dtype=bool) if isinstance(result, DivergenError) else result.mask
        masks.append(repair(mask, example.image) if repair is not None and mask.any() else mask)
    return masks


def _compare(mask: Mask, truth: Mask) -> tuple[float, float, float, float]:
    extra = int(np.count_nonzero(mask & ~truth)) / max(1, int(np.count_nonzero(mask)))
    missing = int(np.count_nonzero(truth & ~mask)) / max(1, int(np.count_nonzero(truth)))
    return iou(mask, truth), boundary_f(mask, truth), extra, missing
