"""SAM-background: point at the background, let SAM segment it, take the rest for the object (DiverGen, section 3.3).

A generated picture shows one object on a plain background. Where the object is, nobody knows; where the background is,
everybody does: on the border. So SAM is asked for what lies under points on the border, and its answer is inverted.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from divergen_records import MaskError, require_extra
from divergen_records.cores import usable_cores

from .annotator import Image, Picture, Prediction, Result, as_arrays
from .background import border_ring, fit_background, refuse_busy
from .batching import Batcher, ahead
from .points import PointLayout, background_points
from .predictor import BoxPredictor, Decoded, Frame, Precision, Predictor, Prepared, upscale_mask

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Choice", "SamBackground", "load_predictor", "score_candidates"]

_BORDER = 0.03
"""Width of the border that has to be plain, as a share of the picture's shorter side."""

Choice = Literal["published", "iou", "score"]
"""Which candidate is the background: the one of the largest scope (DiverGen: the third of the multimask output), that
with the best predicted IoU, or that with the best product of predicted IoU, stability and border agreement."""


class SamBackground:
    """Masks of single objects on plain backgrounds by background points for SAM.

    Args:
        predictor: SAM with weights, for example by `load_predictor`.
        points: Where the background is pointed at; see `background_points`.
        margin: See `background_points`.
        count: See `background_points`.
        choice: Which of SAM's candidates is taken; see `Choice`.
        plain: Pictures with a smaller share of plain border are refused: pointing at their background says little; 0
            refuses none, as published.
        batch_size: Pictures encoded at a time; None starts at one and doubles while memory lasts, on a CPU it stays at
            one, where batches measure no faster.
        workers: Threads that resize pictures and finish masks; the number of CPU cores where None.
    """

    name = "sam-background"

    def __init__(
        self,
        predictor: Predictor,
        *,
        points: PointLayout = "corners",
        margin: float = 0.02,
        count: int = 16,
        choice: Choice = "published",
        plain: float = 0.0,
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        self.predictor, self.points, self.margin, self.count = predictor, points, margin, count
        self.choice, self.plain = choice, plain
        on_cpu = str(getattr(predictor, "device", "cpu")) == "cpu"
        self._batcher = Batcher(batch_size, limit=1 if on_cpu else 32)
        self.workers = workers or usable_cores()

    def __call__(self, images: Sequence[Picture]) -> list[Result]:
        """One prediction per picture; ``note`` says which candidate was taken, and its scores."""
        arrays = as_arrays(images)
        with ThreadPoolExecutor(self.workers) as pool:
            refusals = list(pool.map(self._refuse, arrays))
            plain = [image for image, refusal in zip(arrays, refusals, strict=True) if refusal is None]
            prepared = ahead(pool, self.predictor.prepare, plain, 2 * self._batcher.limit)
            waiting = list(self._batcher.run(prepared, lambda batch: self._submit(pool, batch)))
            results = iter([item.result() if isinstance(item, Future) else item for item in waiting])
            return [next(results) if refusal is None else refusal for refusal in refusals]

    def _refuse(self, image: Image) -> MaskError | None:
        if not self.plain:
            return None
        ring = border_ring(image.shape[0], image.shape[1], _BORDER)
        return refuse_busy(image, ring, fit_background(image, ring), self.plain)

    def _submit(self, pool: ThreadPoolExecutor, batch: list[Prepared]) -> list[Future[Result]]:
        """Encode and decode a batch; masks are finished in threads while the next one is encoded."""
        encoded = self.predictor.encode(batch)
        decoded = self.predictor.decode(encoded, self._points(encoded.frames))
        candidates = [score_candidates(decoded, number) for number in range(len(batch))]
        return [
            cast("Future[Result]", pool.submit(self._finish, decoded, number, scores))
            for number, scores in enumerate(candidates)
        ]

    def _points(self, frames: Sequence[Frame]) -> Any:
        settings: dict[str, Any] = {"layout": self.points, "margin": self.margin, "count": self.count}
        return np.stack([background_points(frame.height, frame.width, **settings) for frame in frames])

    def _finish(self, decoded: Decoded, number: int, scores: CandidateScores) -> Prediction:
        taken = scores.pick(self.choice)
        logits = decoded.logits[number, taken : taken + 1]
        background = upscale_mask(self.predictor, logits, decoded.frames[number])
        return Prediction(~background, scores.combined(taken), scores.describe(taken))


@dataclass(frozen=True, slots=True)
class CandidateScores:
    """How good the M candidates of one picture look as its background.

    Attributes:
        iou: Predicted IoU, at most 1.
        stability: IoU of the masks at logits above 1 and above -1 (Kirillov et al., section B).
        border: Share of the picture's border that lies in the candidate; 0 for one that leaves no object.
        widest: The candidate of the largest scope.
    """

    iou: tuple[float, ...]
    stability: tuple[float, ...]
    border: tuple[float, ...]
    widest: int

    def combined(self, index: int) -> float:
        """The product of a candidate's scores, 0 to 1."""
        return max(0.0, self.iou[index]) * self.stability[index] * self.border[index]

    def pick(self, choice: Choice) -> int:
        """The candidate that a rule takes; the first of equals."""
        indices = range(len(self.iou))
        if choice == "published":
            return self.widest
        return max(indices, key=self.iou.__getitem__ if choice == "iou" else self.combined)

    def describe(self, index: int) -> str:
        """For the row's ``annotator``."""
        return (
            f"mask={index} iou={self.iou[index]:.3f} stability={self.stability[index]:.3f} "
            f"border={self.border[index]:.3f}"
        )


def score_candidates(decoded: Decoded, number: int) -> CandidateScores:
    """Score the candidates of one picture, at the decoder's resolution and without the padding."""
    logits = decoded.inside(number)
    inside, surely, possibly = logits > 0, logits > 1, logits > -1
    stability = surely.sum((1, 2)) / possibly.sum((1, 2)).clamp(min=1)
    sides = (inside[:, 0].sum(1), inside[:, -1].sum(1), inside[:, 1:-1, 0].sum(1), inside[:, 1:-1, -1].sum(1))
    height, width = logits.shape[1:]
    length = 2 * width + 2 * max(0, height - 2)
    border = sum(sides[1:], start=sides[0]) / length * ~inside.all(2).all(1)
    iou = decoded.iou[number].clamp(max=1)
    widest = len(iou) - 1 if decoded.by_scope else int(inside.sum((1, 2)).argmax())
    return CandidateScores(_floats(iou), _floats(stability), _floats(border), widest)


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values.tolist())


def load_predictor(
    checkpoint: str | Path,
    *,
    architecture: str | None = None,
    device: str | None = None,
    precision: Precision = "auto",
    compile: bool = False,  # noqa: A002
) -> BoxPredictor:
    """SAM from a checkpoint, ready for `SamBackground` and `GroundedSam`.

    Args:
        checkpoint: A file ``sam_vit_*.pth`` as SAM's authors publish it (needs the extra ``sam``); or a hub id or a
            folder for transformers (needs the extra ``transformers``): SAM, SAM 2, SAM 2.1, SAM-HQ.
        architecture: ``"vit_b"``, ``"vit_l"`` or ``"vit_h"``: refuse a checkpoint file of another one.
        device: ``"cuda"``, ``"cpu"`` …; a GPU if there is one where None.
        precision: Of the encoder.
        compile: Compile the encoder; pays off from some hundred pictures on.

    Raises:
        WeightsError: If there is no such checkpoint, or it holds something else.
        MissingExtra: If the extra is not installed.
    """
    with require_extra("divergen-annotate", "sam" if _is_file(checkpoint) else "transformers"):
        import torch  # noqa: F401
    settings: dict[str, Any] = {"device": device, "precision": precision, "compile": compile}
    if _is_file(checkpoint):
        from .sam_original import SamPredictorBatch, load_sam

        model, name = load_sam(checkpoint, architecture=architecture)
        return SamPredictorBatch(model, name=name, **settings)
    from .sam_hub import HubSamPredictor

    return HubSamPredictor(str(checkpoint), **settings)


def _is_file(checkpoint: str | Path) -> bool:
    return Path(checkpoint).suffix in (".pth", ".pt") or Path(checkpoint).is_file()
