"""Pictures on disk, as readers need them: how large they are."""

from __future__ import annotations

from pathlib import Path

from ..errors import ImageError

__all__ = ["check_size", "picture_size", "sizes"]

_ORIENTATION = 0x0112
_WIDTH, _HEIGHT = 256, 257
_TURNED = (5, 6, 7, 8)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is meant to be seen, from its head; raises `ImageError`."""
    stored, turned = sizes(path)
    return turned or stored


def check_size(path: Path, size: tuple[int, int]) -> None:
    """Raise `ImageError` if a picture's head says another width and height, as it is seen or as it is stored."""
    stored, seen = sizes(path)
    if size not in (stored, seen):
        width, height = seen or stored
        raise ImageError(
            f"{path.name}: the picture is {width} wide and {height} high, the data set says {size[0]} and {size[1]}"
        )


def sizes(path: Path) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """Width and height as a picture is stored, and as it is seen where a camera says that it is turned.

    Raises:
        ImageError: If its head cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            tags = getattr(image, "tag_v2", None)  # Pillow turns a TIFF by itself, from some version on its size too
            stored = (int(tags[_WIDTH]), int(tags[_HEIGHT])) if tags else image.size
            return stored, stored[::-1] if turned else None
    except (OSError, SyntaxError, ValueError, KeyError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path.name}: cannot be read as a picture ({error})") from error
