"""SAM 3: all instances of what a text names, of which the best is the row's mask.

Carion et al., "SAM 3: Segment Anything with Concepts", 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from divergen_records import MaskError

from .annotator import Image, Picture, Prediction, Result, as_arrays
from .batching import Batcher
from .hub import load_pretrained
from .predictor import Precision, pick_device

__all__ = ["Sam3"]


class Sam3:
    """Masks of the object that each picture's text names, by ``Sam3Model`` of transformers; the background may be busy.

    A row has one mask: of several instances the one with the highest score, and the note says how many there are.

    Args:
        model: Hub id (``"facebook/sam3"``) or folder.
        text: What to look for; ``{}`` in it is replaced by the object's name.
        threshold: Instances with a lower score are left out, 0 to 1.
        device: ``"cuda"``, ``"cpu"`` …; a GPU if there is one where None.
        precision: Of the model.
        batch_size: Pictures at a time; None starts at one and doubles while memory lasts.

    Raises:
        WeightsError: If there is no such model, or weights are missing.
        MissingExtra: If transformers is not installed.
    """

    name = "sam3"
    takes_texts = True

    def __init__(
        self,
        model: str,
        *,
        text: str = "{}",
        threshold: float = 0.3,
        device: str | None = None,
        precision: Precision = "auto",
        batch_size: int | None = None,
    ) -> None:
        self.text, self.threshold = text, threshold
        loaded = load_pretrained(model, "Sam3Model")
        self.device, self.dtype = pick_device(device, precision)
        self.model = loaded.eval().requires_grad_(False).to(self.device)
        self.processor: Any = load_pretrained(model, "Sam3Processor")
        self._batcher = Batcher(batch_size, limit=2 if self.device.type == "cpu" else 16)

    def __call__(self, images: Sequence[Picture], texts: Sequence[str] | None = None) -> list[Result]:
        """One prediction per picture, with SAM 3's own score; an error where it finds no such object.

        Args:
            images: Pictures.
            texts: The objects' names, for example ``"coffee cup"``; "object" where None.
        """
        arrays = as_arrays(images)
        prompts = [self.text.replace("{}", name) for name in texts or ["object"] * len(arrays)]
        return list(self._batcher.run(zip(arrays, prompts, strict=True), self._predict))

    def _predict(self, batch: Sequence[tuple[Image, str]]) -> list[Result]:
        import torch

        inputs = self.processor(
            images=[image for image, _ in batch],
            text=[text for _, text in batch],
            return_tensors="pt",
            input_data_format="channels_last",
        ).to(self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            outputs = self.model(**inputs)
        sizes = [image.shape[:2] for image, _ in batch]
        found = self.processor.post_process_instance_segmentation(
            outputs, threshold=self.threshold, mask_threshold=0.5, target_sizes=sizes
        )
        return [self._best(instances, text) for instances, (_, text) in zip(found, batch, strict=True)]

    def _best(self, instances: Any, text: str) -> Result:
        scores = instances["scores"].float().cpu().numpy()
        if not scores.size:
            return MaskError(f"sam3 found no {text!r} with a score of at least {self.threshold}")
        best = int(scores.argmax())
        mask = np.asarray(instances["masks"][best].cpu().numpy() > 0)
        note = f"[best of {scores.size} instances]" if scores.size > 1 else ""
        return Prediction(mask, float(min(1.0, scores[best])), note)
