"""Write COCO and LVIS files: streaming, whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import msgspec
import numpy as np

from ...dataset import Annotation, Dataset, ImageInfo, frequency_of
from ...errors import DatasetError
from ...files import refuse_existing, writing
from ...record import Category

__all__ = ["DatasetWriter", "write_coco", "write_dataset", "write_lvis"]


def write_lvis(
    path: Path | str,
    images: Iterable[ImageInfo],
    annotations: Iterable[Annotation],
    categories: Iterable[Category],
    **options: Any,
) -> Path:
    """Write an LVIS v1 file.

    A category's counts and frequency are written as they are set, because those of a validation or an augmented file
    are the training set's; where they are None, they are counted in this file.

    Args:
        path: The file; it appears when it is complete.
        images: Pictures.
        annotations: Objects; each names one of the pictures and one of the categories.
        categories: Categories.
        options: ``info``, ``licenses``, ``extra``, ``category_rows`` and ``overwrite`` of `DatasetWriter`.

    Raises:
        ExistsError: If the file is there already.
        DatasetError: If the parts contradict each other.
    """
    with DatasetWriter(path, categories, style="lvis", **options) as writer:
        writer.add_all(images, annotations)
    return writer.path


def write_coco(
    path: Path | str,
    images: Iterable[ImageInfo],
    annotations: Iterable[Annotation],
    categories: Iterable[Category],
    **options: Any,
) -> Path:
    """Write a COCO instances file; like `write_lvis`."""
    with DatasetWriter(path, categories, style="coco", **options) as writer:
        writer.add_all(images, annotations)
    return writer.path


def write_dataset(
    dataset: Dataset, path: Path | str, *, style: Literal["coco", "lvis"] = "lvis", overwrite: bool = False
) -> Path:
    """Write a data set to a file, with every key that it was read with; raises `DatasetError` as `write_lvis`."""
    with DatasetWriter(
        path,
        dataset.categories,
        style=style,
        info=dataset.info,
        licenses=dataset.licenses,
        extra=dataset.extra,
        category_rows=dataset.category_rows,
        overwrite=overwrite,
    ) as writer:
        writer.add_all(dataset.images, dataset.annotations)
    return writer.path


class DatasetWriter:
    """Writes a file object by object; annotations go to disk at once. Use it as a context manager.

    Args:
        path: The file; it appears when the block ends without an error.
        categories: Categories.
        style: ``"lvis"`` or ``"coco"``.
        info: The file's ``info``.
        licenses: The file's ``licenses``, which the images' licence ids mean.
        extra: Other keys of the file.
        category_rows: Category id -> further keys of its row.
        overwrite: Replace a file that is there.
    """

    def __init__(
        self,
        path: Path | str,
        categories: Iterable[Category],
        *,
        style: Literal["coco", "lvis"] = "lvis",
        info: Mapping[str, Any] | None = None,
        licenses: Iterable[Any] = (),
        extra: Mapping[str, Any] | None = None,
        category_rows: Mapping[int, Mapping[str, Any]] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path, self.style, self.info = Path(path), style, dict(info or {})
        self.licenses, self.extra, self.category_rows = list(licenses), dict(extra or {}), dict(category_rows or {})
        self._categories = {category.id: category for category in categories}
        self._shown: dict[int, set[int]] = {key: set() for key in self._categories}
        self._instances = dict.fromkeys(self._categories, 0)
        self._images: dict[int, bytes] = {}
        self._annotations: set[int] = set()
        self._encoder = msgspec.json.Encoder(enc_hook=_plain)
        refuse_existing(self.path, overwrite=overwrite)
        self._making = writing(self.path, overwrite=overwrite)

    def __enter__(self) -> Self:
        self._file: BinaryIO = self._making.__enter__()
        self._file.write(b'{"info":' + self._encoder.encode(self.info) + b',"annotations":[')
        return self

    def add_all(self, images: Iterable[ImageInfo], annotations: Iterable[Annotation]) -> None:
        """Add pictures and their objects."""
        for image in images:
            self.add_image(image)
        for annotation in annotations:
            self.add_annotation(annotation)

    def add_category(self, category: Category) -> None:
        """Add a category; one whose id is there already stays as it is."""
        if category.id not in self._categories:
            self._categories[category.id] = category
            self._shown[category.id] = set()
            self._instances[category.id] = 0

    def add_image(self, image: ImageInfo) -> None:
        """Add a picture; raises `DatasetError` if its id is taken."""
        if image.id in self._images:
            raise DatasetError(f"{self.path}: image id {image.id} is taken; ids are unique")
        self._images[image.id] = self._encoder.encode(_image_row(image, self.style))

    def add_annotation(self, annotation: Annotation) -> None:
        """Add an object of a picture that was added.

        Raises:
            DatasetError: If it names what the file has not, or its box or area is no number.
        """
        if annotation.id in self._annotations:
            raise DatasetError(f"{self.path}: annotation id {annotation.id} is taken; ids are unique")
        if annotation.image_id not in self._images:
            raise DatasetError(f"{self.path}: annotation {annotation.id} names image {annotation.image_id}, not there")
        if annotation.category_id not in self._categories:
            raise DatasetError(
                f"{self.path}: annotation {annotation.id} names category {annotation.category_id}, not there"
            )
        if not math.isfinite(sum(annotation.bbox) + annotation.area):  # JSON has neither; msgspec writes null
            raise DatasetError(
                f"{self.path}: annotation {annotation.id} has a bbox or area that is NaN or infinite, "
                f"{annotation.bbox} and {annotation.area}"
            )
        row = self._encoder.encode(_annotation_row(annotation, self.style))
        self._file.write((b",\n" if self._annotations else b"\n") + row)
        self._annotations.add(annotation.id)
        self._instances[annotation.category_id] += 1
        self._shown[annotation.category_id].add(annotation.image_id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._finish()
            except BaseException as failure:
                self._making.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._making.__exit__(kind, error, trace)

    def _finish(self) -> None:
        categories = [self._category_row(category) for category in self._categories.values()]
        self._file.write(b'\n],"images":[\n' + b",\n".join(self._images.values()))
        self._file.write(b'\n],"licenses":' + self._encoder.encode(self.licenses))
        self._file.write(b',"categories":' + self._encoder.encode(categories))
        for key, value in self.extra.items():
            self._file.write(b",\n" + self._encoder.encode(key) + b":" + self._encoder.encode(value))
        self._file.write(b"}\n")

    def _category_row(self, category: Category) -> dict[str, Any]:
        read = self.category_rows.get(category.id, {})
        if self.style == "coco":
            return {"supercategory": "", **read, "id": category.id, "name": category.name}
        shown, instances = len(self._shown[category.id]), self._instances[category.id]
        image_count = shown if category.image_count is None else category.image_count
        return {
            **read,
            "id": category.id,
            "name": category.name,
            "synonyms": category.synonyms or (category.name,),
            "synset": category.synset or "",
            "def": category.definition or "",
            "frequency": category.frequency or frequency_of(image_count),
            "image_count": image_count,
            "instance_count": instances if category.instance_count is None else category.instance_count,
        }


def _image_row(image: ImageInfo, style: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        **(image.extra or {}),
        "id": image.id,
        "width": image.width,
        "height": image.height,
        "file_name": image.file_name,
        "coco_url": image.coco_url,
        "flickr_url": image.flickr_url,
        "date_captured": image.date_captured,
        "license": image.license,
    }
    if style == "lvis" or image.has_lists:
        row["neg_category_ids"] = image.neg_category_ids
        row["not_exhaustive_category_ids"] = image.not_exhaustive_category_ids
    return row


def _annotation_row(annotation: Annotation, style: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        **(annotation.extra or {}),
        "id": annotation.id,
        "image_id": annotation.image_id,
        "category_id": annotation.category_id,
        "segmentation": _text_counts(annotation.stored_segmentation) if annotation.has_mask else [],
        "area": annotation.area,
        "bbox": annotation.bbox,
    }
    if style == "coco" or annotation.iscrowd:
        row["iscrowd"] = int(annotation.iscrowd)
    return row


def _text_counts(segmentation: Any) -> Any:
    """The counts as text; pycocotools gives the counts of an RLE as bytes, which JSON has not."""
    if isinstance(segmentation, Mapping) and isinstance(segmentation.get("counts"), bytes):
        return {**segmentation, "counts": segmentation["counts"].decode("ascii")}
    return segmentation


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
