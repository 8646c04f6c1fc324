"""Write generated instances as others read them, in any format that writes.

Pictures pass through one at a time. A folder appears under its name when it is complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, TypeAlias

import msgspec
import numpy as np

from .dataset import Annotation, ImageInfo, check_file_name
from .errors import DatasetError, MaskError, NothingLeft
from .files import refuse_existing
from .folders import new_folder
from .formats import writers
from .formats.coco.read import read_dataset
from .formats.coco.write import DatasetWriter
from .formats.fiftyone.write import detection, sample, writing_samples
from .formats.outputs import put_file
from .images import encode_image
from .losses import Losses
from .masks import Mask, decode_counts, mask_to_bbox
from .progress import Progress
from .record import Category, InstanceRecord

__all__ = ["ExportReport", "export_instances", "provenance_of"]

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
    format: str,  # noqa: A002
    *,
    categories: Iterable[Category] = (),
    total: int | None = None,
    overwrite: bool = False,
    losses: Losses | None = None,
    progress: bool = False,
) -> ExportReport:
    """Write generated instances to a folder of their own: ``images/`` and what the format adds.

    ``coco`` and ``lvis`` add ``annotations.json``; ``fiftyone`` adds ``samples.json``, a person's verdict as a tag;
    ``png`` adds ``masks/`` (8-bit, 0 and 255) and ``instances.jsonl`` with a line for each. The pictures are encoded as
    in the records, named by instance id. Each object carries its provenance (`provenance_of`), in the place that the
    format has for it.

    Args:
        records: Instances; those without picture or mask are counted and left out.
        out: The folder.
        format: A format that writes, see `divergen_records.formats.writers`.
        categories: Full categories; those not given are made from the records.
        total: Number of records, for the progress line.
        overwrite: Replace what an export wrote before.
        losses: Takes in the records that are left out; where given, one whose mask does not fit is left out too.
        progress: Show the progress.

    Raises:
        DatasetError: If the folder is in use, cannot be written, or a record cannot be a file's name.
        MaskError: If a mask does not fit its picture.
    """
    sink = _SINKS.get(format)
    if sink is None:
        return _export_through_coco(
            records,
            Path(out),
            format,
            overwrite,
            categories=categories,
            total=total,
            losses=losses,
            progress=progress,
        )
    written, lost = 0, Losses()
    bar = Progress("export", total, unit="instances") if progress else None
    with new_folder(out, overwrite=overwrite) as folder, bar or nullcontext():
        (folder / "images").mkdir()
        with sink(folder, categories) as put:
            for record in records:
                reason = _put(record, put, strict=losses is None)
                if reason is None:
                    written += 1
                else:
                    lost.add(f"{record.id} ({record.category})", reason)
                if bar is not None:
                    bar.update()
        if losses is not None:
            losses.extend(lost)
            if lost and not written:
                raise NothingLeft(f"{out}: none of {len(lost)} instances can be written, so nothing is")
    return ExportReport(Path(out), written, len(lost))


def _put(record: InstanceRecord, put: Sink, *, strict: bool) -> str | None:
    """Write a record; the reason where it is left out."""
    if record.image is None:
        return "has no picture"
    if record.mask is None:
        return "has no mask"
    try:
        put(record)
    except MaskError as error:
        if strict:
            raise
        return str(error)
    return None


def _export_through_coco(
    records: Iterable[InstanceRecord],
    out: Path,
    format: str,  # noqa: A002
    overwrite: bool,
    **options: Any,
) -> ExportReport:
    """Write a format that takes whole data sets: first COCO, beside ``out``, then from that."""
    writer = writers().get(format)
    if writer is None:
        raise DatasetError(f"format {format!r} is not known; known are {', '.join(writers())}")
    if not out.is_dir():
        refuse_existing(out, overwrite=overwrite)
    staging = out.absolute().parent / f".{out.name}.coco"
    shutil.rmtree(staging, ignore_errors=True)  # of a call that was killed
    try:
        report = export_instances(records, staging, "coco", **options)
        writer.write(read_dataset(staging / "annotations.json"), out, overwrite=overwrite)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return replace(report, path=out)


Sink: TypeAlias = Callable[[InstanceRecord], None]
"""Takes the records, one by one."""


@contextmanager
def _png_sink(folder: Path, categories: Iterable[Category]) -> Iterator[Sink]:
    (folder / "masks").mkdir()
    with (folder / "instances.jsonl").open("wb") as listing:
        yield lambda record: _put_png(record, folder, listing)


@contextmanager
def _coco_sink(folder: Path, categories: Iterable[Category], style: Literal["coco", "lvis"]) -> Iterator[Sink]:
    info = {"description": "generated instances (DiverGen)"}
    with DatasetWriter(folder / "annotations.json", categories, style=style, info=info) as dataset:
        ids: set[str] = set()
        yield lambda record: _put_annotation(record, folder, dataset, ids)


@contextmanager
def _fiftyone_sink(folder: Path, categories: Iterable[Category]) -> Iterator[Sink]:
    with writing_samples(folder) as put:
        yield lambda record: put(_sample(record, folder))


_SINKS: dict[str, Callable[[Path, Iterable[Category]], AbstractContextManager[Sink]]] = {
    "coco": partial(_coco_sink, style="coco"),
    "fiftyone": _fiftyone_sink,
    "lvis": partial(_coco_sink, style="lvis"),
    "png": _png_sink,
}
"""Formats that take the records as they come."""


def _put_png(record: InstanceRecord, folder: Path, listing: BinaryIO) -> None:
    mask = _decode_mask(record)
    name = _put_picture(record, folder)
    put_file(folder / "masks" / f"{record.id}.png", encode_image(mask.view(np.uint8) * np.uint8(255), "png"))
    row = _light(record, {"image", "alpha", "mask"})
    listing.write(msgspec.json.encode({"image": f"images/{name}", "mask": f"masks/{record.id}.png", **row}) + b"\n")


def provenance_of(record: InstanceRecord) -> dict[str, Any]:
    """Where an instance is from and what was decided: generator, revision, prompt, seed, scores, verdict, reason."""
    shown = {
        "image",
        "image_format",
        "width",
        "height",
        "alpha",
        "mask",
        "bbox",
        "category",
        "category_id",
        "frequency",
    }
    return _light(record, shown)


def _light(record: InstanceRecord, without: set[str]) -> dict[str, Any]:
    """What the record holds that is one word or number."""
    heavy = {name for name, value in (record.model_extra or {}).items() if not isinstance(value, (str, int, float))}
    return record.model_dump(mode="json", exclude=without | heavy, exclude_none=True)


_IN_SAMPLE = {"id", "image", "image_format", "width", "height", "alpha", "mask", "bbox"}
"""What a sample of FiftyOne says in its own way."""


def _sample(record: InstanceRecord, folder: Path) -> dict[str, Any]:
    mask = _decode_mask(record)
    x, y, width, height = (int(side) for side in mask_to_bbox(mask)) if mask.any() else (0, 0, *mask.shape[::-1])
    crop, size = mask[y : y + height, x : x + width], (mask.shape[0], mask.shape[1])
    objects = [detection(record.category, crop, (x, y, width, height), size)]
    fields = {name: value for name, value in _light(record, _IN_SAMPLE).items() if value is not None}  # it was NaN
    said, category = fields.get("review"), fields.get("review_category")
    tags = [f"category:{category}"] if category else [said] if said else []
    name = _put_picture(record, folder)
    return sample(f"images/{name}", size, objects, tags=tags, fields={**fields, "instance_id": record.id})


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
    extra = {"provenance": provenance_of(record)}
    area = float(mask.sum())
    writer.add_annotation(Annotation(number, number, record.category_id, bbox, area, segmentation, False, extra))


def _put_picture(record: InstanceRecord, folder: Path) -> str:
    name = record.id + _SUFFIX[record.image_format or "jpeg"]
    check_file_name(name, f"instance {record.id}")
    if PurePosixPath(name).name != name:
        raise DatasetError(f"instance {record.id!r}: the id cannot be a file's name")
    put_file(folder / "images" / name, record.image or b"")
    return name


def _decode_mask(record: InstanceRecord) -> Mask:
    if record.height is None or record.width is None:
        raise DatasetError(f"instance {record.id} has a picture but no width or height")
    try:
        return decode_counts(record.mask or "", record.height, record.width)
    except MaskError as error:
        raise MaskError(f"instance {record.id}: {error}") from error
