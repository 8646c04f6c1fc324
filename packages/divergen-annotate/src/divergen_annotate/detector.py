"""Boxes of what a text names: Grounding DINO, OWLv2 and other zero-shot detectors of transformers.

Liu et al., "Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set Object Detection", ECCV 2024;
Minderer et al., "Scaling Open-Vocabulary Object Detection", NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from divergen_records import MaskError
from divergen_records.devices import pick_device
from numpy.typing import NDArray

from .annotator import Image
from .hub import load_pretrained

__all__ = ["Boxes", "TextDetector", "drop_double_boxes"]

Boxes = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Boxes (B, 4) float32 XYXY, pixels, and their scores (B,) float32, 0 to 1, the highest first."""

_MOST = 0.7
"""Boxes of one name with a larger IoU are of one object; OWLv2 gives many such, Grounding DINO few."""


class TextDetector:
    """Boxes by a model of transformers' ``AutoModelForZeroShotObjectDetection``, in float32.

    Each text is a query of its own, so a box belongs to the text that it was asked for, whatever else is asked.

    Args:
        model: Hub id (``"IDEA-Research/grounding-dino-base"``, ``"google/owlv2-base-patch16-ensemble"``) or folder.
        threshold: Boxes with a lower score are left out; the model's own default where None.
        device: ``"cuda"``, ``"cpu"`` …; a GPU if there is one where None.

    Raises:
        WeightsError: If there is no such model, or weights are missing.
        MissingExtra: If transformers is not installed.
    """

    def __init__(self, model: str, *, threshold: float | None = None, device: str | None = None) -> None:
        self.name = model.rstrip("/").rsplit("/", 1)[-1]
        self.device = pick_device(device)
        loaded = load_pretrained(model, "AutoModelForZeroShotObjectDetection")
        self.model = loaded.eval().requires_grad_(False).to(self.device)
        self.processor: Any = load_pretrained(model, "AutoProcessor")
        self._settings = {} if threshold is None else {"threshold": threshold}

    def __call__(self, image: Image, texts: Sequence[str]) -> list[Boxes]:
        """The boxes of each text.

        Raises:
            MaskError: If the picture is so narrow that the model's size leaves no pixel of its shorter side.
        """
        try:
            pixels = self.processor(images=[image], return_tensors="pt", input_data_format="channels_last")
        except ValueError as error:
            height, width = image.shape[:2]
            raise MaskError(f"{self.name} takes no picture of {width} x {height} pixels: {error}") from error
        return [self._detect(image, pixels.to(self.device), text) for text in texts]

    def _detect(self, image: Image, pixels: Any, text: str) -> Boxes:
        import torch

        one = text.replace(".", " ")  # Grounding DINO separates texts by dots
        tokens = self.processor(text=[[one]], return_tensors="pt", truncation=True).to(self.device)
        with torch.inference_mode():
            outputs = self.model(**pixels, **tokens)
        found = self.processor.post_process_grounded_object_detection(
            outputs, target_sizes=[image.shape[:2]], **self._settings
        )[0]
        return _sorted(found["boxes"], found["scores"], image.shape)


def _sorted(boxes: Any, scores: Any, shape: tuple[int, ...]) -> Boxes:
    """Boxes (B, 4) inside the picture, the best first, each object once."""
    corners, values = boxes.float().cpu().numpy(), scores.float().cpu().numpy()
    corners = corners.clip(0, np.array([shape[1], shape[0]] * 2, np.float32))
    order = np.argsort(-values, kind="stable")
    order = order[((corners[:, 2:] - corners[:, :2]) >= 1).all(axis=1)[order]]
    return drop_double_boxes(corners[order], values[order], _MOST)


def drop_double_boxes(boxes: NDArray[np.float32], scores: NDArray[np.float32], most: float) -> Boxes:
    """Non-maximum suppression: without boxes that overlap a better one by an IoU above ``most``.

    Args:
        boxes: (B, 4) float32 XYXY, pixels, the best first.
        scores: (B,) float32.
        most: The largest IoU of two boxes that stay.
    """
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    kept: list[int] = []
    for at in range(len(boxes)):
        low, high = np.maximum(boxes[kept, :2], boxes[at, :2]), np.minimum(boxes[kept, 2:], boxes[at, 2:])
        shared = (high - low).clip(0).prod(axis=1)
        if not (shared > most * (area[kept] + area[at] - shared)).any():
            kept.append(at)
    return boxes[kept], scores[kept]
