"""What `SamBackground` needs of a promptable segmenter, and the parts that all of them share.

Letters: N pictures, P points, M candidate masks, S side of the model's square input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from divergen_records.devices import pick_device
from numpy.typing import NDArray

from .batching import is_out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .annotator import Image

__all__ = [
    "BoxPredictor",
    "Decoded",
    "Encoded",
    "Frame",
    "Precision",
    "Predictor",
    "Prepared",
    "device_and_type",
    "scale_points",
    "upscale_mask",
]

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""Of the encoder; ``"auto"`` is bfloat16 on a GPU that has it, float16 on another GPU, float32 on a CPU."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a picture lies in the model's square input: at the top left, the rest is padding.

    Attributes:
        height: Of the picture, pixels.
        width: Of the picture, pixels.
        input_height: Of the resized picture in the input, pixels.
        input_width: Of the resized picture in the input, pixels.
    """

    height: int
    width: int
    input_height: int
    input_width: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture ready to be encoded: resized (and, where the model's processor does so, normalised and padded).

    Attributes:
        pixels: (3, h, w), uint8 or float32, on the CPU.
        frame: Where the picture lies in it.
    """

    pixels: Tensor
    frame: Frame


@dataclass(frozen=True, slots=True)
class Encoded:
    """Embeddings of N pictures; what they are is the predictor's own business.

    Attributes:
        features: Of the whole batch.
        frames: N of them.
    """

    features: Any
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Candidate masks of N pictures at the decoder's own resolution.

    Attributes:
        logits: (N, M, h, w) float32, above 0 in the mask, of the padded square.
        iou: (N, M) float32, the model's own guess of each candidate's IoU.
        frames: N of them.
        by_scope: Whether candidates come in the order of their scope, the last one the largest, as SAM learned it.
    """

    logits: Tensor
    iou: Tensor
    frames: tuple[Frame, ...]
    by_scope: bool = True

    def inside(self, number: int) -> Tensor:
        """The logits (M, h', w') of one picture without the padding, cut to whole cells."""
        frame = self.frames[number]
        side = max(frame.input_height, frame.input_width)
        height, width = self.logits.shape[-2:]
        rows = max(1, round(height * frame.input_height / side))
        columns = max(1, round(width * frame.input_width / side))
        return self.logits[number, :, :rows, :columns]


@runtime_checkable
class Predictor(Protocol):
    """A promptable segmenter: encodes a batch of pictures once, then decodes points for all of them in one call.

    Attributes:
        name: Tells models apart, for example ``"vit_b"``.
    """

    name: str

    def prepare(self, image: Image) -> Prepared:
        """Resize one picture (H, W, 3) uint8 RGB as the model's reference does; called from several threads."""

    def encode(self, batch: Sequence[Prepared]) -> Encoded:
        """The embeddings of N prepared pictures."""

    def decode(self, encoded: Encoded, points: NDArray[np.float32]) -> Decoded:
        """Candidate masks of what lies under all points of a picture.

        Args:
            encoded: N pictures.
            points: (N, P, 2) float32, (x, y) in pixels of each picture as it was given to `prepare`.
        """

    def upscale(self, logits: Tensor, frame: Frame) -> Tensor:
        """Logits (M, h, w) of one picture at its own size, (M, H, W), as the model's reference does it."""


@runtime_checkable
class BoxPredictor(Predictor, Protocol):
    """A promptable segmenter that takes boxes, too."""

    def decode_boxes(self, encoded: Encoded, boxes: NDArray[np.float32]) -> Decoded:
        """The mask of what is in each of B boxes of one picture; its frame stands for each of them.

        Args:
            encoded: One picture.
            boxes: (B, 4) float32 XYXY, in pixels of the picture as it was given to `prepare`.

        Returns:
            One candidate each: logits (B, 1, h, w) and guesses of the IoU (B, 1).
        """


def upscale_mask(predictor: Predictor, logits: Tensor, frame: Frame) -> NDArray[np.bool_]:
    """The mask (H, W) bool of one candidate (1, h, w); on the CPU where the device has no room for it."""
    try:
        return np.asarray((predictor.upscale(logits, frame)[0] > 0).cpu().numpy())
    except RuntimeError as error:
        if not is_out_of_memory(error) or logits.device.type == "cpu":
            raise
    return np.asarray((predictor.upscale(logits.cpu(), frame)[0] > 0).numpy())


def scale_points(points: NDArray[np.float32], frames: Sequence[Frame]) -> Tensor:
    """Points (N, P, 2) in pixels of the pictures -> (N, P, 2) float32 in pixels of the model's input."""
    import torch

    scale = np.array([(f.input_width / f.width, f.input_height / f.height) for f in frames])
    return torch.from_numpy((points.astype(np.float64) * scale[:, None, :]).astype(np.float32))


def device_and_type(device: str | None, precision: Precision) -> tuple[torch.device, torch.dtype]:
    """The device (None: a GPU if there is one) and the encoder's type on it."""
    import torch

    chosen: torch.device = pick_device(device)
    if precision != "auto":
        return chosen, {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]
    if chosen.type != "cuda":
        return chosen, torch.float32
    return chosen, torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
