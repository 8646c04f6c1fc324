"""What a picture tells without any model: is the object sharp, coloured, or blank?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from divergen_records import Batch, MaskError, map_rows
from divergen_records.images import read_image
from divergen_records.masks import decode_counts
from numpy.typing import NDArray

from .columns import BasicsColumns
from .embedder import Image, Mask

__all__ = ["Basics", "BasicsStage", "measure_basics"]

_SIDE = 224
"""The object's longer side is scaled down to this, so that sharpness does not depend on the resolution."""

_BLUR = 9
"""Length of the second blur, pixels (Crété-Roffet et al., SPIE 2007)."""


@dataclass(frozen=True, slots=True)
class Basics:
    """Simple measures of an instance.

    Attributes:
        sharpness: 0 for a flat blur to 1: how much of the brightness's change from pixel to pixel is lost by
            another blur (1 - the blur effect of Crété-Roffet et al., 2007), over the object and its outline.
        saturation: Mean saturation of the object's pixels, 0 to 1.
        contrast: Standard deviation of the object's luminance, 0 to 0.5; 0 is blank.
    """

    sharpness: float
    saturation: float
    contrast: float


def measure_basics(image: Image, mask: Mask) -> Basics:
    """Measure an instance.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool; not empty.

    Raises:
        MaskError: If the mask is empty or does not fit the picture.
    """
    if mask.shape != image.shape[:2]:
        raise MaskError(f"the mask's shape {mask.shape} does not fit its picture's {image.shape[:2]}")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise MaskError("the mask is empty, there is nothing to measure")
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    crop, inside = image[box], mask[box]
    saturation = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)[..., 1][inside]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return Basics(
        _sharpness(grey, inside), float(saturation.mean()) / 255, float(grey[inside].std(dtype=np.float64)) / 255
    )


class BasicsStage:
    """Writes sharpness, saturation and contrast; a `divergen_filter.score.Score` that needs no model."""

    name = "basics"
    reads = ("image", "mask")
    writes = tuple(BasicsColumns.model_fields)
    columns = BasicsColumns

    def __call__(self, batch: Batch) -> Batch:
        """Measure a batch of encoded pictures and their masks."""

        def measure(image: bytes, mask: str) -> dict[str, float]:
            picture = read_image(image)
            basics = measure_basics(picture, decode_counts(mask, *picture.shape[:2]))
            return {name: getattr(basics, name) for name in self.writes}

        return map_rows(measure, {name: batch[name] for name in self.reads}, self.writes)


def _sharpness(grey: NDArray[np.uint8], inside: Mask) -> float:
    scale = _SIDE / max(grey.shape)
    if scale < 1:
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        inside = cv2.resize(inside.view(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    near = cv2.dilate(inside.view(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    picture = grey.astype(np.float32)
    return min(_kept_change(picture, near), _kept_change(picture.T, near.T))


def _kept_change(picture: NDArray[np.float32], near: Mask) -> float:
    """Along the rows: the share of the pixel-to-pixel change that a blur takes away; all of it where it was sharp."""
    blurred = cv2.blur(picture, (_BLUR, 1))
    change, after = np.abs(np.diff(picture, axis=1)), np.abs(np.diff(blurred, axis=1))
    where = near[:, 1:]
    total = float(change[where].sum())
    return float(np.maximum(change - after, 0)[where].sum()) / total if total > 0 else 0.0
