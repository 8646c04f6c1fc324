"""Masks of a folder as they are made, in a file: killed at any time, the next call goes on behind the last one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from divergen_records.masks import decode_counts, encode_rle

from .stage import Annotation

__all__ = ["Journal", "stamp_of"]


class _Noted(msgspec.Struct, omit_defaults=True):
    """An annotation as JSON."""

    name: str
    stamp: tuple[int, int]
    size: tuple[int, int]
    counts: str
    score: float
    components: int
    border_contact: float
    note: str = ""
    by: str = ""


class _Key(msgspec.Struct):
    name: str
    stamp: tuple[int, int]


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change: another stamp is another picture."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class Journal:
    """Annotations by the picture's name, of which only the names are in memory.

    Args:
        file: Open for reading and appending; a line that a kill cut off is dropped.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[str, tuple[int, tuple[int, int]]] = {}
        end = 0
        file.seek(0)
        for line in file:
            try:
                key = msgspec.json.decode(line, type=_Key)
            except msgspec.DecodeError:
                break
            self._places[key.name] = end, key.stamp
            end += len(line)
        file.truncate(end)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Journal]:
        """The journal in a file, which is made where it is missing."""
        with path.open("ab+") as file:
            yield cls(file)

    def has(self, name: str, stamp: tuple[int, int]) -> bool:
        """Whether this picture, unchanged since, has an annotation."""
        return name in self._places and self._places[name][1] == stamp

    def add(self, name: str, stamp: tuple[int, int], annotation: Annotation) -> None:
        """Note an annotation; `flush` brings it to the file."""
        height, width = annotation.mask.shape
        noted = _Noted(
            name,
            stamp,
            (height, width),
            encode_rle(annotation.mask)["counts"],
            annotation.score,
            annotation.components,
            annotation.border_contact,
            annotation.note,
            annotation.by,
        )
        self._file.seek(0, 2)
        self._places[name] = self._file.tell(), stamp
        self._file.write(msgspec.json.encode(noted) + b"\n")

    def flush(self) -> None:
        """Bring what was added to the file."""
        self._file.flush()

    def get(self, name: str) -> Annotation | None:
        """The annotation of a picture, None where it has none."""
        if name not in self._places:
            return None
        self._file.seek(self._places[name][0])
        noted = msgspec.json.decode(self._file.readline(), type=_Noted)
        mask = decode_counts(noted.counts, *noted.size)
        return Annotation(mask, noted.score, noted.components, noted.border_contact, noted.note, noted.by)
