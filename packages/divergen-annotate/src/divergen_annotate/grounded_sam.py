"""Grounded SAM: a detector finds boxes of what a text names, SAM segments what is in them; on any background.

Ren et al., "Grounded SAM: Assembling Open-World Models for Diverse Visual Tasks", 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from divergen_records import MaskError

from .annotator import Image, Picture, Prediction, Result, as_arrays
from .batching import Batcher
from .detector import Boxes
from .finding import Instances, best_of_found
from .predictor import BoxPredictor, upscale_mask

__all__ = ["GroundedSam"]


class GroundedSam:
    """Masks of the objects that each picture's text names. A row has one: that of the highest score.

    The score is the detector's, that the object is there, times SAM's guess of the mask's IoU: the IoU to expect.

    Args:
        detector: Boxes of an image's texts, for example `divergen_annotate.detector.TextDetector`.
        predictor: SAM with weights, for example by `load_predictor`.
        text: What to look for; ``{}`` in it is replaced by the object's name.
        instances: ``"all"``: the others come as `Prediction.others`, and become rows of their own.
    """

    name = "grounded-sam"
    takes_texts = True

    def __init__(
        self,
        detector: Callable[[Image, Sequence[str]], Sequence[Boxes]],
        predictor: BoxPredictor,
        *,
        text: str = "{}",
        instances: Instances = "best",
    ) -> None:
        self.detector, self.predictor, self.text, self.instances = detector, predictor, text, instances

    def __call__(self, images: Sequence[Picture], texts: Sequence[str] | None = None) -> list[Result]:
        """One prediction per picture, an error where it finds no such object.

        Args:
            images: Pictures.
            texts: The objects' names, for example ``"coffee cup"``; "object" where None.
        """
        arrays = as_arrays(images)
        names = texts or ["object"] * len(arrays)
        return list(Batcher(1).run(zip(arrays, names, strict=True), self._best))

    def _best(self, batch: Sequence[tuple[Image, str]]) -> list[Result]:
        image, name = batch[0]
        try:
            found = self.find(image, [name])[0]
        except MaskError as error:  # of this picture
            return [error]
        return [best_of_found(found, f"grounded-sam looked for {name!r} and", self.instances)]

    def find(self, image: Image, names: Sequence[str]) -> list[list[Prediction]]:
        """All objects of each name, the highest score first; see `divergen_annotate.Finder`."""
        boxes = self.detector(image, [self.text.replace("{}", name) for name in names])
        if not any(len(scores) for _, scores in boxes):
            return [[] for _ in names]
        encoded = self.predictor.encode([self.predictor.prepare(image)])
        return [self._segment(encoded, *one) for one in boxes]

    def _segment(self, encoded: Any, boxes: Any, scores: Any) -> list[Prediction]:
        if not len(scores):
            return []
        decoded = self.predictor.decode_boxes(encoded, boxes)
        found = []
        for at, score in enumerate(scores):
            sure = float(np.clip(float(decoded.iou[at, 0]), 0, 1))
            mask = upscale_mask(self.predictor, decoded.logits[at, :1], encoded.frames[0])
            found.append(Prediction(mask, float(min(1.0, score)) * sure, f"box={score:.3f} iou={sure:.3f}"))
        return sorted(found, key=lambda one: -one.score)
