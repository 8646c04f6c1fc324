"""Formats by name: ours, and those of installed packages."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DatasetError
from .builtin import BUILTIN
from .protocol import Format, ReadsData, WritesData

if TYPE_CHECKING:
    from ..dataset import Dataset

__all__ = ["GROUP", "find_format", "get_format", "read_any", "readers", "writers"]

GROUP = "divergen.formats"
"""The entry point group by which a package adds a format."""


def readers() -> dict[str, ReadsData]:
    """The formats that read, by name."""
    return {name: found for name, found in _formats().items() if isinstance(found, ReadsData)}


def writers() -> dict[str, WritesData]:
    """The formats that write, by name."""
    return {name: found for name, found in _formats().items() if isinstance(found, WritesData)}


def get_format(name: str) -> Format:
    """The format of a name; raises `ConfigError` if there is none."""
    known = _formats()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"format {name!r} is not known{hint} Known are {', '.join(known)}.")
    return known[name]


def find_format(path: Path) -> ReadsData:
    """The first format that recognises a file or folder; raises `DatasetError` if none does."""
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    for found in readers().values():
        if found.recognises(path):
            return found
    raise DatasetError(
        f"{path}: no format recognises it (known: {', '.join(readers())}); give the data set's JSON file, or the folder "
        "that holds it and its pictures"
    )


def read_any(path: Path | str, **options: Any) -> Dataset:
    """Read a data set of whatever format; `ReadsData.read` tells the options."""
    return find_format(Path(path)).read(Path(path), **options)


@cache
def _formats() -> dict[str, Format]:
    """Ours first, in their order; a package cannot take the name of one of ours."""
    found: dict[str, Format] = {one.name: one for one in BUILTIN}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        made = point.load()
        one = made() if callable(made) else made
        if one.name in found:
            raise ConfigError(f"{point.value}: a format of the name {one.name!r} is there already")
        found[one.name] = one
    return found
