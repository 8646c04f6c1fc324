"""What is here: versions, devices, extras, caches, disk and the hub, on one page to paste into an issue."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, PackageNotFoundError, distributions, requires, version
from pathlib import Path
from urllib.request import Request, urlopen

from divergen_records.cores import usable_cores
from divergen_records.errors import install_line, lacking
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["diagnosis"]

_LIBRARIES = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch", "pylance", "ray", "detectron2")
_HUB_SECONDS = 3.0


def diagnosis(folder: Path | None = None) -> dict[str, dict[str, str]]:
    """Section -> what was looked at -> what was found. Sets nothing, loads no model, downloads nothing.

    Args:
        folder: Where runs will lie, for the free disk; the current folder by default.
    """
    return {
        "here": dict(_machine(folder or Path.cwd())),
        "devices": dict(_devices()),
        "DiverGen": dict(_distributions()),
        "others": dict(_others()),
        "libraries": dict(_libraries()),
        "extras": dict(_extras()),
        "models": dict(_hub()),
    }


def _machine(folder: Path) -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "cores", f"{usable_cores()} usable of {os.cpu_count()}"
    with suppress(ValueError, OSError, AttributeError):  # not every system tells
        yield "memory", _gigabytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    yield "disk", f"{_gigabytes(shutil.disk_usage(folder).free)} free here"
    yield "encoding", f"{sys.getfilesystemencoding()} file names, {sys.stdout.encoding or 'no'} output"


def _devices() -> Iterator[tuple[str, str]]:
    try:
        import torch
    except ImportError:
        yield "torch", "not installed"
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield f"cuda:{index}", f"{properties.name}, {_gigabytes(properties.total_memory)}"
    if torch.backends.mps.is_available():
        yield "mps", "available"
    if not torch.cuda.device_count():
        yield "cuda", "no device; models run on the CPU, slowly"


def _distributions() -> Iterator[tuple[str, str]]:
    found = {name: each.version for each in distributions() if (name := each.metadata["Name"]).startswith("divergen")}
    yield from sorted(found.items())


def _others() -> Iterator[tuple[str, str]]:
    """What packages of other people add by entry points, and what of it does not load."""
    for each in sorted(distributions(), key=lambda each: each.metadata["Name"] or ""):
        points = [point for point in each.entry_points if point.group.startswith("divergen.")]
        if points and not each.metadata["Name"].startswith("divergen"):
            told = (f"{point.group.removeprefix('divergen.')} {point.name}{_trouble(point)}" for point in points)
            yield each.metadata["Name"], f"{each.version}: {', '.join(told)}"


def _trouble(point: EntryPoint) -> str:
    try:
        point.load()
    except Exception as error:  # noqa: BLE001  (other people's code may fail in any way; doctor says how)
        return f" (does not load: {type(error).__name__}: {error})"
    return ""


def _libraries() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def _extras() -> Iterator[tuple[str, str]]:
    """Every extra of our distributions, and what it lacks."""
    ours = {each.metadata["Name"]: each for each in distributions() if each.metadata["Name"].startswith("divergen")}
    for name, each in sorted(ours.items()):
        for extra in each.metadata.get_all("Provides-Extra") or ():
            absent = sorted(set(_lacking(name, extra)))
            line = f"lacks {', '.join(absent)}; {install_line(name, extra)}" if absent else "complete"
            yield f"{name}[{extra}]", line


def _lacking(name: str, extra: str) -> Iterator[str]:
    """What an extra brings that is not installed, the extras that it names included."""
    with suppress(PackageNotFoundError):
        for need in map(Requirement, requires(name) or ()):
            if need.marker is None or not need.marker.evaluate({"extra": extra}) or need.marker.evaluate({"extra": ""}):
                continue
            if not _installed(need):
                yield need.name
            for further in need.extras:
                yield from _lacking(need.name, further)


def _installed(need: Requirement) -> bool:
    try:
        return need.specifier.contains(version(canonicalize_name(need.name)), prereleases=True)
    except PackageNotFoundError:
        return False


def _hub() -> Iterator[tuple[str, str]]:
    try:
        from huggingface_hub import constants
    except ImportError:
        yield "hub", lacking("huggingface_hub", install_line("divergen", "hub"))
        return
    cache = Path(constants.HF_HUB_CACHE)
    yield "cache", f"{cache}: {_models(cache)}"
    if constants.HF_HUB_OFFLINE:
        yield "hub", "offline by HF_HUB_OFFLINE; models in the cache and folders work"
        return
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=_HUB_SECONDS):  # noqa: S310 (the hub's own)
            yield "hub", "reachable"
    except OSError as error:
        reason = getattr(error, "reason", error)
        yield "hub", f"not reachable ({reason}); models in the cache and folders work"


def _models(cache: Path) -> str:
    names = sorted(path.name.removeprefix("models--").replace("--", "/") for path in cache.glob("models--*"))
    return f"{len(names)} models" + (f": {', '.join(names)}" if names else "")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.0f} GB"
