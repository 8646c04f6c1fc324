"""Masks of a folder as they are made, in a file: killed at any time, the next call goes on behind the last one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from divergen_records.masks import decode_counts, encode_rle

from .stage import Annotation

__all__ = ["Journal", "stamp_of"]


class _Mask(msgspec.Struct, omit_defaults=True):
    """An annotation as JSON."""

    counts: str
    score: float
    components: int
    border_contact: float
    note: str = ""
    by: str = ""
    text: str = ""


class _Noted(msgspec.Struct):
    """A picture as JSON: its size and its masks."""

    name: str
    stamp: tuple[int, int]
    size: tuple[int, int]
    masks: list[_Mask]


class _Key(msgspec.Struct):
    name: str
    stamp: tuple[int, int]


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change: another stamp is another picture."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class Journal:
    """Pictures' annotations by name, of which only the names are in memory.

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
    def open(cls, folder: Path) -> Iterator[Journal]:
        """The journal in a folder of notes, made where it is missing."""
        with (folder / "masks.jsonl").open("ab+") as file:
            yield cls(file)

    def has(self, name: str, stamp: tuple[int, int]) -> bool:
        """Whether this picture, unchanged since, has an annotation."""
        return name in self._places and self._places[name][1] == stamp

    def add(self, name: str, stamp: tuple[int, int], size: tuple[int, int], annotations: Sequence[Annotation]) -> None:
        """Note a picture of a size (height, width) and its annotations; `flush` brings it to the file."""
        masks = [
            _Mask(
                encode_rle(one.mask)["counts"],
                one.score,
                one.components,
                one.border_contact,
                one.note,
                one.by,
                one.text,
            )
            for one in annotations
        ]
        self._file.seek(0, 2)
        self._places[name] = self._file.tell(), stamp
        self._file.write(msgspec.json.encode(_Noted(name, stamp, size, masks)) + b"\n")

    def flush(self) -> None:
        """Bring what was added to the file."""
        self._file.flush()

    def get(self, name: str) -> tuple[tuple[int, int], list[Annotation]] | None:
        """Size (height, width) and annotations of a picture, None where it is not in it."""
        if name not in self._places:
            return None
        self._file.seek(self._places[name][0])
        noted = msgspec.json.decode(self._file.readline(), type=_Noted)
        return noted.size, [_read(mask, noted.size) for mask in noted.masks]


def _read(noted: _Mask, size: tuple[int, int]) -> Annotation:
    mask = decode_counts(noted.counts, *size)
    measures = noted.score, noted.components, noted.border_contact
    return Annotation(mask, *measures, note=noted.note, by=noted.by, text=noted.text)
