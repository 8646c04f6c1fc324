"""Files of ImageNet weights as their authors publish them; nothing in a file is executed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from divergen_records.errors import WeightsError
from divergen_records.weights_files import read_tensors, why_no_weights
from torch import Tensor

__all__ = ["RESNET50", "SWIN", "read_weights"]

_HINT = "Give the path of a file that you have, or weights=none to start from random ones on purpose"
RESNET50 = (
    "Files that fit: torchvision's resnet50-*.pth, timm's resnet50 as .pth or .safetensors, resnet50_miil_21k.pth of "
    "ImageNet-21K Pretraining for the Masses (the papers'), and torchvision/R-50.pkl of detectron2's model zoo"
)
SWIN = (
    "Files that fit are those of the Swin Transformer's authors, github.com/microsoft/Swin-Transformer, for example "
    "swin_large_patch4_window12_384_22k.pth (the papers'), and what detectron2's tools convert them to"
)


class _NumpyOnly(pickle.Unpickler):  # noqa: S301 (this is the safe one)
    """Reads dicts, strings, numbers and numpy arrays; refuses everything else, so that a file can run no code."""

    _ALLOWED = frozenset({"ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer"})

    def find_class(self, module: str, name: str) -> Any:
        """A part of numpy that arrays are made of."""
        if module.partition(".")[0] == "numpy" and name in self._ALLOWED:
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        raise pickle.UnpicklingError(f"it holds {module}.{name}, only numpy arrays are read")


def _read_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _NumpyOnly(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path}: not a readable weights file ({error})") from error


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable weights file ({error})") from error


def read_weights(path: Path, hint: str = "") -> dict[str, Tensor]:
    """Tensors by name from a ``.pth``, ``.safetensors`` or detectron2's ``.pkl``.

    Args:
        path: The file.
        hint: Where users get it, for the message.

    Raises:
        WeightsError: If the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file. {hint}. {_HINT}")
    if wrong := why_no_weights(path):
        raise WeightsError(f"{path} {wrong}")
    readers: dict[str, Callable[[Path], Any]] = {".pkl": _read_pickle, ".safetensors": _read_safetensors}
    data = readers[path.suffix](path) if path.suffix in readers else read_tensors(path, "weights file")
    for key in ("state_dict", "model"):
        if isinstance(data, dict) and isinstance(data.get(key), dict):
            data = data[key]
    if not isinstance(data, dict):
        raise WeightsError(f"{path}: not a weights file, it holds a {type(data).__name__}. {hint}")
    arrays = {name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in data.items()}
    return {str(name): value for name, value in arrays.items() if isinstance(value, Tensor)}
