"""What `BestOf` asks which of several masks is the best: a measure on the picture alone, or CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np

from .annotator import Image, Mask
from .background import Background, border_ring, edge_strength, fit_background
from .batching import Batcher
from .hub import load_pretrained
from .predictor import Precision, device_and_type

__all__ = ["ClipScorer", "OutlineScorer", "Scorer", "cut_out"]


@runtime_checkable
class Scorer(Protocol):
    """Says how good masks are; only the order matters to `BestOf`.

    Attributes:
        name: Goes into the note of the prediction.
    """

    name: str

    def __call__(
        self, images: Sequence[Image], masks: Sequence[Mask], texts: Sequence[str] | None = None
    ) -> Sequence[float]:
        """A score, 0 to 1, for each picture with its mask.

        Args:
            images: Pictures (H, W, 3) uint8 RGB; one comes up once for each of its masks.
            masks: (H, W) bool, neither empty nor full.
            texts: The objects' names, where they are known.
        """


class OutlineScorer:
    """No model: a good outline runs along edges of the picture, and what is outside looks like background.

    The score is the share of the outline that lies within a pixel of a visible edge, times the share of what is
    outside the mask that looks like the background or like a shadow on it.

    Args:
        contrast: Distance from the background that counts as different, in standard deviations of its noise.
        border: Width of the border that shows the background, as a share of the picture's shorter side.
    """

    name = "outline"

    def __init__(self, *, contrast: float = 5.0, border: float = 0.03) -> None:
        self.contrast, self.border = contrast, border

    def __call__(
        self, images: Sequence[Image], masks: Sequence[Mask], texts: Sequence[str] | None = None
    ) -> list[float]:
        """A score, 0 to 1, for each picture with its mask; texts are not looked at."""
        return [self.score(image, mask) for image, mask in zip(images, masks, strict=True)]

    def score(self, image: Image, mask: Mask, background: Background | None = None) -> float:
        """The score, 0 to 1, of one mask; ``background`` is fitted to the picture's border where None."""
        background = background or fit_background(image, border_ring(mask.shape[0], mask.shape[1], self.border))
        plain = (background.distance(image) < self.contrast) | background.shadow(image)
        strength = edge_strength(image)
        ridge = strength >= 0.5 * cv2.dilate(strength, np.ones((7, 7), np.uint8))
        visible = ridge & (strength > 2 * background.noise)
        near = cv2.dilate(visible.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
        outline = mask & (eroded == 0)
        return float(near[outline].mean() if outline.any() else 0.0) * float(plain[~mask].mean())


class ClipScorer:
    """The cosine of the cut-out and the object's name by CLIP; X-Paste keeps the mask with the highest.

    Args:
        model: Hub id (``"openai/clip-vit-large-patch14"``) or folder, of transformers.
        text: ``{}`` in it is replaced by the object's name.
        device: ``"cuda"``, ``"cpu"`` …; a GPU if there is one where None.
        precision: Of the model.
        batch_size: Cut-outs at a time; None starts at one and doubles while memory lasts.

    Raises:
        WeightsError: If there is no such model, or weights are missing.
        MissingExtra: If transformers is not installed.
    """

    name = "clip"
    takes_texts = True

    def __init__(
        self,
        model: str,
        *,
        text: str = "a photo of a {}",
        device: str | None = None,
        precision: Precision = "auto",
        batch_size: int | None = None,
    ) -> None:
        self.text = text
        loaded = load_pretrained(model, "CLIPModel")
        self.device, self.dtype = device_and_type(device, precision)
        self.model = loaded.eval().requires_grad_(False).to(self.device)
        self.processor: Any = load_pretrained(model, "AutoProcessor")
        self._batcher = Batcher(batch_size, limit=8 if self.device.type == "cpu" else 64)

    def __call__(
        self, images: Sequence[Image], masks: Sequence[Mask], texts: Sequence[str] | None = None
    ) -> list[float]:
        """The cosine for each picture with its mask, 0 where it is negative or memory ran out."""
        prompts = [self.text.replace("{}", name) for name in texts or ["object"] * len(images)]
        pairs = zip(map(cut_out, images, masks), prompts, strict=True)
        scores = list(self._batcher.run(pairs, self._cosines))
        return [score if isinstance(score, float) else 0.0 for score in scores]

    def _cosines(self, batch: Sequence[tuple[Image, str]]) -> list[float]:
        import torch
        from torch.nn import functional as F

        inputs = self.processor(
            images=[image for image, _ in batch],
            text=[text for _, text in batch],
            padding="max_length",
            truncation=True,
            return_tensors="pt",
            input_data_format="channels_last",
        ).to(self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self.model(**inputs)
        cosines = F.cosine_similarity(output.image_embeds.float(), output.text_embeds.float())
        return [min(1.0, max(0.0, float(value))) for value in cosines.tolist()]


def cut_out(image: Image, mask: Mask, *, margin: float = 0.1) -> Image:
    """The object on black, cropped to its box and a margin (X-Paste and DiverGen set the background to 0).

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, not empty.
        margin: Share of the box's longer side.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    pad = round(margin * max(rows[-1] - rows[0], columns[-1] - columns[0])) + 1
    window = (
        slice(max(0, rows[0] - pad), rows[-1] + 1 + pad),
        slice(max(0, columns[0] - pad), columns[-1] + 1 + pad),
    )
    return np.asarray(image[window] * mask[window][..., None])
