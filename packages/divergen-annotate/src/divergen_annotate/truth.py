"""Pictures whose true masks are known: an instance table, a COCO or LVIS file, or a folder of transparent pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from divergen_records import DatasetError, DivergenError, ImageError
from divergen_records.formats import OnProblem
from divergen_records.images import read_image
from divergen_records.picture_files import find_pictures
from PIL import Image as PillowImage

from .annotator import Image, Mask
from .stage import category_label

__all__ = ["Example", "read_examples", "spread"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of one object with its truth.

    Attributes:
        name: Says which one it is.
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) bool; None where nobody knows it.
        text: The object's name.
        columns: Other pictures of the row, for annotators that read another one than ``image``.
    """

    name: str
    image: Image
    truth: Mask | None
    text: str = "object"
    columns: dict[str, Image] = field(default_factory=dict)


def read_examples(
    source: Path,
    *,
    images: Path | None = None,
    limit: int = 500,
    batch_size: int = 16,
    left_out: Callable[[str], None] = lambda reason: None,
    on_problem: OnProblem = "stop",
) -> Iterator[list[Example]]:
    """Batches of pictures with truth.

    Args:
        source: A Lance instance table (rows with an ``alpha``); a COCO or LVIS file (``.json``: a crop around each
            object); or a folder of pictures, whose transparency is the truth.
        images: The folder of the images of a COCO or LVIS file; see `divergen_records.coco.read_dataset`.
        limit: Pictures, at most; of a COCO or LVIS file they are spread over the file.
        batch_size: Pictures in memory at a time.
        left_out: Called with the reason for each picture that cannot be read.
        on_problem: What to do with pictures and objects of a COCO or LVIS file that have a problem.

    Raises:
        ImageError: If there is no such source.
        DatasetError: If the COCO or LVIS file is malformed.
    """
    if source.suffix == ".json":
        found = _from_dataset(source, images, limit, on_problem)
    elif (source / "_versions").is_dir():
        found = _from_table(source, left_out)
    else:
        found = _from_folder(source, left_out)
    batch: list[Example] = []
    for number, example in enumerate(found):
        if number >= limit:
            break
        batch.append(example)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _from_table(path: Path, left_out: Callable[[str], None]) -> Iterator[Example]:
    from divergen_records import InstanceTable

    columns = ["id", "category", "image", "alpha"]
    where = "width IS NOT NULL AND alpha IS NOT NULL"
    for batch in InstanceTable.open(path).batches(columns, where=where, batch_size=32):
        for row in batch.to_pylist():
            try:
                image, alpha = read_image(row["image"]), read_image(row["alpha"])
            except ImageError as error:
                left_out(f"{row['id']}: {error}")
                continue
            yield Example(row["id"], image, alpha[..., 0] >= 128, category_label(row["category"]), {"alpha": alpha})


def _from_folder(folder: Path, left_out: Callable[[str], None]) -> Iterator[Example]:
    for path in find_pictures(folder):
        name = path.relative_to(folder).as_posix()
        try:
            image, truth = read_image(path), None
        except ImageError as error:
            left_out(str(error))
            continue
        with PillowImage.open(path) as opened:
            if "A" in opened.getbands() or "transparency" in opened.info:
                alpha = np.asarray(opened.convert("RGBA"))[..., 3]
                truth = alpha >= 128 if alpha.shape == image.shape[:2] else None
        yield Example(name, image, truth)


def _from_dataset(path: Path, images: Path | None, limit: int, on_problem: OnProblem) -> Iterator[Example]:
    from divergen_records.data_options import open_dataset

    dataset = open_dataset(path, images, on_problem=on_problem)
    whole = (item for item in dataset.annotations if not item.iscrowd)
    chosen = [item for item in whole if min(dataset.measure(item)[0][2:]) >= _SMALLEST]
    if not chosen:
        raise DatasetError(f"{path}: there is no object of at least {_SMALLEST} pixels in it")
    for item in spread(chosen, limit):
        try:
            yield _crop(dataset, item)
        except ImageError as error:
            raise DatasetError(f"{path}: annotation {item.id}: {error}") from error


def spread(items: Sequence[T], limit: int) -> list[T]:
    """At most so many items, at equal steps from the first to the last."""
    return [items[at] for at in np.linspace(0, len(items) - 1, min(limit, len(items))).astype(int)]


_SMALLEST = 32
"""Pixels: objects with a shorter side of their box are left out."""


def _crop(dataset: Any, item: Any, margin: float = 0.15) -> Example:
    """The object with a margin of the longer side of its box, as far as the image goes."""
    from divergen_records.masks import segmentation_to_mask

    info = dataset.image(item.image_id)
    image = read_image(dataset.image_path(info), size=(info.height, info.width))
    mask = segmentation_to_mask(item.segmentation, info.height, info.width)
    x, y, width, height = dataset.measure(item)[0]
    pad = margin * max(width, height) + 2
    rows = slice(max(0, int(y - pad)), int(y + height + pad) + 1)
    columns = slice(max(0, int(x - pad)), int(x + width + pad) + 1)
    text = dataset.category(item.category_id).label
    return Example(f"{info.file_name} {text}", np.ascontiguousarray(image[rows, columns]), mask[rows, columns], text)


def pictures_for(annotator: Any, examples: Sequence[Example]) -> list[Image]:
    """What an annotator looks at of each example.

    Raises:
        DivergenError: If it reads a picture that the source does not have.
    """
    column = getattr(annotator, "column", "image")
    if column == "image":
        return [example.image for example in examples]
    lacking = [example.name for example in examples if column not in example.columns]
    if lacking:
        raise DivergenError(f"{annotator.name} reads the column {column!r}, which {lacking[0]} does not have")
    return [example.columns[column] for example in examples]
