"""What a command wrote into a folder, as a list that lies in it: the rest is a user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .errors import DatasetError
from .files import write_bytes
from .reading import read_text

__all__ = ["MARK", "files_in", "foreign", "write_list"]

MARK = ".divergen.json"
"""In a finished folder: what the command wrote."""

_DROPPINGS = frozenset([".DS_Store", "Thumbs.db", "desktop.ini"])
"""What systems put into folders that one only looks at."""


class _Written(msgspec.Struct):
    files: list[str]


def write_list(folder: Path) -> None:
    """Note all that is in a folder."""
    names = sorted(_display_name(path, folder) for path in files_in(folder))
    write_bytes(folder / MARK, msgspec.json.encode(_Written(names)))


def foreign(folder: Path) -> list[str]:
    """Files of a folder that no command wrote; all of them where there is no list."""
    try:
        written = set(msgspec.json.decode(read_text(folder / MARK), type=_Written).files)
    except (OSError, msgspec.DecodeError, DatasetError):
        written = set()
    found = (_display_name(path, folder) for path in files_in(folder) if path.name not in _DROPPINGS)
    return sorted(name for name in found if name not in written and name != MARK)


def files_in(folder: Path) -> Iterator[Path]:
    """The files in a folder and in those inside it."""
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)


def _display_name(path: Path, folder: Path) -> str:
    """The path inside the folder as text; bytes that are no UTF-8 are written out."""
    return path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
