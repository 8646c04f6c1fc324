"""SAM 3: all instances of what a text names; of a row's picture the best is its mask.

Carion et al., "SAM 3: Segment Anything with Concepts", 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from divergen_records import RowError

from .annotator import Image, Mask, Picture, Prediction, Result, as_arrays
from .batching import Batcher
from .finding import Instances, best_of_found
from .hub import load_pretrained
from .predictor import Precision, device_and_type

__all__ = ["Sam3"]


_TEXT = 32
"""Tokens of a text, as ``Sam3Processor`` pads it."""


class Sam3:
    """Masks of the object that each picture's text names, by ``Sam3Model`` of transformers; the background may be busy.

    A row has one mask: of several instances the one with the highest score, and the note says how many there are.

    Args:
        model: Hub id (``"facebook/sam3"``) or folder.
        text: What to look for; ``{}`` in it is replaced by the object's name.
        threshold: Instances with a lower score are left out, 0 to 1.
        instances: ``"all"``: the others come as `Prediction.others`, and become rows of their own.
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
        instances: Instances = "best",
        device: str | None = None,
        precision: Precision = "auto",
        batch_size: int | None = None,
    ) -> None:
        self.text, self.threshold, self.instances = text, threshold, instances
        loaded = load_pretrained(model, "Sam3Model")
        self.device, self.dtype = device_and_type(device, precision)
        self.model = loaded.eval().requires_grad_(False).to(self.device)
        self.processor: Any = load_pretrained(model, "Sam3Processor")
        self._batcher = Batcher(batch_size, limit=2 if self.device.type == "cpu" else 16)
        self._names = Batcher(batch_size, limit=self._batcher.limit)

    def __call__(self, images: Sequence[Picture], texts: Sequence[str] | None = None) -> list[Result]:
        """One prediction per picture, with SAM 3's own score; an error where it finds no such object.

        Args:
            images: Pictures.
            texts: The objects' names, for example ``"coffee cup"``; "object" where None.
        """
        arrays = as_arrays(images)
        prompts = [self.text.replace("{}", name) for name in texts or ["object"] * len(arrays)]
        return list(self._batcher.run(zip(arrays, prompts, strict=True), self._predict))

    def find(self, image: Image, names: Sequence[str]) -> list[list[Prediction]]:
        """All instances of each name, the highest score first; see `Finder`.

        The picture is encoded once, and asked for several names at a time.
        """
        import torch

        prompts = [self.text.replace("{}", name) for name in names]
        tokens = self._tokens(prompts)
        pixels = self.processor(images=[image], return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            vision = self.model.get_vision_features(pixels.to(self.device))

        def ask(batch: Sequence[int]) -> list[list[Prediction]]:
            asked = {key: tokens[key][list(batch)] for key in ("input_ids", "attention_mask")}
            outputs = self._ask(vision_embeds=_repeated(vision, len(batch)), **asked)
            return [self._instances(outputs, number, image) for number in range(len(batch))]

        found = list[list[Prediction]]()
        for one in self._names.run(range(len(names)), ask):
            if isinstance(one, RowError):
                raise one
            found.append(one)
        return found

    def _predict(self, batch: Sequence[tuple[Image, str]]) -> list[Result]:
        images = [image for image, _ in batch]
        pixels = self.processor(images=images, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        tokens = self._tokens([text for _, text in batch])
        inputs = {key: tokens[key] for key in ("input_ids", "attention_mask")}
        outputs = self._ask(pixel_values=pixels.to(self.device), **inputs)
        return [
            best_of_found(self._instances(outputs, number, image), f"sam3 looked for {text!r} and", self.instances)
            for number, (image, text) in enumerate(batch)
        ]

    def _tokens(self, prompts: Sequence[str]) -> Any:
        """As the processor's, but a text that is longer than the text encoder takes is cut."""
        settings = {"padding": "max_length", "max_length": _TEXT, "truncation": True}
        return self.processor.tokenizer(prompts, return_tensors="pt", **settings).to(self.device)

    def _ask(self, **inputs: Any) -> Any:
        import torch

        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return self.model(**inputs)

    def _instances(self, outputs: Any, number: int, image: Image) -> list[Prediction]:
        """As ``post_process_instance_segmentation`` of the model's processor, one mask at a time: they are large."""
        scores = outputs.pred_logits[number].float().sigmoid() * outputs.presence_logits[number].float().sigmoid()
        order = scores.argsort(descending=True, stable=True)
        order = order[scores[order] > self.threshold].tolist()
        return [
            Prediction(_upscale(outputs.pred_masks[number, at], image), float(scores[at].clamp(max=1))) for at in order
        ]


def _repeated(vision: Any, count: int) -> Any:
    """A picture's features as those of ``count`` pictures, without a copy."""
    parts = ("fpn_hidden_states", "fpn_position_encoding")
    spread = {part: tuple(one.expand(count, *one.shape[1:]) for one in getattr(vision, part)) for part in parts}
    return type(vision)(**spread)


def _upscale(logits: Any, image: Image) -> Mask:
    """One mask (h, w) of logits at the size of its picture."""
    from torch.nn import functional as F

    shown = logits.float().sigmoid()[None, None]
    scaled = F.interpolate(shown, size=image.shape[:2], mode="bilinear", align_corners=False)
    return np.asarray((scaled[0, 0] > 0.5).cpu().numpy())
