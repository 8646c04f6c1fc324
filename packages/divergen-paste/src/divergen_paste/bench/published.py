"""The paste of the published mapper (X-Paste; DiverGen uses the same), re-stated: what the benchmark compares with.

It does the same work on the same array shapes: RGBA pictures decoded from PNG files whole, resized as four channels;
one affine warp of picture and one of mask onto a canvas of the image's size per instance; after each instance an update
of the whole stack of masks with all its boxes, and a mix of the whole image in 64-bit integers. Containers are plain
arrays here, and sizes and places come from outside, so that both sides paste the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["FullCanvasPaste", "PublishedPaste", "Scene", "tight_boxes"]


@dataclass
class Scene:
    """The mapper's dictionary.

    Attributes:
        image: (3, H, W) uint8.
        boxes: (N, 4) float32, XYXY.
        labels: (N,) int64.
        masks: (N, H, W) bool; 64-bit integers after the first paste, as in the published mapper.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: NDArray[Any]


class PublishedPaste:
    """Pastes given RGBA files at given places.

    Args:
        box_shift: ``bbox_occluded_thr``.
        min_visible: ``mask_occluded_thr``.
    """

    def __init__(self, box_shift: int = 10, min_visible: int = 300) -> None:
        self.box_shift, self.min_visible = box_shift, min_visible

    def __call__(
        self,
        scene: Scene,
        files: Sequence[Path],
        labels: Sequence[int],
        sizes: Sequence[tuple[int, int]],
        places: Sequence[tuple[int, int]],
        flips: Sequence[bool],
    ) -> Scene:
        """Paste one file after the other.

        Args:
            scene: What to paste into.
            files: RGBA pictures.
            labels: Their labels.
            sizes: (height, width) of each on the canvas.
            places: Left and top edge of each.
            flips: Whether to mirror each.
        """
        canvas = scene.image.shape[1:]
        sources = [
            _load(file, label, size, flip) for file, label, size, flip in zip(files, labels, sizes, flips, strict=True)
        ]
        placed = [_place(source, place, canvas) for source, place in zip(sources, places, strict=True)]
        for source in placed:
            scene = self._paste(scene, source)
        return scene

    def _paste(self, target: Scene, source: Scene) -> Scene:
        covered = source.masks.any(axis=0).astype(np.int64)
        masks = np.where(covered, 0, target.masks)
        boxes = tight_boxes(masks)
        unmoved = (np.abs(boxes - target.boxes) <= self.box_shift).all(axis=1)
        stays = unmoved | (masks.sum(axis=(1, 2)) > self.min_visible)
        image = target.image * (1 - covered) + source.image * covered
        return Scene(
            image.astype(np.uint8),
            np.concatenate([boxes[stays], source.boxes]),
            np.concatenate([target.labels[stays], source.labels]),
            np.concatenate([masks[stays], source.masks]),
        )


class FullCanvasPaste(PublishedPaste):
    """The same on the same canvas, but in one go, as copy-paste of whole images does (`divergen_paste.copy_paste`).

    All instances are first put onto one canvas, later ones over earlier ones; the stack of masks is updated once, and
    the image is mixed once, in 8 bits.
    """

    def __call__(
        self,
        scene: Scene,
        files: Sequence[Path],
        labels: Sequence[int],
        sizes: Sequence[tuple[int, int]],
        places: Sequence[tuple[int, int]],
        flips: Sequence[bool],
    ) -> Scene:
        """Paste all files at once; arguments as in `PublishedPaste`."""
        source = np.zeros_like(scene.image)
        placed: list[Scene] = []
        for file, label, size, place, flip in zip(files, labels, sizes, places, flips, strict=True):
            placed.append(_place(_load(file, label, size, flip), place, scene.image.shape[1:]))
            np.copyto(source, placed[-1].image, where=placed[-1].masks.astype(bool))
        pasted = np.concatenate([part.masks for part in placed]).astype(bool)
        covered = np.zeros(scene.image.shape[1:], dtype=bool)
        for mask in pasted[::-1]:
            mask &= ~covered
            covered |= mask
        masks = np.concatenate([scene.masks.astype(bool) & ~covered, pasted])
        before = np.concatenate([scene.boxes, *(part.boxes for part in placed)])
        boxes = tight_boxes(masks)
        unmoved = (np.abs(boxes - before) <= self.box_shift).all(axis=1)
        stays = unmoved | (masks.sum(axis=(1, 2)) > self.min_visible)
        every = np.concatenate([scene.labels, *(part.labels for part in placed)])
        return Scene(np.where(covered, source, scene.image), boxes[stays], every[stays], masks[stays])


def _load(file: Path, label: int, size: tuple[int, int], flip: bool) -> dict[str, Any]:
    with Image.open(file) as picture:
        rgba = np.array(picture.convert("RGBA"))
    part = _largest_part(rgba[:, :, 3] > 128)
    rgba[:, :, 3] *= part
    x, y, width, height = cv2.boundingRect(part)
    rgba = np.asarray(cv2.resize(rgba[y : y + height, x : x + width], size[::-1]), dtype=np.uint8)
    rgba = rgba[:, ::-1] if flip else rgba
    return {"image": rgba, "mask": (rgba[:, :, 3] > 0).astype(np.uint8), "label": label}


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The largest part by its outline, filled."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    part = np.zeros(mask.shape, dtype=np.uint8)
    cv2.fillPoly(part, [max(outlines, key=cv2.contourArea)], (1,))
    return part


def _place(source: dict[str, Any], place: tuple[int, int], canvas: tuple[int, ...]) -> Scene:
    move = np.array([[1, 0, place[0]], [0, 1, place[1]]], dtype=np.float32)
    image, mask = (cv2.warpAffine(np.ascontiguousarray(source[name]), move, canvas[::-1]) for name in ("image", "mask"))
    masks = np.asarray(mask, dtype=np.uint8)[None]
    channels = np.ascontiguousarray(image.transpose(2, 0, 1)[:3])
    return Scene(channels, tight_boxes(masks), np.array([source["label"]], dtype=np.int64), masks)


def tight_boxes(masks: NDArray[Any]) -> NDArray[np.float32]:
    """Tight boxes of masks (N, H, W), (N, 4) XYXY; zeros for empty ones."""
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    columns, rows = np.asarray(masks.any(axis=1)), np.asarray(masks.any(axis=2))
    for number in range(len(masks)):
        x, y = np.flatnonzero(columns[number]), np.flatnonzero(rows[number])
        if x.size:
            boxes[number] = x[0], y[0], x[-1] + 1, y[-1] + 1
    return boxes
