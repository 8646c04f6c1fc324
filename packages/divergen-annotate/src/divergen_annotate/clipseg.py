"""CLIPSeg: segment what a text names.

Lüddecke, Ecker, "Image Segmentation Using Text and Image Prompts", CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from divergen_records.cores import usable_cores

from .annotator import Image, Picture, Prediction, Result, as_arrays
from .batching import Batcher, ahead
from .hub import load_pretrained
from .predictor import Precision, device_and_type

__all__ = ["ClipSeg"]


class ClipSeg:
    """Masks of the object that each picture's text names, by CLIPSeg of transformers.

    Args:
        model: Hub id (``"CIDAS/clipseg-rd64-refined"``) or folder.
        text: What to look for where no text is given; ``{}`` in it is replaced by the object's name where it is given.
        threshold: A pixel belongs to the object from this probability on.
        device: ``"cuda"``, ``"cpu"`` …; a GPU if there is one where None.
        precision: Of the model.
        batch_size: Pictures at a time; None starts at one and doubles while memory lasts.
        workers: Threads that prepare pictures; the number of CPU cores where None.

    Raises:
        WeightsError: If there is no such model, or weights are missing.
        MissingExtra: If transformers is not installed.
    """

    name = "clipseg"
    takes_texts = True

    def __init__(
        self,
        model: str,
        *,
        text: str = "a photo of a {}",
        threshold: float = 0.5,
        device: str | None = None,
        precision: Precision = "auto",
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        self.text, self.threshold = text, threshold
        loaded = load_pretrained(model, "CLIPSegForImageSegmentation")
        self.device, self.dtype = device_and_type(device, precision)
        self.model = loaded.eval().requires_grad_(False).to(self.device)
        self.processor: Any = load_pretrained(model, "AutoProcessor")
        self.workers = workers or usable_cores()
        self._batcher = Batcher(batch_size, limit=4 if self.device.type == "cpu" else 64)

    def __call__(self, images: Sequence[Picture], texts: Sequence[str] | None = None) -> list[Result]:
        """One prediction per picture; the score is the IoU to expect, see `threshold_map`.

        Args:
            images: Pictures.
            texts: The objects' names, for example ``"coffee cup"``; "object" where None.
        """
        arrays = as_arrays(images)
        prompts = [self.text.replace("{}", name) for name in texts or ["object"] * len(arrays)]
        with ThreadPoolExecutor(self.workers) as pool:
            pixels = ahead(pool, self._prepare, arrays, 2 * self._batcher.limit)
            work = ((*item, image) for item, image in zip(zip(pixels, prompts, strict=True), arrays, strict=True))
            return list(self._batcher.run(work, self._predict))

    def _prepare(self, image: Image) -> Any:
        processor = self.processor.image_processor
        return processor(images=image, return_tensors="pt", input_data_format="channels_last")["pixel_values"][0]

    def _predict(self, batch: Sequence[tuple[Any, str, Image]]) -> list[Prediction]:
        import torch

        pixels = torch.stack([item[0] for item in batch]).to(self.device)
        tokens = self.processor.tokenizer(
            [item[1] for item in batch], padding="max_length", truncation=True, return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits = self.model(
                pixel_values=pixels, input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).logits
        probability = logits.float().sigmoid().cpu().numpy().reshape(len(batch), *logits.shape[-2:])
        return [
            threshold_map(value, item[2].shape[:2], self.threshold)
            for value, item in zip(probability, batch, strict=True)
        ]


def threshold_map(probability: Any, shape: tuple[int, ...], threshold: float) -> Prediction:
    """A map (h, w) float32 of probabilities, scaled to a picture (height, width) and cut at a threshold.

    The score is the IoU to expect if the map is right: what is in the mask for certain, over that and all that may be.
    """
    scaled = cv2.resize(np.asarray(probability, np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    sure = scaled.reshape(shape).clip(0, 1)
    mask = np.asarray(sure > threshold)
    inside, outside = float(sure[mask].sum()), float(sure[~mask].sum())
    score = inside / (np.count_nonzero(mask) + outside) if mask.any() else 0.0
    return Prediction(mask, min(1.0, score))
