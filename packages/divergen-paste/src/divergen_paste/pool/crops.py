"""Tight crops: from a picture and its mask to what the pool stores, and back at the size that a paste needs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import cv2
import numpy as np
from divergen_records import MaskError
from divergen_records.images import encode_image
from numpy.typing import NDArray

from ..errors import PoolError

__all__ = [
    "LEVELS",
    "Crop",
    "EncodedCrop",
    "LeftOut",
    "decode_alpha",
    "decode_image",
    "encode_crop",
    "extend_colours",
    "level_size",
    "make_crop",
    "pyramid",
]

LEVELS = 4
"""Levels of the pyramid at most."""


@dataclass(frozen=True, slots=True)
class Crop:
    """One instance, cut out tightly.

    Attributes:
        image: (h, w, 3) uint8 RGB; outside the mask it holds the colours of the nearest edge of the object.
        mask: (h, w) bool, touching all four sides.
        category_id: Category id in the dataset.
        source: Where it comes from: `InstanceRecord.id`, ``"annotation:17"``, a file's name.
        score: How good it is (inter-similarity, mask score), NaN where nobody said.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    category_id: int
    source: str
    score: float = float("nan")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Stands for an instance that a rule leaves out, on purpose.

    Attributes:
        reason: The rule, in words.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class EncodedCrop:
    """A crop as a pool stores it.

    Attributes:
        levels: For each level of the pyramid the encoded picture and the encoded alpha.
        size: (height, width) of the whole crop, pixels.
        area: Pixels of its mask.
        category_id: Category id in the dataset.
        source: Where it comes from.
        score: How good it is, NaN where nobody said.
    """

    levels: Sequence[tuple[bytes, bytes]]
    size: tuple[int, int]
    area: int
    category_id: int
    source: str
    score: float

    @classmethod
    def of(cls, crop: Crop, image_format: Literal["jpeg", "png"] = "jpeg", quality: int = 95) -> EncodedCrop:
        """Encode a crop."""
        size = crop.mask.shape[0], crop.mask.shape[1]
        levels = encode_crop(crop, image_format, quality)
        return cls(levels, size, int(np.count_nonzero(crop.mask)), crop.category_id, crop.source, crop.score)


def make_crop(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    category_id: int,
    source: str,
    score: float = float("nan"),
    max_side: int = 512,
    inset: int = 1,
) -> Crop:
    """Cut an instance out of its picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        category_id: Category id in the dataset.
        source: Where the instance comes from.
        score: How good it is.
        max_side: Larger crops are reduced to this many pixels on their longer side.
        inset: See `extend_colours`.

    Raises:
        MaskError: If the mask is empty or of another size than the picture.
    """
    if mask.shape != image.shape[:2]:
        raise MaskError(f"instance {source!r}: the mask is {mask.shape}, its picture {image.shape[:2]}")
    window = _tight(mask)
    if window is None:
        raise MaskError(f"instance {source!r}: the mask is empty")
    mask = np.ascontiguousarray(mask[window], dtype=bool)
    image = extend_colours(np.ascontiguousarray(image[window]), mask, inset=inset)
    longer = max(mask.shape)
    if longer > max_side:
        size = tuple(max(round(side * max_side / longer), 1) for side in mask.shape[::-1])
        image = cast("NDArray[np.uint8]", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        mask = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) >= 128
        window = _tight(mask)
        if window is None:
            raise MaskError(f"instance {source!r}: nothing is left of the mask at {max_side} px")
        image, mask = np.ascontiguousarray(image[window]), np.ascontiguousarray(mask[window])
    return Crop(image, mask, category_id, source, score)


def extend_colours(image: NDArray[np.uint8], mask: NDArray[np.bool_], *, inset: int = 1) -> NDArray[np.uint8]:
    """Replace everything outside an object by the colour of its nearest pixel.

    Otherwise each resize and blend drags the old background in: a white halo around what was generated on white.

    Args:
        image: (h, w, 3) uint8 RGB.
        mask: (h, w) bool, not empty.
        inset: The outermost pixels of an object are already mixed with its background; so many of them are replaced
            too. Objects too thin for that keep theirs.
    """
    inner = np.pad(mask, 1).astype(np.uint8)
    if inset:
        inner = cast("NDArray[np.uint8]", cv2.erode(inner, np.ones((3, 3), np.uint8), iterations=inset))
    inner = inner[1:-1, 1:-1]
    if 2 * np.count_nonzero(inner) < np.count_nonzero(mask):
        inner = mask.astype(np.uint8)
    # The pixel labels name, for every pixel, the nearest zero of `1 - inner`.
    _, labels = cv2.distanceTransformWithLabels(1 - inner, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    inside = inner.astype(bool)
    colours = np.zeros((int(labels.max()) + 1, 3), dtype=np.uint8)
    colours[labels[inside]] = image[inside]
    return cast("NDArray[np.uint8]", colours[labels])


def pyramid(crop: Crop) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The crop at 1/1, 1/2, 1/4 and 1/8 of its size, as far as its shorter side stays at 16 pixels.

    A paste then decodes and resizes at most four times the pixels that it shows, however large the crop is.

    Returns:
        For each level the picture (h, w, 3) uint8 RGB and its alpha (h, w) uint8; sides are rounded up.
    """
    image, alpha = crop.image, crop.mask.astype(np.uint8) * np.uint8(255)
    levels = [(image, alpha)]
    while len(levels) < LEVELS and min(alpha.shape) >= 32:
        size = level_size(crop.mask.shape[0], crop.mask.shape[1], len(levels))[::-1]
        image, alpha = (
            cast("NDArray[np.uint8]", cv2.resize(part, size, interpolation=cv2.INTER_AREA)) for part in (image, alpha)
        )
        levels.append((image, alpha))
    return levels


def level_size(height: int, width: int, level: int) -> tuple[int, int]:
    """(height, width) of a level of the pyramid."""
    return -(-height >> level), -(-width >> level)


def encode_crop(
    crop: Crop, image_format: Literal["jpeg", "png"] = "jpeg", quality: int = 95
) -> list[tuple[bytes, bytes]]:
    """For each level of the pyramid the picture as JPEG or PNG, and the alpha deflated (about 1 kB)."""
    return [
        (encode_image(image, image_format, quality), zlib.compress(alpha.tobytes(), 6))
        for image, alpha in pyramid(crop)
    ]


def decode_alpha(data: Any, height: int, width: int) -> NDArray[np.uint8]:
    """Alpha (height, width) uint8 from what `encode_crop` made; raises `PoolError` if it is damaged."""
    try:
        unpacked = zlib.decompressobj().decompress(data, height * width + 1)  # a little too much is noticed, too
    except zlib.error as error:
        raise PoolError(f"the alpha does not decompress: {error}") from error
    alpha = np.frombuffer(unpacked, dtype=np.uint8)
    if alpha.size != height * width:
        raise PoolError(f"the alpha has {alpha.size} bytes, {height}x{width} pixels need {height * width}")
    return alpha.reshape(height, width)


def decode_image(data: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Picture (height, width, 3) uint8 RGB from its encoded bytes (n,) uint8; raises `PoolError` if it is damaged."""
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:  # a header that says more pixels than OpenCV takes
        raise PoolError(f"the picture does not decode: {error}") from error
    if image is None or image.shape[:2] != (height, width):
        raise PoolError("the picture does not decode to the size that the index says")
    return cast("NDArray[np.uint8]", cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image))


def _tight(mask: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The smallest window that holds the mask; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
