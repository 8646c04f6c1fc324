"""A category's real objects as pictures of their own, with their masks: to learn from, or to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from divergen_records import Category, ConfigError, InstanceRecord, MaskError, RowError, derive_seed, short_hash
from divergen_records.coco import Annotation, Dataset
from divergen_records.images import read_image
from divergen_records.masks import segmentation_to_mask
from divergen_records.text import did_you_mean
from numpy.typing import NDArray

__all__ = ["Crops", "RealCrops", "check_objects", "read_crops", "select_categories"]

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
        raise ConfigError(f"{dataset.path} has no category {unknown[0]!r}{did_you_mean(unknown[0], known)}")
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
    pairs = [_cut_out(dataset, annotation, measured[annotation.id][0], (size, size)) for annotation in found]
    return Crops(np.stack([image for image, _ in pairs]), np.stack([mask > 0 for _, mask in pairs]))


class RealCrops:
    """The real objects of a data set, one for each picture that is to stay near them.

    Args:
        dataset: Where they are.
        background: ``"white"`` or the object's ``"own"`` surroundings.
        smallest: Boxes with a shorter longer side, pixels, show too little.
    """

    def __init__(self, dataset: Dataset, *, background: str = "white", smallest: int = SMALLEST) -> None:
        self.dataset, self.background, self.smallest = dataset, background, smallest
        self._usable: dict[str, list[Annotation]] = {}

    @cached_property
    def identity(self) -> str:
        """Hash of all that decides what is begun from."""
        data = self.dataset
        names = short_hash(*((image.id, image.file_name) for image in data.images))
        objects = short_hash(*((one.id, one.image_id, one.category_id, one.bbox) for one in data.annotations))
        categories = short_hash(*((category.id, category.name) for category in data.categories))
        return short_hash("crops/1", names, objects, categories, self.background, self.smallest)

    def choose(self, record: InstanceRecord) -> Annotation:
        """The object that a picture begins from, by the picture's id and the category's name.

        Raises:
            RowError: The category has none that is large enough.
        """
        if record.category not in self._usable:
            self._usable[record.category] = self._find(record.category)
        found = self._usable[record.category]
        if not found:
            raise RowError(
                f"{self.dataset.path.name} has no {record.category!r} of at least {self.smallest} pixels to begin from"
            )
        return found[derive_seed("crop", record.id) % len(found)]

    def read(self, annotation: Annotation, size: tuple[int, int]) -> NDArray[np.uint8]:
        """An object in a frame of ``size`` (height, width): (H, W, 3) uint8 RGB.

        Raises:
            ImageError: Its picture cannot be read.
            MaskError: Its mask does not fit the picture.
        """
        image, mask = _cut_out(self.dataset, annotation, self.dataset.measure(annotation)[0], size)
        if self.background == "own":
            return image
        share = mask[..., None].astype(np.float32) / 255
        return (image * share + 255 * (1 - share)).round().astype(np.uint8)

    def _find(self, name: str) -> list[Annotation]:
        wanted = [category.id for category in self.dataset.categories if category.name == name]
        own = (one for category_id in wanted for one in self.dataset.objects_of(category_id))
        return sorted((one for one in own if self._is_usable(one)), key=lambda one: one.id)

    def _is_usable(self, annotation: Annotation) -> bool:
        try:
            return max(self.dataset.measure(annotation)[0][2:]) >= self.smallest
        except MaskError:  # a box alone
            return False


def _cut_out(
    dataset: Dataset, annotation: Annotation, box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An object with some of its surroundings in a frame of ``size`` (height, width): picture, and mask 0 or 255."""
    info = dataset.image(annotation.image_id)
    image = read_image(dataset.image_path(info), size=(info.height, info.width))
    mask = segmentation_to_mask(annotation.segmentation, info.height, info.width)
    x, y, width, height = box
    # Pixel centres lie at half integers: output (u, v) shows the source at corner + (u + 0.5) scale - 0.5.
    scale = max(width / size[1], height / size[0]) * (1 + 2 * MARGIN)
    corner = x + (width - size[1] * scale) / 2, y + (height - size[0] * scale) / 2
    move = np.array([[scale, 0, corner[0] + scale / 2 - 0.5], [0, scale, corner[1] + scale / 2 - 0.5]])
    frame = size[1], size[0]
    inverse = cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(image, move, frame, flags=cv2.INTER_LINEAR | inverse, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(mask.astype(np.uint8) * 255, move, frame, flags=cv2.INTER_NEAREST | inverse)
    return shown.astype(np.uint8), inside.astype(np.uint8)
