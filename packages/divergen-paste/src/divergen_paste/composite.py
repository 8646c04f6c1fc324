"""The compositor: an image that instances are put onto, one after the other, later over earlier.

Work is proportional to the pasted boxes: no canvas-sized array is made besides the one copy of the image, and a mask
is touched only where a pasted box meets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from divergen_records import ImageError
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

from .blending import opaque

__all__ = ["Compositor", "check_image"]


class _Layer:
    """An instance on the canvas and what is still visible of it."""

    __slots__ = ("box", "instance", "visible")

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.box = instance.box
        self.visible = instance.mask
        """The same array as the instance's mask until something covers it."""

    def cover(self, box: tuple[int, int, int, int], uncovered: NDArray[np.bool_]) -> None:
        """Take away what lies under a pasted box; ``uncovered`` (h, w) bool is False where the paste is."""
        x0, y0, x1, y1 = self.box
        left, top, right, bottom = max(x0, box[0]), max(y0, box[1]), min(x1, box[2]), min(y1, box[3])
        if left >= right or top >= bottom:
            return
        if self.visible is self.instance.mask:
            self.visible = self.instance.mask.copy()
        part = self.visible[top - y0 : bottom - y0, left - x0 : right - x0]
        part &= uncovered[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]


def check_image(image: Any, name: str = "the image") -> tuple[int, int]:
    """(height, width) of an image to paste into.

    Raises:
        ImageError: If it is not (H, W, 3) uint8; the message says how to make it so.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"{name}: expected an array (H, W, 3) uint8, found a {type(image).__name__}; of a picture, "
            "np.asarray(picture.convert('RGB')) makes one"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ImageError(
            f"{name}: expected (H, W, 3) uint8, found {image.shape} {image.dtype}; RGB of 0..255, channels last, "
            "before it is scaled or normalised"
        )
    return image.shape[0], image.shape[1]


class Compositor:
    """Pastes into one image.

    Args:
        sample: The image and its instances; neither is changed.
        box_shift: An instance stays if no edge of its box moved by more than this, pixels …
        min_visible: … or if so many of its pixels remain visible (DiverGen's mapper: 10 and 300). Crowds stay as long
            as anything of them is visible.
        min_pixels: A paste that shows fewer pixels inside the image does not happen.
    """

    def __init__(self, sample: Sample, *, box_shift: int = 10, min_visible: int = 300, min_pixels: int = 16) -> None:
        self.sample = sample
        self.image = sample.image.copy()
        self.box_shift, self.min_visible, self.min_pixels = box_shift, min_visible, max(min_pixels, 1)
        self._layers = [_Layer(instance) for instance in sample.instances]

    def paste(
        self,
        crop: NDArray[np.uint8],
        alpha: NDArray[np.uint8],
        x: int,
        y: int,
        *,
        category_id: int,
        source: str,
        blend: Callable[[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]],
    ) -> bool:
        """Put an instance onto the image; what leaves it is cut off.

        Args:
            crop: (h, w, 3) uint8 RGB, in the size that it is to have.
            alpha: (h, w) uint8; the instance's mask is ``alpha >= 128``.
            x: Left edge in the image, may be negative.
            y: Top edge in the image, may be negative.
            category_id: Its category.
            source: Its provenance.
            blend: One of `divergen_paste.blending.BLENDS`.

        Returns:
            Whether it was pasted: not if it would show fewer than ``min_pixels``.
        """
        height, width = self.image.shape[:2]
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + alpha.shape[1], width), min(y + alpha.shape[0], height)
        if left >= right or top >= bottom:
            return False
        inside = slice(top - y, bottom - y), slice(left - x, right - x)
        crop, alpha = crop[inside], alpha[inside]
        shape = opaque(alpha)
        if cv2.countNonZero(shape) < self.min_pixels:
            return False
        region = self.image[top:bottom, left:right]
        region[...] = blend(region, crop, alpha)
        column, row, wide, high = cv2.boundingRect(shape)
        mask = shape[row : row + high, column : column + wide] > 0
        instance = Instance(category_id, mask, left + column, top + row, source=source)
        uncovered = ~mask
        for layer in self._layers:
            layer.cover(instance.box, uncovered)
        self._layers.append(_Layer(instance))
        return True

    def region(self, x: int, y: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """A view of what lies in a box of ``size`` (height, width) at x, y; empty where it leaves the image."""
        return self.image[max(y, 0) : max(y + size[0], 0), max(x, 0) : max(x + size[1], 0)]

    def darken(self, share: NDArray[np.float32], x: int, y: int) -> None:
        """Take away light.

        Args:
            share: (h, w) float32, 0..1, of the light that goes.
            x: Left edge in the image, may be negative.
            y: Top edge in the image, may be negative.
        """
        region = self.region(x, y, (share.shape[0], share.shape[1]))
        if region.size:
            top, left = max(-y, 0), max(-x, 0)
            part = share[top : top + region.shape[0], left : left + region.shape[1]]
            region[...] = cv2.blendLinear(region, np.zeros_like(region), 1 - part, part)

    def pasted(self) -> list[Instance]:
        """What was pasted here and is visible still, whether or not it stays."""
        layers = self._layers[len(self.sample.instances) :]
        visible = (replace(layer.instance, mask=layer.visible) for layer in layers)
        return [instance for instance in visible if instance.mask.any()]

    def result(self) -> Sample:
        """The image with the instances that stay: masks without what covers them, boxes tight again."""
        kept = (self._visible(layer) for layer in self._layers)
        return replace(self.sample, image=self.image, instances=tuple(instance for instance in kept if instance))

    def _visible(self, layer: _Layer) -> Instance | None:
        if layer.visible is layer.instance.mask:
            return layer.instance
        column, row, wide, high = cv2.boundingRect(layer.visible.view(np.uint8))
        if not wide:
            return None
        mask = np.ascontiguousarray(layer.visible[row : row + high, column : column + wide])
        instance = replace(layer.instance, mask=mask, x=layer.instance.x + column, y=layer.instance.y + row)
        shift = max(abs(new - old) for new, old in zip(instance.box, layer.box, strict=True))
        stays = instance.iscrowd or shift <= self.box_shift or instance.area >= self.min_visible
        return instance if stays else None
