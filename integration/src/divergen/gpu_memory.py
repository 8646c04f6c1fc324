"""Whether there is a GPU where one is named, and whether weights fit it; what comes on top is said, not counted."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from divergen_records.requirements import Finding

from .config import RunConfig

__all__ = ["memory_findings"]

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Of NVIDIA, AMD and WSL."""

_GIB = 2**30
_LARGE = 2 * _GIB
"""Weights above this are looked at."""

_TRAINING = 4
"""Copies of the weights in a training: themselves, their gradients, and the two moments of AdamW, in full precision."""


def memory_findings(config: RunConfig, weights: Iterable[tuple[str, int]]) -> Iterator[tuple[str, Finding]]:
    """What is to be said of the GPU's memory, each with the key that it is about.

    Args:
        config: The run's.
        weights: Key of a model -> bytes of its weights.
    """
    yield from _workers(config.executor)
    devices = {place: str(device) for place, device in _devices(config) if str(device).startswith("cuda")}
    named = list(devices)
    needed = {place: _needed(place, size) for place, size in weights}
    large = {place: size for place, size in needed.items() if size > _LARGE and not _waits_elsewhere(config, place)}
    if not named and not large:
        return
    room = gpu_memory()
    if room is None:
        if named:
            text = f"there is no GPU here; go where there is one, or set {', '.join(f'{p}.device=cpu' for p in named)}"
            yield named[0], Finding(text, problem=True)
        return
    yield from _absent(devices)
    for place, size in large.items():
        text = f"{size / _GIB:.1f} GB {_what(place)}, of the GPU's {room / _GIB:.1f} GB"
        if size > room:
            remedy = "take a smaller model, or set offload where the model has it"
            yield place, Finding(f"{text}: they do not fit, even without what comes on top; {remedy}", problem=True)
        else:
            yield place, Finding(f"{text}; activations and what several pictures at once take are not counted")


def _workers(executor: Any) -> Iterator[tuple[str, Finding]]:
    """Workers of a Ray on this machine that would wait for a GPU that it does not have."""
    if getattr(executor, "gpus", 0) and executor.address is None and gpu_memory() is None:
        text = f"each worker takes {executor.gpus:g} GPU, and there is none here; set executor.gpus=0"
        yield "executor", Finding(f"{text}, or executor.address to a cluster that has some", problem=True)


def _absent(devices: Mapping[str, str]) -> Iterator[tuple[str, Finding]]:
    """GPUs that are named by a number and are not here."""
    numbers = {place: int(device.partition(":")[2]) for place, device in devices.items() if ":" in device}
    if not numbers:
        return
    count = gpu_count()
    for place, number in numbers.items():
        if number >= count:
            there = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
            yield place, Finding(f"there is no GPU cuda:{number} here, only {there}; set {place}.device", problem=True)


def _needed(place: str, size: int) -> int:
    """Bytes that weights of a file take: in half precision to draw and judge with, in four copies to train."""
    return size * _TRAINING if place.startswith("train") else size // 2


def _what(place: str) -> str:
    return "of weights, gradients and moments" if place.startswith("train") else "of weights in half precision"


def _waits_elsewhere(config: RunConfig, place: str) -> bool:
    """Whether a generator's weights are only partly on the GPU at a time."""
    section, _, rest = place.partition(".")
    if section != "generators" or not rest:
        return False
    generator = config.generators[int(rest.partition(".")[0])]
    return getattr(generator, "offload", "none") != "none" or bool(getattr(generator, "swap", False))


def gpu_memory() -> int | None:
    """Bytes of the GPU; None where there is none. torch, slow to load, is asked only where there could be one."""
    if sys.platform == "linux" and not any(map(os.path.exists, _GPU_DEVICES)):
        return None
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else None


def gpu_count() -> int:
    """GPUs of this machine."""
    import torch

    return int(torch.cuda.device_count())


def _devices(config: Any) -> Iterator[tuple[str, Any]]:
    """The sections that name a device, with it."""
    sections = {"annotator": config.annotator, "embedder": config.embedder, "train": config.train}
    sections |= {f"generators.{number}": generator for number, generator in enumerate(config.generators)}
    return ((place, section.device) for place, section in sections.items() if hasattr(section, "device"))
