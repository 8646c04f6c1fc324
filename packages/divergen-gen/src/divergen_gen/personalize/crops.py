"""A category's real objects as square pictures with their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from divergen_records import Category, ConfigError
from divergen_records.coco import Dataset
from divergen_records.images import read_image
from divergen_records.masks import segmentation_to_mask
from numpy.typing import NDArray

__all__ = ["Crops", "check_objects", "read_crops", "select_categories"]

MARGIN = 0.2
"""Surroundings on each side of the box, as a share of its longer side."""

SMALLEST = 32
"""Boxes with a shorter longer side, pixels, show too little to learn from."""


@dataclass(frozen=True)
class Crops:
    """Crops of one category.

    Attributes:
        images: (N, S, S, 3) uint8 RGB.
        masks: (N, S, S) bool, the object.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)


def select_categories(dataset: Dataset, names: Sequence[str]) -> list[Category]:
    """The categories of these names, or all that have an object; raises `ConfigError` for an unknown name."""
    known = {category.name: category for category in dataset.categories}
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"{dataset.path} has no category {unknown[0]!r}")
    present = {annotation.category_id for annotation in dataset.annotations}
    return [known[name] for name in names] or [one for one in dataset.categories if one.id in present]


def check_objects(dataset: Dataset, category: Category) -> None:
    """Whether a category has an object that shows enough to learn from; raises `ConfigError` where it has none."""
    sides = (max(dataset.measure(one)[0][2:]) for one in dataset.objects_of(category.id))
    if not any(side >= SMALLEST for side in sides):
        raise ConfigError(f"category {category.name!r} has no object of at least {SMALLEST} pixels to learn from")


def read_crops(dataset: Dataset, category: Category, *, size: int, limit: int) -> Crops:
    """The largest objects of a category, each with some of its surroundings, as squares.

    Args:
        dataset: Where they are.
        category: Whose.
        size: Side of the crops, pixels.
        limit: At most so many.

    Raises:
        ConfigError: The category has no object that is large enough.
    """
    check_objects(dataset, category)
    found = dataset.objects_of(category.id)
    measured = {a.id: dataset.measure(a) for a in found}
    found = [a for a in found if max(measured[a.id][0][2:]) >= SMALLEST]
    found = sorted(found, key=lambda a: (-measured[a.id][1], a.id))[:limit]
    images, masks = [], []
    for annotation in found:
        info = dataset.image(annotation.image_id)
        image = read_image(dataset.image_path(info), size=(info.height, info.width))
        mask = segmentation_to_mask(annotation.segmentation, info.height, info.width)
        x, y, width, height = measured[annotation.id][0]
        side = max(width, height) * (1 + 2 * MARGIN)
        corner = (x + width / 2 - side / 2, y + height / 2 - side / 2)
        # Pixel centres lie at half integers: output (u, v) shows the source at corner + (u + 0.5) side / size - 0.5.
        scale = side / size
        move = np.array([[scale, 0, corner[0] + scale / 2 - 0.5], [0, scale, corner[1] + scale / 2 - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        images.append(cv2.warpAffine(image, move, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE))
        inside = cv2.warpAffine(
            mask.astype(np.uint8), move, (size, size), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        )
        masks.append(inside > 0)
    return Crops(np.stack(images), np.stack(masks))
