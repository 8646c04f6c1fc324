"""Pictures on disk, as readers need them: how large they are."""

from __future__ import annotations

from pathlib import Path

from ..errors import ImageError

__all__ = ["picture_size"]

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is meant to be seen, from its head; raises `ImageError`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            return (image.height, image.width) if turned else (image.width, image.height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path.name}: cannot be read as a picture ({error})") from error
