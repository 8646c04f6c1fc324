"""Find the pictures of a folder, in an order that does not change; what looks like one and is none is a loss."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .errors import DatasetError, ImageError
from .losses import Losses

__all__ = ["PICTURE_SUFFIXES", "find_pictures", "is_picture", "name_below"]

PICTURE_SUFFIXES = frozenset(
    [
        *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"),
        *(".mpo", ".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    ]
)
"""Of pictures; one that Pillow cannot read here (HEIC of a phone) is told, not passed over."""


def is_picture(path: Path | str) -> bool:
    """Whether a file's name says so."""
    return Path(path).suffix.lower() in PICTURE_SUFFIXES


def name_below(folder: Path, picture: Path) -> str:
    """What a data set calls a picture: its path below a folder.

    Raises:
        DatasetError: If that is no text, and so nothing that JSON or a table can hold.
    """
    name = picture.relative_to(folder).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DatasetError("its name is no UTF-8 text, and no data set can name it; rename it") from error
    return name


def find_pictures(
    folder: Path, *, losses: Losses | None = None, leave_out: Path | None = None, suffixes: frozenset[str] | None = None
) -> Iterator[Path]:
    """Picture files below a folder, in the order of their names, folder by folder; hidden ones are left out.

    Links are not followed, pipes and devices not opened, and names that are no UTF-8 cannot be written into any data
    set: these are losses, told with the reason.

    Args:
        folder: Where to look.
        losses: Takes in what is not given.
        leave_out: A folder that is not entered.
        suffixes: Those of pictures that can be used, in lower case; all known ones by default. The others are losses.

    Raises:
        ImageError: If there is no such folder.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: there is no such folder")
    found = _Finder(folder, Losses() if losses is None else losses, suffixes or PICTURE_SUFFIXES)
    return found.below(folder, None if leave_out is None else leave_out.resolve())


class _Finder:
    def __init__(self, top: Path, losses: Losses, suffixes: frozenset[str]) -> None:
        self.top, self.losses, self.suffixes = top, losses, suffixes

    def below(self, folder: Path, leave_out: Path | None) -> Iterator[Path]:
        folders = []
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if leave_out is None or path.resolve() != leave_out:
                    folders.append(path)
            elif self._is_picture(entry, path):
                yield path
        for inner in folders:
            yield from self.below(inner, leave_out)

    def _is_picture(self, entry: os.DirEntry[str], path: Path) -> bool:
        """Whether a picture is there; a loss is noted where it only looks like that."""
        linked, suffix = entry.is_symlink(), path.suffix.lower()
        if suffix not in PICTURE_SUFFIXES | self.suffixes and not (linked and path.is_dir()):
            return False
        reason = "is a link; put the pictures themselves into the folder" if linked else self._reason(entry, path)
        if reason is None and suffix not in self.suffixes:
            reason = (
                f"is a picture of a kind that is not taken here; convert it to {' or '.join(sorted(self.suffixes))}"
            )
        if reason is not None:
            self.losses.add(path.relative_to(self.top).as_posix(), reason)
        return reason is None

    def _reason(self, entry: os.DirEntry[str], path: Path) -> str | None:
        """Why a file is no picture that can be used; None where it is one."""
        if not entry.is_file(follow_symlinks=False):
            return "is no file but a pipe or a device"
        try:
            name_below(self.top, path)
        except DatasetError as error:
            return str(error)
        return None
