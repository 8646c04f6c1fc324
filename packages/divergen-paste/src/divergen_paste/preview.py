"""Sheets to look at: images before and after a paste, outlined and labelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
from divergen_records import ConfigError
from divergen_records.coco import Dataset, load_sample
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

from .paster import Paster

__all__ = ["draw_instances", "picture_kind", "preview_sheet", "stack_tiles"]

Image = NDArray[np.uint8]

OLD = (255, 255, 255)
NEW = ((255, 64, 64), (64, 220, 64), (80, 160, 255), (255, 200, 0), (255, 80, 255), (0, 230, 230))
"""Outline colours, RGB: the image's own instances, and pasted ones by category."""


def picture_kind(path: Path) -> Literal["jpeg", "png"]:
    """What a sheet is encoded as, by the file's name; raises `ConfigError` for another kind."""
    kinds: dict[str, Literal["jpeg", "png"]] = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}
    if path.suffix.lower() not in kinds:
        raise ConfigError(f"{path}: a sheet is a .jpg or .png file; give it such a name")
    return kinds[path.suffix.lower()]


def preview_sheet(
    dataset: Dataset,
    paster: Paster,
    *,
    count: int = 6,
    start: int = 0,
    epoch: int = 0,
    width: int = 480,
) -> Image:
    """Sheet of images of a dataset: before with outlines, after, after with outlines.

    Args:
        dataset: The dataset.
        paster: What pastes.
        count: How many images.
        start: The first image's position in the dataset.
        epoch: The epoch to show.
        width: Of each of the three pictures of a row, pixels.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: If a picture cannot be read.
        ConfigError: If the pool has categories that are not the dataset's, or there is no image at ``start``.
    """
    paster = paster.matched(dataset.categories)
    if start >= len(dataset.images):
        raise ConfigError(f"{dataset.path} has {len(dataset.images)} images, none at {start} (the first is 0)")
    names = {category.id: category.label for category in dataset.categories}
    rows = []
    for info in dataset.images[start : start + count]:
        before = load_sample(dataset, info, epoch=epoch)
        after = paster(before)
        plain, drawn = (draw_instances(after, some, width, names) for some in ((), after.instances))
        rows.append([draw_instances(before, before.instances, width, names), plain, drawn])
    return stack_tiles(rows)


def draw_instances(
    sample: Sample, instances: Iterable[Instance], width: int, names: Mapping[int, str] | None = None
) -> Image:
    """An image with the outlines of some of its instances; pasted ones are coloured and labelled.

    Args:
        sample: The image.
        instances: Those to draw.
        width: Of the result, pixels.
        names: Category id -> label.
    """
    scale = width / sample.image.shape[1]
    size = (width, max(round(sample.image.shape[0] * scale), 1))
    image = cast("Image", cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA))
    instances = list(instances)
    for instance in instances:
        colour = OLD if instance.source is None else NEW[instance.category_id % len(NEW)]
        padded = np.pad(instance.mask, 1).view(np.uint8)
        contours, _ = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        corner = np.array([instance.x - 1, instance.y - 1])
        lines = [np.rint((contour + corner) * scale).astype(np.int32) for contour in contours]
        cv2.polylines(image, lines, True, (0, 0, 0), 1 + 2 * (instance.source is not None), cv2.LINE_AA)
        cv2.polylines(image, lines, True, colour, 1, cv2.LINE_AA)
    for instance in instances:
        if instance.source is not None and names is not None:
            label = names.get(instance.category_id, str(instance.category_id))
            _draw_label(image, label, _label_centre(instance, scale), round(instance.y * scale))
    return image


def _label_centre(instance: Instance, scale: float) -> tuple[int, int]:
    """The point deepest inside a mask, in the picture's pixels."""
    depth = cv2.distanceTransform(np.pad(instance.mask, 1).view(np.uint8), cv2.DIST_L2, 3)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return round((instance.x + int(column)) * scale), round((instance.y + int(row)) * scale)


def _draw_label(image: Image, text: str, centre: tuple[int, int], top: int) -> None:
    """Write on the object, or above its ``top`` where the text would hide it."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    (width, height), baseline = cv2.getTextSize(text, font, scale, 1)
    middle = centre[1] if centre[1] - top > 2 * height else top - height
    x = min(max(centre[0] - width // 2, 2), max(image.shape[1] - width - 2, 2))
    y = min(max(middle + height // 2, height + 2), image.shape[0] - baseline)
    cv2.rectangle(image, (x - 2, y - height - 2), (x + width + 1, y + baseline - 1), (0, 0, 0), -1)
    cv2.putText(image, text, (x, y), font, scale, (255, 255, 255), 1, cv2.LINE_AA)


def stack_tiles(rows: Sequence[Sequence[Image]], gap: int = 6) -> Image:
    """Pictures in rows, top and left aligned, on white."""
    if not rows:
        return np.full((1, 1, 3), 255, dtype=np.uint8)
    heights = [max(tile.shape[0] for tile in row) + gap for row in rows]
    width = max(sum(tile.shape[1] + gap for tile in row) for row in rows)
    sheet = np.full((sum(heights) + gap, width + gap, 3), 255, dtype=np.uint8)
    top = gap
    for row, height in zip(rows, heights, strict=True):
        left = gap
        for tile in row:
            sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
            left += tile.shape[1] + gap
        top += height
    return sheet
