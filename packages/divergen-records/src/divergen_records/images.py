"""Pictures: read whatever a data set holds as 8-bit RGB, with its transparency, or as a mask; and write it again."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from .errors import ImageError

__all__ = ["MAX_PIXELS", "encode_image", "picture_columns", "read_cutout", "read_image", "read_mask"]

MAX_PIXELS = 89_478_485
"""Pictures with more pixels are refused unless the caller says otherwise: a few bytes can claim gigabytes. (Pillow's
own limit, which raises at twice this.)"""

_EXIF_ORIENTATION = 0x0112
_OF_THE_DATASET = (
    "the dataset says {width} wide and {height} high; it is another picture, or was scaled after annotation"
)
_OF_ITS_PICTURE = "its picture is {width} wide and {height} high: the mask does not fit"
_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")


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
    with _opened(source, size, max_pixels) as image:
        return _to_rgb(image, _name(source))


def read_cutout(
    source: Path | str | bytes, *, size: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Read a picture and its transparency, neither laid over anything.

    Args:
        source: A file, or an encoded picture's bytes.
        size: As in `read_image`.
        max_pixels: As in `read_image`.

    Returns:
        (H, W, 3) uint8 RGB, and alpha (H, W) uint8, 255 where opaque; None where the picture has none.

    Raises:
        ImageError: As `read_image`.
    """
    with _opened(source, size, max_pixels) as image:
        alpha = _alpha(image)
        if alpha is None:
            return _to_rgb(image, _name(source)), None
        return np.array(image.convert("RGBA"))[..., :3], alpha


def read_mask(
    source: Path | str | bytes, *, size: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> NDArray[np.bool_]:
    """Read a picture that is a mask, as any tool writes one.

    Where the picture has transparency, the mask is where it is opaque, at least by half. Else, and where the picture is
    opaque all over, every pixel is that is not 0: in grey of 1, 8 or 16 bits, in colours, in a palette's numbers
    (whatever colour they stand for). JPEG leaves no zeros as they were: there it is every pixel above half of the
    brightest.

    Args:
        source: A file, or an encoded picture's bytes.
        size: (height, width) of its picture, upright.
        max_pixels: As in `read_image`.

    Returns:
        (H, W) bool.

    Raises:
        ImageError: As `read_image`.
    """
    with _opened(source, size, max_pixels, _OF_ITS_PICTURE) as image:
        alpha = _alpha(image)
        if alpha is not None and alpha.min() < 255:
            return np.asarray(alpha >= (128 if alpha.max() > 1 else 1))
        values = _values(image)
        lossy = image.info.get("lossy", False)
        return np.asarray(values > (values.max() // 2 if lossy else 0))


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


def picture_columns(
    image: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None = None,
    format: Literal["jpeg", "png", "webp"] = "jpeg",  # noqa: A002
    quality: int = 95,
) -> dict[str, Any]:
    """The columns of an instance record that hold its picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8, 255 where the object is; stored as PNG.
        format: As of `encode_image`.
        quality: As of `encode_image`.
    """
    return {
        "image": encode_image(image, format, quality),
        "image_format": format,
        "width": image.shape[1],
        "height": image.shape[0],
        "alpha": None if alpha is None else encode_image(alpha, "png"),
    }


@contextmanager
def _opened(
    source: Path | str | bytes, size: tuple[int, int] | None, max_pixels: int, misfit: str = _OF_THE_DATASET
) -> Iterator[Image.Image]:
    """A picture as it is meant to be seen; whatever its decoder raises in the block becomes `ImageError`."""
    name = _name(source)
    try:
        if not isinstance(source, bytes) and not stat.S_ISREG(Path(source).stat().st_mode):
            raise ImageError(f"{name}: this is no file but a folder, a pipe or a device; take it out of the data")
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(
                    f"{name}: {image.width} x {image.height} pixels are above the limit of {max_pixels}; "
                    "scale it down, or raise max_pixels if you trust it"
                )
            upright = _upright(image, size, name, misfit)
            if isinstance(image, JpegImageFile):
                upright.info["lossy"] = True
            yield upright
    except FileNotFoundError as error:
        raise ImageError(f"{name}: there is no such picture; check the folder of images") from error
    except PermissionError as error:
        raise ImageError(f"{name}: no permission to read it; change it (chmod)") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: {error} Scale it down.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, ZlibError) as error:
        raise ImageError(f"{name}: {_reason(source, error)}; replace the file or take it out of the data") from error


def _name(source: Path | str | bytes) -> str:
    return f"the picture of {len(source)} bytes" if isinstance(source, bytes) else str(source)


def _upright(image: Image.Image, size: tuple[int, int] | None, name: str, misfit: str) -> Image.Image:
    stored = (image.height, image.width)
    orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    turned = stored[::-1] if orientation in (5, 6, 7, 8) else stored
    if size is None or turned == tuple(size):
        return ImageOps.exif_transpose(image) if orientation != 1 else image
    if stored == tuple(size):
        return image
    expected = misfit.format(width=size[1], height=size[0])
    raise ImageError(f"{name}: the picture is {image.width} wide and {image.height} high, {expected}")


def _alpha(image: Image.Image) -> NDArray[np.uint8] | None:
    """The transparency (H, W), None where the picture has none."""
    if image.mode not in _TRANSPARENT and "transparency" not in image.info:
        return None
    return np.array(image.convert("RGBA").getchannel("A"))


def _values(image: Image.Image) -> NDArray[Any]:
    """What a mask's pixels say, (H, W): numbers of a palette, grey, or the strongest of the colours."""
    if image.mode in ("1", "L", "P", "F") or image.mode.startswith("I"):
        return np.asarray(np.nan_to_num(np.asarray(image)))
    if image.mode in ("LA", "La", "PA"):
        return np.asarray(image.getchannel(0))
    return np.asarray(np.asarray(image.convert("RGB")).max(axis=2))


def _to_rgb(image: Image.Image, name: str) -> NDArray[np.uint8]:
    if image.mode == "F":
        raise ImageError(f"{name}: pictures of floating point numbers have no agreed white; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _grey16_to_rgb(np.asarray(image))
    if image.mode in _TRANSPARENT or "transparency" in image.info:
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
