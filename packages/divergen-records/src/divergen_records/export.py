"""Write instances and data sets as others read them: COCO, LVIS, or plain folders of PNG masks.

Pictures pass through one at a time. A folder appears under its name when it is complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Any, BinaryIO, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .dataset import Annotation, Dataset, ImageInfo, check_file_name
from .errors import DatasetError, MaskError
from .formats.coco.write import DatasetWriter
from .images import encode_image
from .masks import Mask, crop_segmentation, decode_counts, mask_to_bbox
from .progress import Progress
from .record import Category, InstanceRecord

__all__ = ["ExportReport", "export_instances", "export_png_masks"]

_SUFFIX = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        path: The folder.
        written: Instances written.
        skipped: Instances left out, because they have no picture or no mask (yet).
    """

    path: Path
    written: int
    skipped: int


def export_instances(
    records: Iterable[InstanceRecord],
    out: Path | str,
    format: Literal["coco", "lvis", "png"],  # noqa: A002
    *,
    categories: Iterable[Category] = (),
    total: int | None = None,
    progress: bool = False,
) -> ExportReport:
    """Write generated instances to a folder of their own: ``images/`` and what the format adds.

    ``coco`` and ``lvis`` add ``annotations.json``; ``png`` adds ``masks/`` (8-bit, 0 and 255) and ``instances.jsonl``
    with a line for each. The pictures are the encoded bytes of the records, named by instance id.

    Args:
        records: Instances; those without picture or mask are counted and left out.
        out: The folder; it must not hold anything yet.
        format: ``"coco"``, ``"lvis"`` or ``"png"``.
        categories: Full categories; those not given are made from the records.
        total: Number of records, for the progress line.
        progress: Show the progress.

    Raises:
        DatasetError: If the folder is in use, cannot be written, or a record cannot be a file's name.
        MaskError: If a mask does not fit its picture.
    """
    if format not in ("coco", "lvis", "png"):
        raise DatasetError(f"format {format!r} is not known; known are coco, lvis, png")
    written = skipped = 0
    bar = Progress("export", total, unit="instances") if progress else None
    with _new_folder(Path(out)) as folder, bar or nullcontext():
        (folder / "images").mkdir()
        with _sink(folder, format, categories) as put:
            for record in records:
                if record.image is None or record.mask is None:
                    skipped += 1
                else:
                    put(record)
                    written += 1
                if bar is not None:
                    bar.update()
    return ExportReport(Path(out), written, skipped)


@contextmanager
def _sink(folder: Path, format: str, categories: Iterable[Category]) -> Iterator[Callable[[InstanceRecord], None]]:  # noqa: A002
    """Where the records go, one by one."""
    if format == "png":
        (folder / "masks").mkdir()
        with (folder / "instances.jsonl").open("wb") as listing:
            yield lambda record: _put_png(record, folder, listing)
        return
    style: Literal["coco", "lvis"] = "coco" if format == "coco" else "lvis"
    writer: AbstractContextManager[DatasetWriter] = DatasetWriter(
        folder / "annotations.json", categories, style=style, info={"description": "generated instances (DiverGen)"}
    )
    with writer as dataset:
        ids: set[str] = set()
        yield lambda record: _put_annotation(record, folder, dataset, ids)


def _put_png(record: InstanceRecord, folder: Path, listing: BinaryIO) -> None:
    name = _put_picture(record, folder)
    mask = _decode_mask(record)
    _put_file(folder / "masks" / f"{record.id}.png", encode_image(mask.view(np.uint8) * np.uint8(255), "png"))
    columns = {"image", "alpha", "mask", "embedding"}
    row = record.model_dump(mode="json", exclude=columns, exclude_none=True)
    _put_line(listing, {"image": f"images/{name}", "mask": f"masks/{record.id}.png", **row})


def _put_annotation(record: InstanceRecord, folder: Path, writer: DatasetWriter, ids: set[str]) -> None:
    mask = _decode_mask(record)
    height, width = mask.shape
    bbox = record.bbox or (mask_to_bbox(mask) if mask.any() else (0.0, 0.0, 0.0, 0.0))
    name = _put_picture(record, folder)
    ids.add(record.id)
    number = len(ids)
    writer.add_category(Category(id=record.category_id, name=record.category, frequency=record.frequency))
    writer.add_image(ImageInfo(id=number, width=width, height=height, file_name=name))
    segmentation = {"size": [height, width], "counts": record.mask}
    writer.add_annotation(Annotation(number, number, record.category_id, bbox, float(mask.sum()), segmentation))


def _put_picture(record: InstanceRecord, folder: Path) -> str:
    name = record.id + _SUFFIX[record.image_format or "jpeg"]
    check_file_name(name, f"instance {record.id}")
    if PurePosixPath(name).name != name:
        raise DatasetError(f"instance {record.id!r}: the id cannot be a file's name")
    _put_file(folder / "images" / name, record.image or b"")
    return name


def _decode_mask(record: InstanceRecord) -> Mask:
    if record.height is None or record.width is None:
        raise DatasetError(f"instance {record.id} has a picture but no width or height")
    try:
        return decode_counts(record.mask or "", record.height, record.width)
    except MaskError as error:
        raise MaskError(f"instance {record.id}: {error}") from error


