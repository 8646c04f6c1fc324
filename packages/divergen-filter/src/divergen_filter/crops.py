"""Crops for the embedder: real instances with their surroundings blurred, generated ones on black."""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np
from divergen_records import MaskError

from .embedder import Image, Mask

__all__ = ["Fill", "crop_instance", "pad_box"]

Fill: TypeAlias = Literal["blur", "black", "white", "original"]
"""What replaces the pixels outside the mask."""

_BLUR = 10
"""Side of the box filter, pixels (DiverGen's published crops)."""


def crop_instance(
    image: Image,
    mask: Mask,
    *,
    x: int = 0,
    y: int = 0,
    fill: Fill = "blur",
    margin: int = 0,
    min_side: int = 0,
    square: bool = False,
    whole: bool = False,
) -> Image:
    """Cut one instance out of its picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (h, w) bool, the object inside a window of the picture; not empty.
        x: Left edge of the window, pixels.
        y: Top edge of the window, pixels.
        fill: What replaces the pixels outside the mask: a 10 × 10 box blur of them, black, white, or nothing.
        margin: Room on each side of the object's box, pixels; it ends at the picture's edge.
        min_side: The crop's sides are at least this long where the picture allows, pixels.
        square: Widen the shorter side to the longer where the picture allows.
        whole: The whole picture instead of the object's box.

    Returns:
        The crop, uint8 RGB, around the mask's tight box.

    Raises:
        MaskError: If the mask is empty or leaves the picture.
    """
    height, width = image.shape[:2]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise MaskError("the mask is empty, there is nothing to crop")
    if x < 0 or y < 0 or y + mask.shape[0] > height or x + mask.shape[1] > width:
        raise MaskError(
            f"the mask (height {mask.shape[0]}, width {mask.shape[1]}, at x {x}, y {y}) leaves its picture of "
            f"height {height}, width {width}"
        )
    tight = (x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1)
    box = (0, 0, width, height)
    if not whole:
        roomy = (
            max(tight[0] - margin, 0),
            max(tight[1] - margin, 0),
            min(tight[2] + margin, width),
            min(tight[3] + margin, height),
        )
        box = pad_box(roomy, height, width, min_side=min_side, square=square)
    inside = np.zeros((box[3] - box[1], box[2] - box[0]), dtype=bool)
    inside[tight[1] - box[1] : tight[3] - box[1], tight[0] - box[0] : tight[2] - box[0]] = mask[
        rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1
    ]
    return _filled(image, inside, box, fill)


def pad_box(
    box: tuple[int, int, int, int], height: int, width: int, *, min_side: int, square: bool = False
) -> tuple[int, int, int, int]:
    """Widen a box, XYXY pixels with exclusive ends, about its centre; it is moved, then cut, to stay in the picture."""
    longest = max(box[2] - box[0], box[3] - box[1]) if square else 0
    x0, x1 = _widen(box[0], box[2], max(min_side, longest), width)
    y0, y1 = _widen(box[1], box[3], max(min_side, longest), height)
    return x0, y0, x1, y1


def _widen(start: int, end: int, length: int, limit: int) -> tuple[int, int]:
    length = max(end - start, min(length, limit))
    start = min(max(0, start - (length - (end - start)) // 2), limit - length)
    return start, start + length


def _filled(image: Image, inside: Mask, box: tuple[int, int, int, int], fill: Fill) -> Image:
    x0, y0, x1, y1 = box
    crop = image[y0:y1, x0:x1]
    if fill == "original":
        return crop.copy()
    if fill == "blur":
        near = (max(0, y0 - _BLUR), max(0, x0 - _BLUR))
        wide = cv2.blur(image[near[0] : y1 + _BLUR, near[1] : x1 + _BLUR], (_BLUR, _BLUR))
        outside = wide[y0 - near[0] : y1 - near[0], x0 - near[1] : x1 - near[1]]
        return np.where(inside[..., None], crop, outside)
    result = np.full_like(crop, 0 if fill == "black" else 255)
    result[inside] = crop[inside]
    return result
