"""A training image with its instances, free of any framework: what readers give, paste changes and trainers take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MaskError

__all__ = ["Instance", "Sample"]


@dataclass(frozen=True, slots=True)
class Instance:
    """One object in an image; its mask is kept as a tight crop.

    Attributes:
        category_id: Category id in the dataset.
        mask: (h, w) bool, the object inside its box; not empty.
        x: Left edge of the crop in the image, pixels.
        y: Top edge of the crop in the image, pixels.
        iscrowd: A region of many objects, not to be learned as one.
        annotation_id: Id in the dataset's file; None for pasted instances.
        source: Where a pasted instance comes from (`InstanceRecord.id`); None for the image's own.
    """

    category_id: int
    mask: NDArray[np.bool_]
    x: int
    y: int
    iscrowd: bool = False
    annotation_id: int | None = None
    source: str | None = None

    @classmethod
    def from_mask(cls, mask: NDArray[Any], category_id: int, **rest: Any) -> Instance:
        """From a mask (H, W) of the whole image; raises `MaskError` if it is empty."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            raise MaskError(f"the mask of an instance of category {category_id} is empty")
        y, x = int(rows[0]), int(columns[0])
        crop = np.ascontiguousarray(mask[y : rows[-1] + 1, x : columns[-1] + 1], dtype=bool)
        return cls(category_id, crop, x, y, **rest)

    @property
    def area(self) -> int:
        """Pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """XYXY, pixels, the right and bottom edges exclusive."""
        height, width = self.mask.shape
        return self.x, self.y, self.x + width, self.y + height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Where the crop lies in the image: ``image[instance.slices]``."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)


@dataclass(frozen=True, slots=True)
class Sample:
    """An image and its instances.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        instances: In drawing order; masks of one image do not need to be disjoint.
        image_id: Id in the dataset.
        epoch: The epoch that this sample is drawn in; with ``image_id`` it decides what is pasted.
    """

    image: NDArray[np.uint8]
    instances: tuple[Instance, ...]
    image_id: int
    epoch: int = 0

    def masks(self) -> NDArray[np.bool_]:
        """Whole-image masks, (N, H, W) bool."""
        masks = np.zeros((len(self.instances), *self.image.shape[:2]), dtype=bool)
        for mask, instance in zip(masks, self.instances, strict=True):
            mask[instance.slices] = instance.mask
        return masks

    def boxes(self) -> NDArray[np.float32]:
        """(N, 4) float32, XYXY, pixels."""
        return np.array([instance.box for instance in self.instances], dtype=np.float32).reshape(-1, 4)

    def category_ids(self) -> NDArray[np.int64]:
        """(N,) int64."""
        return np.array([instance.category_id for instance in self.instances], dtype=np.int64)
