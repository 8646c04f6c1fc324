"""Pictures of the page: an instance with its mask's outline, as it is, or as it will be pasted."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from threading import Lock
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from divergen_records import InstanceTable
from divergen_records.images import encode_image, read_image
from divergen_records.masks import decode_counts, mask_to_bbox
from numpy.typing import NDArray
from PIL import Image as PILImage

from ..embedder import Image

__all__ = ["Cut", "Pictures", "View", "plain_cut"]

View: TypeAlias = Literal["outline", "plain", "cutout"]

Cut: TypeAlias = Callable[[Image, NDArray[np.bool_]], tuple[Image, NDArray[np.bool_]]]
"""Takes a picture (H, W, 3) and its mask (H, W), gives those of the instance as it will be pasted."""

_INK, _EDGE = (255, 0, 160), (255, 255, 255)
_QUALITY = 85


class Pictures:
    """Draws pictures of a table's rows; safe among threads.

    Args:
        table: The table.
        cut: How an instance is cut out for the view ``cutout``.
    """

    def __init__(self, table: InstanceTable, cut: Cut | None = None) -> None:
        self._table, self._cut, self._lock = table, cut or plain_cut, Lock()

    def draw(self, instance_id: str, view: View, side: int) -> tuple[bytes, str]:
        """The encoded picture of a row, its longer side at most ``side`` pixels, and its media type.

        Raises:
            TableError: If there is no such row.
            ImageError: If its picture cannot be read.
            MaskError: If its mask cannot.
        """
        with self._lock:
            row: dict[str, Any] = self._table.take([instance_id], ["image", "mask"]).to_pylist()[0]
        picture = read_image(row["image"])
        if view == "plain":
            return encode_image(_small(picture, side), "jpeg", _QUALITY), "image/jpeg"
        mask = decode_counts(row["mask"], *picture.shape[:2])
        if view == "cutout":
            return _encode_cutout(*self._cut(picture, mask), side), "image/webp"
        return encode_image(_outlined(_small(picture, side), mask), "jpeg", _QUALITY), "image/jpeg"


def plain_cut(picture: Image, mask: NDArray[np.bool_]) -> tuple[Image, NDArray[np.bool_]]:
    """The mask's box of the picture and of the mask."""
    x, y, width, height = (round(value) for value in mask_to_bbox(mask))
    window = slice(y, y + height), slice(x, x + width)
    return picture[window], mask[window]


def _small(picture: Image, side: int) -> Image:
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _outlined(picture: Image, mask: NDArray[np.bool_]) -> Image:
    size = (picture.shape[1], picture.shape[0])
    small = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    outline, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    drawn = picture.copy()
    cv2.drawContours(drawn, outline, -1, _EDGE, 3, cv2.LINE_AA)
    cv2.drawContours(drawn, outline, -1, _INK, 1, cv2.LINE_AA)
    return drawn


def _encode_cutout(picture: Image, mask: NDArray[np.bool_], side: int) -> bytes:
    """The object alone, WebP with alpha."""
    small = _small(picture, side)
    alpha = cv2.resize(mask.astype(np.uint8) * 255, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
    buffer = BytesIO()
    PILImage.fromarray(np.dstack([small, alpha])).save(buffer, "webp", quality=_QUALITY)
    return buffer.getvalue()
