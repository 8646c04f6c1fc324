"""A camera's word that a picture is to be turned (EXIF), taken out of a file without touching its pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from ..errors import ImageError
from .pictures import sizes

__all__ = ["keep_as_stored"]

_ORIENTATION = 0x0112
_NUMBERS = {3: "H", 4: "I"}
"""TIFF's types of numbers that an orientation is written in."""
_EXIF = b"Exif\0\0"


def keep_as_stored(path: Path, size: tuple[int, int]) -> bool:
    """Make all readers see a copied picture as its data set does, where that means as it is stored.

    Where EXIF says that it is to be turned by a quarter and the data set did not follow, readers that do lay the labels
    across the picture. The orientation becomes "as it is" in the file, a JPEG, PNG or WebP.

    Args:
        path: The copy.
        size: Width and height that the data set says.

    Returns:
        Whether it had to be. A file that cannot be read, or is of another kind, is left as it is.
    """
    with suppress(ImageError):
        stored, turned = sizes(path)
        if turned in (None, size) or stored != size:
            return False
        data = bytearray(path.read_bytes())
        places = list(_orientations(data))
        for offset, number in places:
            struct.pack_into(number, data, offset, 1)
        if places:
            _sign(data)
            path.write_bytes(data)
        return bool(places)
    return False


def _orientations(data: bytearray) -> Iterator[tuple[int, str]]:
    """Where a file's orientations lie, and how each is written (as `struct` says it)."""
    with suppress(struct.error):
        for start in _exif_blocks(data):
            order = {b"II": "<", b"MM": ">"}.get(bytes(data[start : start + 2]))
            if order is None:
                continue
            first = start + struct.unpack_from(f"{order}I", data, start + 4)[0]
            (count,) = struct.unpack_from(f"{order}H", data, first)
            for entry in range(first + 2, first + 2 + 12 * count, 12):
                tag, kind = struct.unpack_from(f"{order}HH", data, entry)
                if tag == _ORIENTATION and kind in _NUMBERS:
                    yield entry + 8, order + _NUMBERS[kind]


def _exif_blocks(data: bytearray) -> Iterator[int]:
    """Where EXIF's TIFF headers lie in a JPEG, PNG or WebP."""
    if data.startswith(b"\xff\xd8"):
        for marker, start in _jpeg_segments(data):
            if marker == 0xE1 and data.startswith(_EXIF, start):
                yield start + len(_EXIF)
    elif data.startswith(b"\x89PNG"):
        yield from (start for kind, start, _ in _png_chunks(data) if kind == b"eXIf")
    elif data.startswith(b"RIFF") and data.startswith(b"WEBP", 8):
        place = 12
        while place + 8 <= len(data):
            kind, length = struct.unpack_from("<4sI", data, place)
            if kind == b"EXIF":
                yield place + 8 + len(_EXIF) * data.startswith(_EXIF, place + 8)
            place += 8 + length + length % 2


def _jpeg_segments(data: bytearray) -> Iterator[tuple[int, int]]:
    """Marker and begin of each segment up to the pixels."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        if data[place + 1] == 0xFF:  # fill
            place += 1
            continue
        yield data[place + 1], place + 4
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]


def _png_chunks(data: bytearray) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and length of each chunk."""
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, place + 8, length
        place += 12 + length


def _sign(data: bytearray) -> None:
    """Correct the checksum of a PNG's EXIF."""
    if data.startswith(b"\x89PNG"):
        for kind, start, length in _png_chunks(data):
            if kind == b"eXIf":
                struct.pack_into(">I", data, start + length, crc32(data[start - 4 : start + length]))
