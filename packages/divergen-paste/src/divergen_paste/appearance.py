"""What happens to a crop before it is pasted: resize, flip, rotation, colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["jitter_colours", "resize_crop", "rotate_crop"]

Array = NDArray[np.uint8]


STAIRS = 0.7
"""Pixels of the stored mask by which its edge is smoothed; no less would hide its stairs, and a line of one pixel
still shows by half."""


def resize_crop(
    image: Array, alpha: Array, size: tuple[int, int], *, flip: bool = False, smooth: bool = False
) -> tuple[Array, Array]:
    """Bring a crop to its size in the image; what is reduced gets anti-aliased edges.

    Args:
        image: (h, w, 3) uint8 RGB.
        alpha: (h, w) uint8.
        size: (height, width) wanted.
        flip: Mirror left and right.
        smooth: The alpha is a mask of pixels, whose stairs would show where it is enlarged or hardly reduced: smooth
            them. What keeps its size stays as it is.
    """
    if smooth and alpha.shape != size:
        alpha = cast("Array", cv2.GaussianBlur(alpha, (3, 3), STAIRS, borderType=cv2.BORDER_CONSTANT))
    image, alpha = _resize(image, size), _resize(alpha, size)
    if flip:
        image, alpha = cast("Array", cv2.flip(image, 1)), cast("Array", cv2.flip(alpha, 1))
    return image, alpha


def _resize(array: Array, size: tuple[int, int]) -> Array:
    height, width = array.shape[:2]
    if (height, width) == size:
        return array
    # Up to a factor of two, bilinear interpolation leaves no pixel out, and takes a tenth of the area filter's time;
    # the pool's pyramid, made by the area filter, has done the rest. Only the smallest level may be reduced further.
    halved = 2 * size[0] >= height and 2 * size[1] >= width
    method = cv2.INTER_LINEAR if halved else cv2.INTER_AREA
    return cast("Array", cv2.resize(array, (size[1], size[0]), interpolation=method))


def rotate_crop(image: Array, alpha: Array, degrees: float) -> tuple[Array, Array]:
    """Turn a crop around its centre, counter-clockwise; the arrays grow to hold it."""
    height, width = alpha.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    # The small number keeps a quarter turn, whose cosine is not quite 0, from growing by a pixel.
    size = math.ceil(width * cosine + height * sine - 1e-6), math.ceil(width * sine + height * cosine - 1e-6)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cast("Array", turned), cast("Array", cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_LINEAR))


def jitter_colours(image: Array, factors: Sequence[float]) -> Array:
    """Change brightness, contrast and saturation.

    Args:
        image: (h, w, 3) uint8 RGB.
        factors: Three, for brightness, contrast and saturation; 1 leaves it as it is.
    """
    brightness, contrast, saturation = factors
    grey = np.array([0.299, 0.587, 0.114])
    # Saturation moves each channel from the luma; contrast scales about the mean luma; all of it is one affine map.
    matrix = (saturation * np.eye(3) + (1 - saturation) * grey) * contrast * brightness
    mean = float(np.dot(cv2.mean(image)[:3], grey))
    offset = np.full((3, 1), mean * (1 - contrast) * brightness)
    return cast("Array", cv2.transform(image, np.hstack([matrix, offset])))
