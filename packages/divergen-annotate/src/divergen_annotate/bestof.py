"""Best of several: run annotators side by side and keep, per picture, the mask that a scorer prefers (X-Paste)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from divergen_records import ConfigError, MaskError

from .annotator import Annotator, Picture, Prediction, Result, as_arrays, run_annotator
from .cleanup import repair as default_repair
from .scorers import OutlineScorer, Scorer

__all__ = ["BestOf"]


class BestOf:
    """Runs several annotators, and keeps the mask with the highest score of each picture.

    Masks are scored as they would be used: repaired. The mask that is kept comes back as its annotator made it.

    Args:
        annotators: Two or more.
        scorer: Says how good a mask is; `OutlineScorer` where None.
        repair: Whether masks are repaired before they are scored.
    """

    name = "best-of"

    def __init__(self, annotators: Sequence[Annotator], scorer: Scorer | None = None, *, repair: bool = True) -> None:
        if len(annotators) < 2:
            raise ConfigError(f"best-of needs at least two annotators, not {len(annotators)}")
        others = [annotator.name for annotator in annotators if getattr(annotator, "column", "image") != "image"]
        if others:
            raise ConfigError(f"best-of compares masks of one picture; {', '.join(others)} reads another column")
        if any(getattr(annotator, "instances", "best") == "all" for annotator in annotators):
            raise ConfigError("best-of keeps one mask of a picture; leave out instances=all")
        self.annotators, self.scorer, self.repair = tuple(annotators), scorer or OutlineScorer(), repair
        self.takes_texts = any(getattr(part, "takes_texts", False) for part in (*annotators, self.scorer))

    def __call__(self, images: Sequence[Picture], texts: Sequence[str] | None = None) -> list[Result]:
        """One prediction per picture; ``note`` says whose it is, and the scores of all."""
        arrays = as_arrays(images)
        results = [run_annotator(annotator, arrays, texts) for annotator in self.annotators]
        candidates = [
            (number, which)
            for which, column in enumerate(results)
            for number, result in enumerate(column)
            if isinstance(result, Prediction) and result.mask.any() and not result.mask.all()
        ]
        masks = [self._shown(arrays[number], results[which][number]) for number, which in candidates]
        names = None if texts is None else [texts[number] for number, _ in candidates]
        scores = self.scorer([arrays[number] for number, _ in candidates], masks, names) if candidates else []
        found: list[dict[int, float]] = [{} for _ in arrays]
        for (number, which), score in zip(candidates, scores, strict=True):
            found[number][which] = float(score)
        return [self._pick([column[number] for column in results], found[number]) for number in range(len(arrays))]

    def _shown(self, image: Any, result: Any) -> Any:
        mended = default_repair(result.mask, image) if self.repair else result.mask
        return mended if mended.any() and not mended.all() else result.mask

    def _pick(self, results: Sequence[Result], scores: dict[int, float]) -> Result:
        if not scores:
            return MaskError(f"none of {', '.join(part.name for part in self.annotators)} found an object")
        order = sorted(scores, key=lambda which: -scores[which])  # stable: the first of equals
        best = results[order[0]]
        if not isinstance(best, Prediction):  # only predictions have scores
            return best
        score = float(np.clip(scores[order[0]], 0, 1))
        listed = [f"{self.annotators[which].name} {scores[which]:.3f}" for which in order]
        return Prediction(best.mask, score, f"[{self.scorer.name}: {', '.join(listed)}] {best.note}".rstrip())
