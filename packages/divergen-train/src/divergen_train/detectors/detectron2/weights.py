"""ImageNet weights under the names that detectron2 has for ResNet-50 and Swin."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from ..imagenet import RESNET50, SWIN, read_weights
from ..weights import load_tensors

__all__ = ["load_resnet50", "load_swin", "rename_resnet_key"]


def rename_resnet_key(key: str) -> str:
    """Name in detectron2 of a tensor of torchvision's ResNet: ``layer1.0.bn2.bias`` -> ``res2.0.conv2.norm.bias``."""
    key = re.sub(r"^(conv1|bn1)\.", r"stem.\1.", key)
    key = re.sub(r"^layer(\d)", lambda stage: f"res{int(stage[1]) + 1}", key)
    key = re.sub(r"\bbn(\d)\.", r"conv\1.norm.", key)
    return key.replace("downsample.0.", "shortcut.").replace("downsample.1.", "shortcut.norm.")


def load_resnet50(body: nn.Module, path: Path) -> None:
    """Load ImageNet weights into detectron2's ResNet-50, every tensor checked.

    Raises:
        WeightsError: If the file is missing, damaged or of another architecture.
    """
    state = {rename_resnet_key(key): value for key, value in read_weights(path, RESNET50).items()}
    load_tensors(body, state, path, "ResNet-50", RESNET50, fresh=r".*num_batches_tracked")


def load_swin(body: nn.Module, path: Path) -> None:
    """Load ImageNet weights into detectron2's Swin Transformer; the norms of its outputs are not in the files.

    Raises:
        WeightsError: If the file is missing, damaged or of another size of Swin.
    """
    state = read_weights(path, SWIN)
    load_tensors(body, state, path, "this Swin Transformer", SWIN, fresh=r"norm\d\..*|.*relative_position_index")
