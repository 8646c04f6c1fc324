"""Annotators against the truth that a generator recorded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from divergen_records import ConfigError, DivergenError

from .annotator import Annotator, Mask, Result, run_annotator
from .cleanup import repair as default_repair
from .quality import boundary_f, iou
from .stage import Repair
from .truth import Example, pictures_for

__all__ = ["HEAD", "Evaluation", "evaluate", "evaluate_repairs", "predict", "predict_masks"]

HEAD = (
    f"{'annotator':<16} {'repair':<6} {'n':>5} {'refused':>7} {'IoU':>6} {'>0.9':>6} {'bound. F':>8} {'extra':>6} "
    f"{'missing':>7} {'score r':>7} {'pictures/s':>10}"
)
"""The head of a table of `Evaluation.line`."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How an annotator did.

    Attributes:
        annotator: Its name.
        count: Pictures.
        refused: Pictures that it gave no mask for; they count as empty masks with the score 0.
        mean_iou: Mean intersection over union.
        above_90: Share of pictures with an IoU above 0.9.
        boundary_f: Mean F measure of the outlines.
        too_large: Mean share of the mask that is not object.
        too_small: Mean share of the object that is not in the mask.
        correlation: Pearson's, of the annotator's score and the IoU; NaN where one of them does not vary.
        per_second: Pictures per second, annotation and repair, without decoding.
    """

    annotator: str
    count: int
    refused: int
    mean_iou: float
    above_90: float
    boundary_f: float
    too_large: float
    too_small: float
    correlation: float
    per_second: float

    def line(self, *, repaired: bool) -> str:
        """As a line of a table."""
        return (
            f"{self.annotator:<16} {'yes' if repaired else 'no':<6} {self.count:>5} {self.refused:>7} "
            f"{self.mean_iou:>6.3f} {self.above_90:>6.3f} {self.boundary_f:>8.3f} {self.too_large:>6.3f} "
            f"{self.too_small:>7.3f} {self.correlation:>7.2f} {self.per_second:>10.1f}"
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
    return evaluate_repairs(batches, annotator, [repair])[0]


def evaluate_repairs(
    batches: Iterable[Sequence[Example]], annotator: Annotator, repairs: Sequence[Repair | None]
) -> list[Evaluation]:
    """Like `evaluate` with each of several repairs; the annotator looks at each picture once.

    Raises:
        ConfigError: If there is no picture with a truth.
    """
    tallies = [_Tally() for _ in repairs]
    for batch in batches:
        known = [example for example in batch if example.truth is not None]
        start = time.perf_counter()
        results = predict(annotator, known)
        spent = time.perf_counter() - start
        for tally, repair in zip(tallies, repairs, strict=True):
            tally.add(known, results, repair, spent)
    if not tallies[0].rows:
        raise ConfigError("there is no picture with a true mask to evaluate on")
    return [tally.evaluation(annotator.name) for tally in tallies]


@dataclass
class _Tally:
    rows: list[tuple[float, ...]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, examples: Sequence[Example], results: Sequence[Result], repair: Repair | None, spent: float) -> None:
        start = time.perf_counter()
        masks = _repaired(examples, results, repair)
        self.seconds += spent + time.perf_counter() - start
        for mask, example, result in zip(masks, examples, results, strict=True):
            refused = isinstance(result, DivergenError)
            score = 0.0 if isinstance(result, DivergenError) else result.score
            self.rows.append((*_compare(mask, cast("Mask", example.truth)), score, refused))

    def evaluation(self, name: str) -> Evaluation:
        table = np.array(self.rows, dtype=np.float64)
        overlap, outline, extra, missing, score, refused = table.T
        varied = min(np.ptp(overlap), np.ptp(score)) > 1e-9
        return Evaluation(
            annotator=name,
            count=len(table),
            refused=int(refused.sum()),
            mean_iou=float(overlap.mean()),
            above_90=float((overlap > 0.9).mean()),
            boundary_f=float(outline.mean()),
            too_large=float(extra.mean()),
            too_small=float(missing.mean()),
            correlation=float(np.corrcoef(overlap, score)[0, 1]) if varied else float("nan"),
            per_second=len(table) / max(self.seconds, 1e-9),
        )


def predict(annotator: Any, examples: Sequence[Example]) -> Sequence[Result]:
    """What the annotator says about each example."""
    return run_annotator(annotator, pictures_for(annotator, examples), [example.text for example in examples])


def predict_masks(annotator: Annotator, examples: Sequence[Example], repair: Repair | None) -> list[Mask]:
    """The mask of each example, repaired; empty where the annotator refuses the picture."""
    return _repaired(examples, predict(annotator, examples), repair)


def _repaired(examples: Sequence[Example], results: Sequence[Result], repair: Repair | None) -> list[Mask]:
    masks = []
    for result, example in zip(results, examples, strict=True):
        mask = np.zeros(example.image.shape[:2], dtype=bool) if isinstance(result, DivergenError) else result.mask
        masks.append(repair(mask, example.image) if repair is not None and mask.any() else mask)
    return masks


def _compare(mask: Mask, truth: Mask) -> tuple[float, float, float, float]:
    extra = int(np.count_nonzero(mask & ~truth)) / max(1, int(np.count_nonzero(mask)))
    missing = int(np.count_nonzero(truth & ~mask)) / max(1, int(np.count_nonzero(truth)))
    return iou(mask, truth), boundary_f(mask, truth), extra, missing
