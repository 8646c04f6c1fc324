"""Outlines and sheets, for previews and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from divergen_records.sample import Sample
from numpy.typing import NDArray

__all__ = ["draw_sample", "outline", "sheet", "thumbnail"]

ACCEPTED, REJECTED, PASTED, REAL = (34, 160, 84), (214, 69, 65), (255, 92, 51), (38, 120, 214)

Image = NDArray[np.uint8]


def thumbnail(image: Image, side: int) -> Image:
    """The picture with its longer side scaled to ``side`` pixels."""
    factor = side / max(image.shape[:2])
    size = (max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1))
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=mode), np.uint8)


def outline(image: Image, mask: NDArray[np.bool_], colour: tuple[int, int, int], edge: bool = True) -> Image:
    """A copy of the picture (H, W, 3) with the mask's (H, W) outline in an RGB colour, on a white edge if wanted."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    drawn = image.copy()
    if edge:
        cv2.drawContours(drawn, contours, -1, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.drawContours(drawn, contours, -1, colour, 2, cv2.LINE_AA)
    return drawn


def scaled_mask(mask: NDArray[np.bool_], shape: Sequence[int]) -> NDArray[np.bool_]:
    """The mask at another size (H, W)."""
    return np.asarray(cv2.resize(mask.astype(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), bool)


def draw_sample(sample: Sample, side: int) -> Image:
    """A training image with its own objects outlined in blue and the pasted ones in orange."""
    image = thumbnail(sample.image, 2 * side)
    for mask, instance in zip(sample.masks(), sample.instances, strict=True):
        image = outline(image, scaled_mask(mask, image.shape), PASTED if instance.source else REAL, edge=False)
    return thumbnail(image, side)


def sheet(images: Sequence[Image], columns: int, side: int, gap: int = 4) -> Image:
    """Pictures in rows on white, each in a square of ``side`` pixels."""
    rows = -(-len(images) // columns)
    canvas = np.full((rows * (side + gap) + gap, columns * (side + gap) + gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        small = thumbnail(image, side)
        y, x = (
            gap + place * (side + gap) + (side - length) // 2
            for place, length in zip(divmod(index, columns), small.shape, strict=False)
        )
        canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    return canvas


def data_uri(image: Any, quality: int = 85) -> str:
    """The picture as a JPEG in a ``data:`` URI."""
    from base64 import b64encode

    from divergen_records.images import encode_image

    return "data:image/jpeg;base64," + b64encode(encode_image(image, "jpeg", quality=quality)).decode()
