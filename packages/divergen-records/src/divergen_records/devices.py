"""Devices by the names that people give them; imports no torch."""

from __future__ import annotations

import re

from .errors import ConfigError

__all__ = ["device_name"]

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
