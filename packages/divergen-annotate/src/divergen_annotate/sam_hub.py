"""SAM, SAM 2, SAM 2.1 and SAM-HQ as transformers has them: a hub id, or a folder as ``save_pretrained`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import WeightsError
from numpy.typing import NDArray

from .hub import load_pretrained, read_model_type
from .predictor import Decoded, Encoded, Frame, Precision, Prepared, device_and_type, scale_points

if TYPE_CHECKING:
    from torch import Tensor

    from .annotator import Image

__all__ = ["HubSamPredictor"]

_CLASSES = {"sam": "SamModel", "sam2": "Sam2Model", "sam2_video": "Sam2Model", "sam_hq": "SamHQModel"}
"""``model_type`` of a config -> the class for pictures; SAM 2 is published with the config of its video model."""


class HubSamPredictor:
    """A promptable segmenter of transformers as a `Predictor`. Pictures are prepared by the model's own processor.

    Args:
        model: Hub id (``"facebook/sam-vit-huge"``, ``"facebook/sam2.1-hiera-large"``) or folder.
        device: ``"cuda"``, ``"cpu"`` …; a GPU if there is one where None.
        precision: Of the encoder.
        compile: Compile the encoder; pays off from some hundred pictures on.

    Raises:
        WeightsError: If there is no such model, weights are missing, or it is no SAM.
        MissingExtra: If transformers is not installed.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        precision: Precision = "auto",
        compile: bool = False,  # noqa: A002
    ) -> None:
        import torch

        kind = read_model_type(model)
        if kind not in _CLASSES:
            raise WeightsError(f"{model}: this is a model of type {kind!r}; known are {', '.join(_CLASSES)}")
        self.name = model.rstrip("/").rsplit("/", 1)[-1]
        self.device, self.dtype = device_and_type(device, precision)
        loaded = load_pretrained(model, _CLASSES[kind])
        self.model = loaded.eval().requires_grad_(False).to(self.device)
        self.processor: Any = load_pretrained(model, "AutoImageProcessor")
        self._is_hq, self._fills_square = kind == "sam_hq", kind.startswith("sam2")
        encode: Any = self.model.get_image_embeddings
        self._encode: Any = torch.compile(encode) if compile else encode

    def prepare(self, image: Image) -> Prepared:
        """Resize, normalise and pad by the model's own processor."""
        shown = image if self._fills_square else self._widened(image)
        prepared = self.processor(shown, return_tensors="pt", input_data_format="channels_last")
        pixels = prepared["pixel_values"][0]
        height, width = image.shape[:2]
        if self._fills_square:
            return Prepared(pixels, Frame(height, width, *pixels.shape[-2:]))
        inside = [int(side) for side in prepared["reshaped_input_sizes"][0]]
        return Prepared(pixels, Frame(height, width, *inside))

    def _widened(self, image: Image) -> Image:
        """A picture so narrow that scaling to the model's size would leave nothing of it, its lines repeated."""
        least = max(image.shape[:2]) // int(self.processor.size["longest_edge"]) + 1
        down, across = (-(-least // side) for side in image.shape[:2])
        return image if down == across == 1 else image.repeat(down, axis=0).repeat(across, axis=1)

    def encode(self, batch: Sequence[Prepared]) -> Encoded:
        """Encode prepared pictures on the device."""
        import torch

        pixels = torch.stack([picture.pixels for picture in batch]).to(self.device, non_blocking=True)
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            features = self._encode(pixels)
        return Encoded(_to_float32(features), tuple(picture.frame for picture in batch))

    def decode(self, encoded: Encoded, points: NDArray[np.float32]) -> Decoded:
        """The candidates of ``multimask_output=True``; SAM-HQ sorts them by predicted IoU."""
        import torch

        coordinates = scale_points(points, encoded.frames)[:, None].to(self.device)
        labels = torch.ones(coordinates.shape[:3], dtype=torch.int, device=self.device)
        out = self._ask(encoded, input_points=coordinates, input_labels=labels, multimask_output=True)
        return Decoded(out.pred_masks[:, 0], out.iou_scores[:, 0], encoded.frames, by_scope=not self._is_hq)

    def decode_boxes(self, encoded: Encoded, boxes: NDArray[np.float32]) -> Decoded:
        """The one mask of ``multimask_output=False`` for each box."""
        corners = scale_points(boxes.reshape(1, -1, 2), encoded.frames).reshape(1, -1, 4).to(self.device)
        out = self._ask(encoded, input_boxes=corners, multimask_output=False)
        return Decoded(out.pred_masks[0], out.iou_scores[0], encoded.frames * len(boxes))

    def _ask(self, encoded: Encoded, **prompts: Any) -> Any:
        import torch

        features: dict[str, Any] = {"image_embeddings": encoded.features}
        if self._is_hq:
            features = dict(zip(("image_embeddings", "intermediate_embeddings"), encoded.features, strict=True))
        with torch.inference_mode():
            return self.model(**prompts, **features)

    def upscale(self, logits: Tensor, frame: Frame) -> Tensor:
        """As ``post_process_masks`` of the model's processor."""
        from torch.nn import functional as F

        square = logits[None]
        if not self._fills_square:
            padded = self.processor.pad_size
            square = F.interpolate(square, (padded["height"], padded["width"]), mode="bilinear", align_corners=False)
            square = square[..., : frame.input_height, : frame.input_width]
        return F.interpolate(square, (frame.height, frame.width), mode="bilinear", align_corners=False)[0]


def _to_float32(features: Any) -> Any:
    """Tensors, or tuples and lists of them, as float32: the decoder is small, and exact."""
    return features.float() if hasattr(features, "float") else type(features)(_to_float32(part) for part in features)
