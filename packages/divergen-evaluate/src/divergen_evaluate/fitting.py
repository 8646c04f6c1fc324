"""Anyone's results held against the data set: what says the same in other words is read, the rest is named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError, NothingLeft
from divergen_records.formats.coco.segmentations import read_segmentation
from divergen_records.formats.coco.values import NAMED
from divergen_records.losses import Losses
from divergen_records.run_lengths import measure_codes
from divergen_records.text import folded

from .files import masks_notice

__all__ = ["Fitter", "check_box", "fit_results"]

Row = Mapping[str, Any]

_QUOTES = ("'", '"')
"""Second character of a code that is Python's bytes as text, ``"b'...'"``; none of a code."""

_FAR = 2.0**80
"""Square of pixels beyond any picture."""

_DRAWN = "masks that are polygons or uncompressed RLE are read as compressed RLE"


def fit_results(
    results: Sequence[Row], dataset: Dataset, *, losses: Losses | None = None, told: Counter[str] | None = None
) -> Sequence[Row]:
    """Results whose ids, scores, boxes and masks are sound, in their order; as given where all are.

    Args:
        results: COCO results. Images by file name (as Ultralytics names them) and categories by name instead of id,
            numbers written as text, and masks as polygons or uncompressed RLE are read as what they say.
        dataset: Ground truth.
        losses: Takes in results that are for nothing in the data set or have an impossible value; errors where None.
        told: Counts what was read so, by sentence.

    Raises:
        DatasetError: If a result names an unknown image or category, lacks a key, or has an impossible value.
        NothingLeft: If all do.
    """
    masks, fitter = masks_notice(results, dataset) is None, Fitter(dataset, told)
    changed: dict[int, Row | None] = {}
    for index, row in enumerate(results):
        if not fitter.is_plain(row, masks):
            try:
                changed[index] = fitter.fit(row, index, masks)
            except DatasetError as error:
                if losses is None:
                    raise
                losses.add(f"result {index}", str(error).partition(": ")[2])
                changed[index] = None
    if losses is not None and masks:
        _lose_unreadable(results, dataset, changed, losses)
    if losses and len(losses) == len(results):
        name, reason = next(iter(losses))
        raise NothingLeft(f"none of {len(results)} results fits {dataset.path.name}; {name}: {reason}")
    if not changed:
        return results
    fitted = (changed.get(index, row) for index, row in enumerate(results))
    return [row for row in fitted if row is not None]


def _lose_unreadable(results: Sequence[Row], dataset: Dataset, changed: dict[int, Row | None], losses: Losses) -> None:
    """Leave out results whose mask is no code; without ``losses`` the matching finds the first one, at no cost."""
    fitted = ((index, changed.get(index, row)) for index, row in enumerate(results))
    kept = [(index, row) for index, row in fitted if row is not None]
    images = (dataset.image(row["image_id"]) for _, row in kept)
    pixels = np.array([image.height * image.width for image in images], np.int64)
    sizes = measure_codes([row["segmentation"]["counts"] for _, row in kept], pixels)
    for place in np.flatnonzero(sizes.area < 0).tolist():
        index = kept[place][0]
        losses.add(f"result {index}", "its mask cannot be read: its code is malformed")
        changed[index] = None


class Fitter:
    """Reads rows one by one.

    Args:
        dataset: Ground truth.
        told: Counts what was read in other words, by sentence.
    """

    def __init__(self, dataset: Dataset, told: Counter[str] | None = None) -> None:
        self.dataset, self.told = dataset, Counter() if told is None else told
        self.sizes = {image.id: [image.height, image.width] for image in dataset.images}
        self.categories = {category.id for category in dataset.categories}
        self._names: dict[str, int | None] | None = None
        names = Counter(folded(category.name) for category in dataset.categories)
        self._category_names = {name: one.id for one in dataset.categories if names[name := folded(one.name)] == 1}

    def is_plain(self, row: Row, masks: bool) -> bool:
        """Whether a row is right as most are; `fit` tells of the others, in several times the time."""
        try:
            score, bbox = row["score"], row.get("bbox")
            if masks:
                mask = row["segmentation"]
                code = mask["counts"]
                right = mask["size"] == self.sizes[row["image_id"]] and type(code) is str and code[1:2] > "/"
            else:
                right = row["image_id"] in self.sizes and bbox is not None
            if bbox is not None:
                x, y, width, height = bbox
                far = x * x + y * y + width * width + height * height
                right = right and width >= 0 and height >= 0 and far < _FAR
            return right and row["category_id"] in self.categories and type(score) is float and math.isfinite(score)
        except (KeyError, TypeError, ValueError, OverflowError):
            return False

    def fit(self, row: Row, index: int, masks: bool) -> Row:
        """The row, read; raises `DatasetError` with its ``index`` if it cannot be judged."""
        row = self.mend_labels(row)
        self.check(row, index)
        if row.get(shape := "segmentation" if masks else "bbox") in (None, [], {}):
            raise DatasetError(f"result {index}: has no {shape!r}")
        if row.get("bbox") is not None or not masks:
            check_box(row["bbox"], index)
        return self.mend_mask(row, index) if masks else row

    def check(self, row: Row, index: int, *, any_category: bool = False) -> None:
        """Raise `DatasetError` with its ``index`` if a row's image, category or score is missing or impossible."""
        if not any_category and self._is_class_number(label := row.get("category_id")):
            raise DatasetError(
                f"result {index}: category_id {label} is not in {self.dataset.path}: these look like a detector's "
                "class numbers, which the detector's own data set turns into category ids"
            )
        for key, known in (("image_id", self.sizes), ("category_id", None if any_category else self.categories)):
            if key not in row:
                raise DatasetError(f"result {index}: has no {key!r}; its keys are {', '.join(map(str, row)) or 'none'}")
            value = row[key]
            if not isinstance(value, int | float | np.integer) or (known is not None and value not in known):
                raise DatasetError(f"result {index}: {key} {value!r} is not in {self.dataset.path}")
        if "score" not in row:
            raise DatasetError(f"result {index}: has no 'score'")
        if not isinstance(row["score"], int | float | np.integer | np.floating) or not math.isfinite(row["score"]):
            raise DatasetError(f"result {index}: its score is {row['score']!r}")

    def _is_class_number(self, label: Any) -> bool:
        """Whether it is no category's id, but may be the number of a class, counted from 0 or without gaps."""
        many = len(self.categories)
        counted = isinstance(label, int) and label not in self.categories and label <= many
        return counted and (label == 0 or (label > 0 and max(self.categories) > many))

    def mend_labels(self, row: Row) -> Row:
        """Image, category and score as the numbers that they are written for."""
        found = dict(row)
        for key, others in NAMED.items():
            if key not in row and (name := next(filter(None, map(row.get, others)), None)) is not None:
                found[key] = name
        if isinstance(name := found.get("image_id"), str):
            found["image_id"] = self._image(name)
        label = found.get("category_id")
        if isinstance(label, str) and (category := self._category_names.get(folded(label))) is not None:
            self.told["categories are named, not by id"] += 1
            found["category_id"] = category
        for key, number in (("category_id", int), ("score", float)):
            if isinstance(text := found.get(key), str):
                try:
                    found[key] = number(text)
                except ValueError:
                    continue
                self.told[f"{key} written as text is read as a number"] += 1
        if isinstance(box := found.get("bbox"), list) and any(isinstance(side, str) for side in box):
            with suppress(TypeError, ValueError):
                found["bbox"] = [float(side) for side in box]
                self.told["bbox written as text is read as numbers"] += 1
        elif box == []:
            del found["bbox"]
        return found if found != row else row

    def mend_mask(self, row: Row, index: int) -> Row:
        """The mask as compressed RLE of the image's size."""
        mask, image = row["segmentation"], self.dataset.image(row["image_id"])
        size = [image.height, image.width]
        given = mask.get("size") if isinstance(mask, Mapping) else None
        if isinstance(given, list | tuple) and all(isinstance(side, int | float | np.number) for side in given):
            if list(given) != size:
                raise DatasetError(f"result {index}: its mask has the size {given}, its image {size}")
            if isinstance(counts := mask.get("counts"), str | bytes) and counts[1:2] not in _QUOTES:
                return {**row, "segmentation": {**mask, "size": size}}
        from pycocotools import mask as coco_mask

        try:
            segmentation, _ = read_segmentation(mask, image, [])
        except DatasetError as error:
            raise DatasetError(f"result {index}: its mask: {error}") from error
        if not isinstance(segmentation, list | dict):
            raise DatasetError(f"result {index}: its mask is empty: {str(mask)[:60]!r}")
        drawn = coco_mask.frPyObjects(segmentation, *size) if not _is_code(segmentation) else segmentation
        rle = coco_mask.merge(drawn) if isinstance(drawn, list) else drawn
        respelled = isinstance(mask, Mapping) and isinstance(mask.get("counts"), str)
        self.told["RLEs whose size or code is spelled otherwise are read" if respelled else _DRAWN] += 1
        code = rle["counts"]
        return {**row, "segmentation": {"size": size, "counts": code.decode() if isinstance(code, bytes) else code}}

    def _image(self, name: str) -> int | str:
        """The id of an image by its file name, with or without folders and suffix, or by its id written as text.

        The folders may be another machine's.
        """
        if self._names is None:
            self._names = {}
            for image in self.dataset.images:
                path = PurePosixPath(image.file_name)
                for one in {image.file_name, path.name, path.stem, str(path.with_suffix(""))}:
                    self._names[one] = image.id if one not in self._names else None
        last = PurePosixPath(name.replace("\\", "/")).name
        found = self._names.get(name, self._names.get(last))
        if found is not None:
            self.told["images are named by their files, not by id"] += 1
        elif last not in self._names and name.isdecimal() and int(name) in self.sizes:
            self.told["image_id written as text is read as a number"] += 1
            found = int(name)
        return name if found is None else found


def _is_code(segmentation: Any) -> bool:
    return isinstance(segmentation, Mapping) and isinstance(segmentation["counts"], str | bytes)


def check_box(bbox: Any, index: int) -> None:
    """Raise `DatasetError` if a result's box is not four numbers XYWH, in pixels."""
    try:
        x, y, width, height = bbox
        sound = bool(width >= 0 and height >= 0 and x * x + y * y + width * width + height * height < _FAR)
    except (TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise DatasetError(f"result {index}: its bbox is {str(bbox)[:60]}, not [x, y, width, height] in pixels")
