"""Devices by the names that people give them; imports torch only where one is picked."""

from __future__ import annotations

import os
import re
from typing import Any

from .errors import ConfigError

__all__ = ["device_name", "pick_device"]

_KNOWN = re.compile(r"(?:cpu|cuda|mps|xpu|hpu|npu|meta)(?::\d+)?")
_GPU = re.compile(r"(?:gpu|nvidia|rocm|hip)(?=:|\Z)")
"""PyTorch calls AMD's GPUs cuda, too."""


def device_name(device: str | None) -> str:
    """A device as torch names it, or ``"auto"``: letters of any case, ``gpu`` and ``0`` for CUDA's.

    Raises:
        ConfigError: If it is none.
    """
    name = str("auto" if device is None else device).strip(" '\"").lower()
    name = _GPU.sub("cuda", f"cuda:{name}" if name.isdecimal() else name)
    if name in ("", "auto", "none", "null", "default"):
        return "auto"
    if not _KNOWN.fullmatch(name):
        raise ConfigError(f"device {device!r} is none; there are auto, cpu, cuda (or gpu), cuda:1 …, mps")
    return name


def pick_device(device: str | None = "auto", *, share: bool = True) -> Any:
    """A torch device that is there; ``"auto"`` and ``"cuda"`` are this process's GPU (``LOCAL_RANK`` of torchrun).

    Args:
        device: In any of `device_name`'s forms; ``"auto"`` is the CPU where there is no GPU.
        share: Whether processes may share a GPU where they are more than the GPUs.

    Raises:
        ConfigError: There is no such device.
        ImportError: PyTorch is not installed.
    """
    import torch

    name = device_name(device)
    try:
        wanted = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        if wanted.type == "meta":
            raise ConfigError("device 'meta' holds no values; take cpu or cuda")
        if wanted.type != "cuda":
            torch.empty(0, device=wanted)
            return wanted
    except (AssertionError, ImportError, NotImplementedError, RuntimeError) as error:
        raise ConfigError(
            f"device {device!r}: PyTorch {torch.__version__} can use no {name.partition(':')[0]} here; take cpu or auto"
        ) from error
    count, rank = torch.cuda.device_count(), int(os.environ.get("LOCAL_RANK", "0"))
    own = rank % max(count, 1) if share else rank
    index = wanted.index if ":" in str(wanted) else own
    if index >= count:
        raise ConfigError(
            f"device {device!r}: there {_gpus(count)} that PyTorch {torch.__version__} can use, and cuda:{index} is "
            "wanted; take another, cpu, or fewer processes"
        )
    return torch.device("cuda", index)


def _gpus(count: int) -> str:
    if not count:
        return "is no GPU"
    return "is one GPU (cuda:0)" if count == 1 else f"are {count} GPUs (cuda:0 to cuda:{count - 1})"
