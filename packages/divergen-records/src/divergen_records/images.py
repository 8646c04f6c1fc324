"""Pictures: read whatever a data set holds as 8-bit RGB, and write it again."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ImageError

__all__ = ["MAX_PIXELS", "encode_image", "read_image"]

MAX_PIXELS = 89_478_485
"""Pictures with more pixels are refused unless the caller says otherwise: a few bytes can claim gigabytes. (Pillow's
own limit, which raises at twice this.)"""

_EXIF_ORIENTATION = 0x0112


def read_image(
    source: Path | str | bytes, *, size: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read a picture as it is meant to be seen.

    CMYK becomes RGB, 16-bit grey is scaled to 8 bits, transparency is laid over white, an animation gives its first
    frame, and EXIF rotation is applied.

    Args:
        source: A file, or an encoded picture's bytes.
        size: (height, width) that the dataset's file says. It decides about EXIF: the picture stays as stored where
            only that fits.
        max_pixels: Larger pictures are refused.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: If there is no such picture, it cannot be read, or it does not have this size.
    """
    name = f"the picture of {len(source)} bytes" if isinstance(source, bytes) else str(source)
    try:
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(
                    f"{name}: {image.width} x {image.height} pixels are above the limit of {max_pixels}; "
                    "scale it down, or raise max_pixels if you trust it"
                )
            upright = _upright(image, size, name)
            return _to_rgb(upright, name)
    except FileNotFoundError as error:
        raise ImageError(f"{name}: there is no such picture; check the folder of images") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: {error} Scale it down.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, ZlibError) as error:
        raise ImageError(f"{name}: {_reason(source, error)}; replace the file or take it out of the data") from error


def encode_image(
    image: NDArray[np.uint8],
    format: Literal["jpeg", "png", "webp"] = "jpeg",  # noqa: A002
    quality: int = 95,
) -> bytes:
    """Encode a picture.

    Args:
        image: (H, W, 3) RGB or (H, W) grey, uint8.
        format: ``"jpeg"`` (full chroma resolution, 4:4:4), ``"png"`` or ``"webp"``.
        quality: 0 to 100, of JPEG and WebP.

    Raises:
        ImageError: If the array is no picture, or the format unknown.
    """
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ImageError(f"a picture is uint8 (H, W, 3) or (H, W), this array is {image.dtype} {image.shape}")
    if not image.size:
        raise ImageError(f"a picture has at least one pixel, this array has the shape {image.shape}")
    settings: dict[str, dict[str, Any]] = {
        "jpeg": {"quality": quality, "subsampling": "4:4:4"},
        "png": {"compress_level": 6},
        "webp": {"quality": quality},
    }
    if format not in settings:
        raise ImageError(f"image format {format!r} is not known; known are {', '.join(settings)}")
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format, **settings[format])
    return buffer.getvalue()


def _upright(image: Image.Image, size: tuple[int, int] | None, name: str) -> Image.Image:
    stored = (image.height, image.width)
    orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    turned = stored[::-1] if orientation in (5, 6, 7, 8) else stored
    if size is None or turned == tuple(size):
        return ImageOps.exif_transpose(image) if orientation != 1 else image
    if stored == tuple(size):
        return image
    raise ImageError(
        f"{name}: the picture is {image.width} wide and {image.height} high, the dataset says {size[1]} wide and "
        f"{size[0]} high; it is another picture, or was scaled after annotation"
    )


def _to_rgb(image: Image.Image, name: str) -> NDArray[np.uint8]:
    if image.mode == "F":
        raise ImageError(f"{name}: pictures of floating point numbers have no agreed white; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _grey16_to_rgb(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(white, coloured)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _grey16_to_rgb(grey: NDArray[Any]) -> NDArray[np.uint8]:
    scaled = ((np.clip(grey, 0, 65535).astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2)


def _reason(source: Path | str | bytes, error: Exception) -> str:
    empty = not source if isinstance(source, bytes) else Path(source).is_file() and not Path(source).stat().st_size
    if empty:
        return "the picture is empty (0 bytes)"
    if isinstance(error, UnidentifiedImageError):
        return "this is no picture in a format that can be read, or its head is damaged"
    return f"the picture cannot be read ({error})"
