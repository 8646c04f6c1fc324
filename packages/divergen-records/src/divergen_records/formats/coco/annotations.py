"""The annotations of a COCO or LVIS file: checked in batches, and one by one where something is unusual."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import msgspec
import numpy as np

from ...dataset import Annotation, ImageInfo
from ...errors import DatasetError, MaskError
from ...masks import measure_segmentation
from ...progress import Progress
from ..problems import Mends, Problems
from .frame import Item
from .geometry import sound_segmentations
from .items import decode_typed, split_items
from .segmentations import read_segmentation
from .values import MOST, Ids, integer, row_of, wrong_type

__all__ = ["Reader"]

_BATCH = 4096
_KNOWN = frozenset(("id", "image_id", "category_id", "bbox", "area", "segmentation", "iscrowd"))

Box = tuple[float, float, float, float]


class Reader:
    """Reads annotations.

    Args:
        images: The sound images by id.
        categories: The sound categories by id.
        ids: Of annotations, images and categories.
        problems: Takes what is left out or mended.
        boxes: Boxes are enough.
    """

    def __init__(
        self,
        images: Mapping[int, ImageInfo],
        categories: Mapping[int, Any],
        ids: Mapping[str, Ids],
        problems: Problems,
        *,
        boxes: bool,
    ) -> None:
        self.images, self.categories, self.ids, self.problems, self.boxes = images, categories, ids, problems, boxes
        self._sizes = {key: (image.height, image.width) for key, image in images.items()}
        self._seen: set[int] = set()
        self._flat = 0

    def read(self, part: Any, bar: Progress | None) -> list[Annotation]:
        """The sound annotations, in the file's order."""
        typed = decode_typed(part, Annotation)
        items: list[Item] = []
        self.ids["annotation"].reserve(
            {max((one.id for one in typed if one is not None and one.id < MOST), default=-1)}
        )
        kept: list[Annotation] = []
        for start in range(0, len(typed), _BATCH):
            batch = typed[start : start + _BATCH]
            sound = self._check(batch)
            if all(sound):
                found = cast("list[Annotation]", batch)
                self._seen.update([one.id for one in found])
                kept.extend(found)
            else:
                items = items or split_items(part)
                kept.extend(self._read_batch(items[start : start + _BATCH], batch, sound, start))
            if bar is not None:
                bar.update(len(batch))
        if self._flat:
            self.problems.notes.append(
                f"{self._flat} of {len(typed)} annotations declare a box without width or height; the mask's is taken"
            )
        return kept

    def _read_batch(
        self, items: Sequence[Item], batch: Sequence[Annotation | None], sound: Sequence[bool], start: int
    ) -> Iterator[Annotation]:
        """The annotations of a batch, those that are not plainly sound one by one."""
        for offset, annotation in enumerate(batch):
            if annotation is None or not sound[offset]:
                annotation = self._read_slowly(items[offset], f"annotations[{start + offset}]")
            if annotation is not None:
                self._seen.add(annotation.id)
                yield annotation

    def _check(self, batch: Sequence[Annotation | None]) -> list[bool]:
        """Which need no look of their own."""
        sizes, categories, seen = self._sizes, self.categories, self._seen
        fine = [
            one is not None
            and one.image_id in sizes
            and one.category_id in categories
            and one.bbox[2] > 0
            and one.bbox[3] > 0
            and one.area >= 0
            and one.id not in seen
            and -MOST < one.id < MOST
            for one in batch
        ]
        known = [one for one, good in zip(batch, fine, strict=True) if good and one is not None]
        if len({one.id for one in known}) < len(known):
            return [False] * len(batch)
        shapes = np.array([sizes[one.image_id] for one in known], dtype=np.int64).reshape(-1, 2)
        sound = sound_segmentations([one.stored_segmentation for one in known], shapes)
        if len(known) == len(batch):
            return cast("list[bool]", sound.tolist())
        each = iter(sound.tolist())
        return [good and next(each) for good in fine]

    def _read_slowly(self, item: Item, where: str) -> Annotation | None:
        return self.problems.attempt(where, partial(self._read, item, where))

    def _read(self, item: Item, where: str, mends: Mends) -> Annotation:
        row = row_of(item)
        id_ = self._id(row, mends)
        try:
            return self._read_row(row, id_, where, mends)
        except (DatasetError, MaskError) as error:
            text = str(error)
            prefix = "" if text.startswith(("Object missing", "Expected")) else f"annotation {id_}: "
            raise DatasetError(prefix + text) from error

    def _read_row(self, row: dict[str, Any], id_: int, where: str, mends: Mends) -> Annotation:
        category_id = self.ids["category"].find(row, "category_id", mends)
        if category_id not in self.categories:
            raise DatasetError(f"{category_id} names no sound category of the file - at `$.category_id`")
        image_id = self.ids["image"].find(row, "image_id", mends)
        image = self.images.get(image_id)
        if image is None:
            raise DatasetError(f"{image_id} names no sound image of the file - at `$.image_id`")
        bbox, area = _bbox(row, mends), _area(row, mends)
        flat = bbox is None and bool(row.get("bbox"))
        before = len(mends or ())
        segmentation, strays = read_segmentation(row.get("segmentation"), image, mends)
        if segmentation is None:
            bbox, area = self._box_alone(bbox, area)
        elif len(mends or ()) > before:  # what the file declares is of the mask as it was
            bbox, area = measure_segmentation(segmentation, image.height, image.width)
        elif bbox is None or area is None:
            measured, pixels = measure_segmentation(segmentation, image.height, image.width)
            bbox, area = bbox or measured, pixels if area is None else area
        self._flat += flat and not mends
        if strays:
            parts = "a stray part" if strays == 1 else f"{strays} stray parts"
            self.problems.notes.append(f"{where} (id {id_}): {parts} of less than three points left out")
        return Annotation(
            id_,
            image_id,
            category_id,
            bbox,
            area,
            segmentation and msgspec.Raw(msgspec.json.encode(segmentation)),
            _crowd(row, mends),
            {key: value for key, value in row.items() if key not in _KNOWN} or None,
        )

    def _box_alone(self, bbox: Box | None, area: float | None) -> tuple[Box, float]:
        if bbox is None:
            raise DatasetError("there is none, and no box with a size either - at `$.segmentation`")
        if not self.boxes:
            raise MaskError("there is none, neither polygons nor an RLE: a box alone, and a mask is needed here "
                            "- at `$.segmentation`")  # fmt: skip
        return bbox, area or bbox[2] * bbox[3]

    def _id(self, row: dict[str, Any], mends: Mends) -> int:
        id_ = self.ids["annotation"].name(row, mends)
        if id_ not in self._seen:
            return id_
        if mends is None:
            raise DatasetError(f"the id {id_} was there before; ids are unique - at `$.id`")
        new = self.ids["annotation"].give()
        mends.append(f"the id {id_} was there before; numbered {new}")
        return new


def _bbox(row: dict[str, Any], mends: Mends) -> Box | None:
    """The declared box; None where there is none or it has no size, for then the mask's is taken."""
    value = row.get("bbox")
    if value is None or value == []:
        return None
    try:
        if not isinstance(value, list):
            raise wrong_type("array", value, "bbox")
        if len(value) != 4:
            raise DatasetError(f"Expected `array` of length 4, got {len(value)} - at `$.bbox`")
        x, y, width, height = (_number(one, f"bbox[{at}]") for at, one in enumerate(_unquoted(value, mends)))
    except DatasetError as error:
        _without(error, "bbox", mends)
        return None
    return (x, y, width, height) if width > 0 and height > 0 else None


def _unquoted(values: list[Any], mends: Mends) -> list[Any]:
    """Numbers written as text as numbers, where mending is allowed."""
    if mends is None or not any(isinstance(one, str) for one in values):
        return values
    with suppress(TypeError, ValueError):
        values = [float(one) for one in values]
        mends.append("bbox written as text read as numbers")
    return values


def _area(row: dict[str, Any], mends: Mends) -> float | None:
    value = row.get("area")
    if value is None:
        return None
    try:
        area = _number(value, "area")
        return area if area >= 0 else None
    except DatasetError as error:
        _without(error, "area", mends)
        return None


def _without(error: DatasetError, key: str, mends: Mends) -> None:
    if mends is None:
        raise error
    mends.append(f"{key} from the mask")


def _number(value: Any, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type("float", value, at)
    if not math.isfinite(value):
        raise DatasetError(f"is {value}, not a finite number - at `$.{at}`")
    return value


def _crowd(row: dict[str, Any], mends: Mends) -> bool:
    value = row.get("iscrowd")
    return bool(value) if value is None or isinstance(value, bool) else bool(integer(row, "iscrowd", mends))
