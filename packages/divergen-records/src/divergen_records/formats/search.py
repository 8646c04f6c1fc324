"""Pictures that lie where no layout says: looked for by name, in all folders below that of the data."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["Search", "name_key", "search", "split_token"]

_TOKENS = re.compile(r"(?:^|[^a-z])(train|val|valid|validation|minival|test|dev)(?:[^a-z]|$)")
_CANONICAL = {"valid": "val", "validation": "val", "minival": "val", "dev": "val"}
_MOST_FILES = 100_000
"""Files of a folder that are looked at; with more, nothing is searched for."""


@dataclass(frozen=True)
class Search:
    """What was found.

    Attributes:
        folder: The deepest one that holds all of them.
        names: Name as it was asked for -> as it is inside ``folder``.
        several: Names that more than one file could be, with those files.
    """

    folder: Path
    names: dict[str, str]
    several: dict[str, list[str]]


def search(names: Collection[str], root: Path, split: str | None) -> Search | None:
    """Look for pictures by the ends of their names; None where none is there.

    Args:
        names: With forward slashes; of two files of a name the one is meant whose folders agree further with it.
        root: Looked through, hidden folders and links left out.
        split: ``train``, ``val`` or ``test``, where the file of annotations tells it; folders of others
            are not looked at.
    """
    wanted: dict[str, list[PurePosixPath]] = {name_key(name.rpartition("/")[2]): [] for name in names}
    for number, file in enumerate(_files(root, split)):
        if number >= _MOST_FILES:
            return None
        key = name_key(file.name)
        if key in wanted:
            wanted[key].append(file)
    best = {name: _nearest(name, wanted[name_key(name.rpartition("/")[2])]) for name in names}
    several = {name: [str(file) for file in files] for name, files in best.items() if len(files) > 1}
    only = {name: files[0] for name, files in best.items() if len(files) == 1}
    if not only and not several:
        return None
    folder = os.path.commonpath([file.parent for file in only.values()]) if only else "."
    return Search(root / folder, {name: str(file.relative_to(folder)) for name, file in only.items()}, several)


def split_token(name: str) -> str | None:
    """The split that a name tells of: ``val`` of ``instances_val2017`` and of ``valid``."""
    match = _TOKENS.search(name.lower())
    return _CANONICAL.get(match[1], match[1]) if match else None


def name_key(name: str) -> str:
    """Alike of names that differ by upper case, or in how Unicode composes letters."""
    return unicodedata.normalize("NFC", name).casefold()


def _files(root: Path, split: str | None) -> Iterator[PurePosixPath]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            one for one in folders if one[0] != "." and (split is None or split_token(one) in (None, split))
        )
        inside = PurePosixPath(Path(folder).relative_to(root).as_posix())
        yield from (inside / name for name in sorted(names) if not Path(folder, name).is_symlink())


def _nearest(name: str, files: list[PurePosixPath]) -> list[PurePosixPath]:
    """Those whose last parts agree furthest with the name's."""
    if len(files) < 2:
        return files
    parts = [name_key(part) for part in name.split("/")][::-1]
    depth = {file: _agreeing(parts, [name_key(part) for part in file.parts][::-1]) for file in files}
    return [file for file in files if depth[file] == max(depth.values())]


def _agreeing(one: list[str], other: list[str]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
