"""Bake: write the augmented dataset to disk, for trainers that read files (Ultralytics, mmdet, anything COCO).

While it works, each finished picture has a small note in the folder of unfinished work; killed and started again, a
bake goes on where it was, and ends with the same bytes. The folder appears under its name when all is written, the
labels of other formats included.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
from divergen_records import ConfigError, DivergenError, NothingLeft, WeightsError
from divergen_records.coco import Dataset, DatasetWriter, ImageInfo, load_sample
from divergen_records.folders import Unfinished, resumable_folder
from divergen_records.formats import add_format
from divergen_records.formats.coco.folder import write_folder
from divergen_records.images import encode_image
from divergen_records.losses import Losses
from divergen_records.sample import Sample
from divergen_records.temporary import new_name

from ..chain import Chain
from ..counting import counting
from ..paster import Paster
from ..processes import in_order, open_workers, worth_workers
from .notes import Note, copied_image, copied_objects, noted_annotation, original_object
from .plan import Plan, bake_identity, check_names
from .validation import renumbered

__all__ = ["bake"]

CHUNK = 16
"""Pictures that a worker takes at a time."""

_NONE = "{}: none of its {} pictures can be read, so nothing is baked; say which folder has them, --images FOLDER"


def bake(
    dataset: Dataset,
    paster: Paster | Chain,
    out: str | Path,
    *,
    copies: int = 1,
    keep_originals: bool = True,
    image_format: Literal["jpeg", "png"] = "jpeg",
    quality: int = 95,
    formats: Sequence[str] = (),
    val: Dataset | None = None,
    losses: Losses | None = None,
    workers: int | None = 0,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Write pasted copies of a dataset: ``OUT/images/`` and ``OUT/annotations.json`` in LVIS form.

    COCO readers read it too. Every pasted instance's annotation has its provenance under ``source``, every copy the id
    of its original under ``original_id``. Categories that were pasted leave ``neg_category_ids``; those that nobody had
    looked for in the image join ``not_exhaustive_category_ids``. Categories keep their frequency and counts, and
    everything its other keys.

    Args:
        dataset: The dataset.
        paster: What pastes; copy k of an image is drawn as in epoch k. Its categories are found among the dataset's by
            name.
        out: Folder to write; what is unfinished there is continued.
        copies: Pasted copies of each image.
        keep_originals: Copy the original pictures too.
        image_format: Of the copies.
        quality: Of JPEGs.
        formats: What else to write, see `divergen_records.formats`, for example ``["yolo"]``.
        val: A validation set, written unpasted into ``OUT/val``; YOLO's ``data.yaml`` names it.
        losses: Notes the pictures that could not be read; they are also in the file's ``info["skipped"]``.
        workers: Processes; 0 works in this one, None takes as many as the work is worth.
        overwrite: Replace a finished dataset that is there, or unfinished work with other settings.
        progress: Show progress.

    Returns:
        The path of ``annotations.json``.

    Raises:
        ConfigError: If the pool has categories that are not the dataset's.
        DatasetError: If ``out`` holds something else, or names collide.
        NothingLeft: If no picture can be read.
    """
    paster = paster.matched(dataset.categories)
    lost = Losses()
    plan = Plan.of(dataset, copies=copies, keep_originals=keep_originals, image_format=image_format, quality=quality)
    check_names(dataset, plan, formats)
    val = None if val is None else renumbered(val, dataset)
    identity = bake_identity(dataset, paster, plan, formats, val)
    if workers is None:  # a model is held once
        workers = 0 if paster.relights else worth_workers(len(dataset.images) * (copies + 1))
    with resumable_folder(out, identity, overwrite=overwrite) as folder:
        work = partial(_bake_chunk, paster=paster, plan=plan, folder=folder)
        with counting("bake", len(dataset.images), "images", show=progress) as count, open_workers(workers) as executor:
            for done, failed in in_order(executor, work, _chunks(dataset), ahead=2 * workers + 1):
                lost.extend(failed)
                count(done)
        if losses is not None:
            losses.extend(lost)
        if len(lost) == len(dataset.images):
            raise NothingLeft(_NONE.format(dataset.path, len(lost)))
        _write_annotations(dataset, plan, folder, identity, lost)
        if val is not None:
            _write_val(val, folder.path / "val")
        for name in formats:
            add_format(name, folder.path, overwrite=True, progress=progress)
    return Path(out) / "annotations.json"


def _write_val(val: Dataset, path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)  # of a process killed after it, with labels by now
    write_folder(val, path, style="lvis", overwrite=True)


def _chunks(dataset: Dataset) -> Iterator[Dataset]:
    """Small datasets, so that a worker gets only what it works on."""
    for start in range(0, len(dataset.images), CHUNK):
        images = dataset.images[start : start + CHUNK]
        annotations = [annotation for info in images for annotation in dataset.annotations_of(info.id)]
        yield Dataset(dataset.path, dataset.image_dir, images, annotations, ())


def _bake_chunk(
    dataset: Dataset, paster: Paster | Chain, plan: Plan, folder: Unfinished
) -> tuple[int, list[tuple[str, str]]]:
    """The number of images, and those that could not be read, and why."""
    lost = []
    for info in dataset.images:
        try:
            _bake_image(dataset, info, paster, plan, folder)
        except (ConfigError, WeightsError):  # not this picture's fault
            raise
        except DivergenError as error:
            lost.append((info.file_name, str(error)))
    return len(dataset.images), lost


def _bake_image(dataset: Dataset, info: ImageInfo, paster: Paster | Chain, plan: Plan, folder: Unfinished) -> None:
    """Write the original and the copies, as far as there is no note of them yet."""
    missing = [number for number in plan.numbers if not _note_path(folder, info, number).exists()]
    if not missing:
        return
    sample = load_sample(dataset, info)
    originals = {annotation.id: original_object(annotation) for annotation in dataset.annotations_of(info.id)}
    for number in missing:
        target = folder.path / "images" / plan.file_name(info, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        if number == 0:
            target.write_bytes(dataset.image_path(info).read_bytes())
            note = Note(info, list(originals.values()))
        else:
            before: Sample = replace(sample, epoch=number)
            after = paster(before)
            target.write_bytes(encode_image(after.image, plan.image_format, plan.quality))
            row = copied_image(info, plan.image_id(info, number), plan.file_name(info, number), before, after)
            note = Note(row, copied_objects(before, after, originals))
        _put(_note_path(folder, info, number), msgspec.json.encode(note))


def _note_path(folder: Unfinished, info: ImageInfo, number: int) -> Path:
    return folder.parts / f"{info.id}-{number}.json"


def _put(path: Path, data: bytes) -> None:
    """Write a note whole or not at all; one that a power cut emptied is not worth waiting for the disk each time."""
    with new_name(path) as temporary:
        temporary.write_bytes(data)
        temporary.replace(path)


def _write_annotations(dataset: Dataset, plan: Plan, folder: Unfinished, identity: str, losses: Losses) -> None:
    """Put the notes together."""
    free = max((annotation.id for annotation in dataset.annotations), default=0) + 1
    said = {"description": f"{dataset.path.name} with pasted instances", **dataset.info}
    writer = DatasetWriter(
        folder.path / "annotations.json",
        dataset.categories,
        info=said | {"bake": identity, "skipped": [reason for _, reason in losses]},
        licenses=dataset.licenses,
        extra=dataset.extra,
        category_rows=dataset.category_rows,
        overwrite=True,
    )
    decoder, left_out = msgspec.json.Decoder(Note), {name for name, _ in losses}
    with writer:
        for info in dataset.images:
            for number in plan.numbers if info.file_name not in left_out else ():
                note = decoder.decode(_note_path(folder, info, number).read_bytes())
                writer.add_image(note.image)
                for item in note.objects:
                    if item.id is None:
                        item.id, free = free, free + 1
                    writer.add_annotation(noted_annotation(item, note.image.id))
