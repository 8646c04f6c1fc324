"""Pictures on disk, as readers need them: how large they are."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

from ..errors import ImageError

__all__ = ["check_size", "keep_as_stored", "picture_size"]

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
_SHORT = 3
"""TIFF's type of a number of two bytes."""


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is meant to be seen, from its head; raises `ImageError`."""
    stored, turned = _sizes(path)
    return turned or stored


def check_size(path: Path, size: tuple[int, int]) -> None:
    """Raise `ImageError` if a picture's head says another width and height, as it is seen or as it is stored."""
    sizes = _sizes(path)
    if size not in sizes:
        width, height = sizes[1] or sizes[0]
        raise ImageError(
            f"{path.name}: the picture is {width} wide and {height} high, the data set says {size[0]} and {size[1]}"
        )


def keep_as_stored(path: Path, size: tuple[int, int]) -> bool:
    """Make all readers see a copied picture as its data set does, where that means as it is stored.

    A camera's word (EXIF) that the picture is to be turned, which the data set did not follow, is put to "as it is" in
    the file; pixels are not touched. Without that, readers that follow it lay the labels across the picture.

    Args:
        path: The copy, a JPEG.
        size: Width and height that the data set says.

    Returns:
        Whether it had to be.

    Raises:
        ImageError: If it had to be, and the file is of another kind or cannot be mended so.
    """
    stored, turned = _sizes(path)
    if turned in (None, size) or stored != size:
        return False
    data = bytearray(path.read_bytes())
    place = _orientation(data) if data.startswith(b"\xff\xd8") else None
    if place is None:
        raise ImageError(
            f"{path.name}: its EXIF says to turn it and the data set says as it is stored; save it without EXIF"
        )
    offset, order = place
    struct.pack_into(f"{order}H", data, offset, 1)
    path.write_bytes(data)
    return True


def _orientation(data: bytearray) -> tuple[int, str] | None:
    """Where in a JPEG the orientation's number lies, and in which order of bytes; None where it is not found."""
    tiff = data.find(b"Exif\0\0", 0, 1 << 17) + 6
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[tiff : tiff + 2]))
    if tiff < 6 or order is None:
        return None
    with suppress(struct.error):
        (start,) = struct.unpack_from(f"{order}I", data, tiff + 4)
        (count,) = struct.unpack_from(f"{order}H", data, tiff + start)
        for entry in range(tiff + start + 2, tiff + start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, entry)
            if tag == _ORIENTATION and kind == _SHORT:
                return entry + 8, order
    return None


def _sizes(path: Path) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """As it is stored, and as it is seen where a camera says that it is turned."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            return image.size, image.size[::-1] if turned else None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path.name}: cannot be read as a picture ({error})") from error
