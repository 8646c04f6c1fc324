"""The annotations of a COCO or LVIS file: checked in batches, and one by one where something is unusual."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, compress
from operator import attrgetter
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

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
"""Annotations that are checked together."""
_FAR = 2**40
"""Pixels beyond any picture; squared they are a number still."""
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
        self._image_ids = np.array(sorted(images), dtype=np.int64)
        sizes = [(images[key].height, images[key].width) for key in self._image_ids.tolist()]
        self._sizes = np.array([*sizes, (0, 0)], dtype=np.int64)
        """By rising id; the last of none."""
        self._category_ids = np.array([*categories], dtype=np.int64)
        self._kept: list[Annotation] = []
        self._seen: dict[int, Annotation] | None = None
        """What is kept by id; None while none can come twice."""
        self._flat = 0

    def read(self, part: Any, bar: Progress | None) -> list[Annotation]:
        """The sound annotations, in the file's order."""
        typed = decode_typed(part, Annotation)
        items: list[Item] = []
        self._reserve(typed)
        for start in range(0, len(typed), _BATCH):
            batch = typed[start : start + _BATCH]
            sound = self._check(batch)
            if sound.all():
                self._keep(cast("list[Annotation]", batch))
            else:
                items = items or split_items(part)
                self._read_batch(items[start : start + _BATCH], batch, sound.tolist(), start)
            if bar is not None:
                bar.update(len(batch))
        if self._flat:
            self.problems.notes.append(
                f"{self._flat} of {len(typed)} annotations declare a box without width or height; the mask's is taken"
            )
        return self._kept

    def _reserve(self, typed: Sequence[Annotation | None]) -> None:
        """Take note of the ids that the file has as numbers."""
        try:
            ids = np.fromiter(map(attrgetter("id"), filter(None, typed)), dtype=np.int64)
        except OverflowError:
            ids = np.array([max(min(one.id, MOST), -MOST) for one in filter(None, typed)], dtype=np.int64)
        self.ids["annotation"].reserve({int(ids[ids < MOST].max(initial=-1))})
        if not (ids[1:] > ids[:-1]).all() and len(np.unique(ids)) < len(ids):
            self._seen = {}

    def _keep(self, found: Sequence[Annotation]) -> None:
        self._kept.extend(found)
        if self._seen is not None:
            self._seen.update({one.id: one for one in found})

    def _first(self, id_: int) -> Annotation | None:
        """What is kept of this id."""
        if self._seen is None:
            self._seen = {one.id: one for one in self._kept}
        return self._seen.get(id_)

    def _read_batch(
        self, items: Sequence[Item], batch: Sequence[Annotation | None], sound: Sequence[bool], start: int
    ) -> None:
        """Keep the annotations of a batch, those that are not plainly sound read one by one."""
        for offset, annotation in enumerate(batch):
            if annotation is None or not sound[offset] or (self._seen is not None and annotation.id in self._seen):
                annotation = self._read_slowly(items[offset], f"annotations[{start + offset}]")
            if annotation is not None:
                self._keep((annotation,))

    def _check(self, batch: Sequence[Annotation | None]) -> NDArray[np.bool_]:
        """(N,) bool: which need no look of their own."""
        found = np.zeros(len(batch), dtype=bool)
        known = [one for one in batch if one is not None]
        there = np.arange(len(batch)) if len(known) == len(batch) else np.flatnonzero([bool(one) for one in batch])
        try:
            ids, images, categories = (_column(known, name) for name in ("id", "image_id", "category_id"))
        except OverflowError:
            return found
        rows = self._rows_of(images)
        corners = chain.from_iterable(map(attrgetter("bbox"), known))
        boxes = np.fromiter(corners, dtype=np.float64, count=4 * len(known)).reshape(-1, 4)
        fine = (rows < len(self._image_ids)) & np.isin(categories, self._category_ids) & (abs(ids) < MOST)
        fine &= (
            (boxes[:, 2:] > 0).all(axis=1) & (abs(boxes) < _FAR).all(axis=1) & (_column(known, "area", np.float64) >= 0)
        )
        if self._seen is not None:
            fine &= np.array([one.id not in self._seen for one in known], dtype=bool)
            if len(np.unique(ids[fine])) < fine.sum():
                return found
        raws = list(map(attrgetter("stored_segmentation"), compress(known, fine.tolist())))
        found[there[fine]] = sound_segmentations(raws, self._sizes[rows[fine]])
        return found

    def _rows_of(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each image stands by rising id; the number of images for one that is not among them."""
        rows = np.searchsorted(self._image_ids, images)
        inside = rows < len(self._image_ids)
        inside[inside] = self._image_ids[rows[inside]] == images[inside]
        return np.where(inside, rows, len(self._image_ids))

    def _read_slowly(self, item: Item, where: str) -> Annotation | None:
        return self.problems.attempt(where, partial(self._read, item, where))

    def _read(self, item: Item, where: str, mends: Mends) -> Annotation | None:
        row = row_of(item)
        id_ = self.ids["annotation"].name(row, mends)
        first = self._first(id_)
        if first is not None and mends is None:
            raise DatasetError(f"the id {id_} was there before; ids are unique - at `$.id`")
        try:
            annotation = self._read_row(row, id_, where, mends)
        except (DatasetError, MaskError) as error:
            text = str(error)
            prefix = "" if text.startswith(("Object missing", "Expected")) else f"annotation {id_}: "
            raise DatasetError(prefix + text) from error
        return annotation if first is None or mends is None else self._again(annotation, first, mends)

    def _again(self, annotation: Annotation, first: Annotation, mends: list[str]) -> Annotation | None:
        """An object whose id another one has, with a new one; None where it is that object once more."""
        if annotation == first:
            mends.append(f"the id {first.id} was there before; the same object is read once")
            return None
        new = self.ids["annotation"].give()
        mends.append(f"the id {first.id} was there before; numbered {new}")
        return msgspec.structs.replace(annotation, id=new)

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


def _column(known: Sequence[Annotation], name: str, kind: type[Any] = np.int64) -> NDArray[Any]:
    return np.fromiter(map(attrgetter(name), known), dtype=kind, count=len(known))


def _bbox(row: dict[str, Any], mends: Mends) -> Box | None:
    """The declared box; None where there is none or it has no size, for then the mask's is taken."""
    value = row.get("bbox")
    if value is None or value == []:
        return None
    try:
        value = _listed(value, mends)
        if not isinstance(value, list):
            raise wrong_type("array", value, "bbox")
        if len(value) != 4:
            raise DatasetError(f"Expected `array` of length 4, got {len(value)} - at `$.bbox`")
        x, y, width, height = (_number(one, f"bbox[{at}]") for at, one in enumerate(_unquoted(value, mends)))
    except DatasetError as error:
        _without(error, "bbox", mends)
        return None
    return (x, y, width, height) if width > 0 and height > 0 else None


_SPELLED = (
    (("x", "y", "width", "height"), False),
    (("x", "y", "w", "h"), False),
    (("left", "top", "width", "height"), False),
    (("x1", "y1", "x2", "y2"), True),
    (("xmin", "ymin", "xmax", "ymax"), True),
    (("left", "top", "right", "bottom"), True),
)
"""Keys of a box that is an object, and whether they are corners."""


def _listed(value: Any, mends: Mends) -> Any:
    """The box as a list where it is a text (``"[2, 1, 4, 4]"``), in another list or an object, and may be mended."""
    if mends is None:
        return value
    if isinstance(value, dict):
        return _of_keys(value, mends)
    if isinstance(value, str) and len(words := re.split(r"[\s,;]+", value.strip("[]() "))) == 4:
        return words
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        mends.append("bbox taken out of a list around it")
        return value[0]
    return value


def _of_keys(box: dict[str, Any], mends: list[str]) -> Any:
    named = {key.lower().replace("_", ""): one for key, one in box.items()}
    for keys, corners in _SPELLED:
        if named.keys() >= {*keys}:
            told = "corners" if corners else "box"
            values = [
                _number(one, f"bbox.{key}")
                for key, one in zip(keys, _unquoted([named[key] for key in keys], mends), strict=True)
            ]
            mends.append(f"bbox read as the {told} {', '.join(keys)}")
            x, y, right, bottom = values
            return [x, y, right - x, bottom - y] if corners else values
    return box


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
    if abs(value) >= _FAR:
        raise DatasetError(f"is {value:.3g}, beyond any picture - at `$.{at}`")
    return value


_CROWDS = {"false": False, "no": False, "": False, "nan": False, "true": True, "yes": True}
"""What tools write for 0 and 1."""


def _crowd(row: dict[str, Any], mends: Mends) -> bool:
    value = row.get("iscrowd")
    if value is None or isinstance(value, bool):
        return bool(value)
    if mends is not None and (said := _CROWDS.get(str(value).strip().lower())) is not None:
        mends.append(f"iscrowd {value!r} read as {said:d}")
        return said
    return bool(integer(row, "iscrowd", mends))
