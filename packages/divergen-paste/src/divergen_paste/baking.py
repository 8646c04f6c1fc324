"""Bake: write the augmented dataset to disk, for trainers that read files (Ultralytics, mmdet, anything COCO).

While it works, each finished picture has a small file in ``OUT/.parts``; killed and started again, a bake goes on
where it was, and ends with the same bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec
from divergen_records import Category, DatasetError, DivergenError, short_hash
from divergen_records.coco import Annotation, Dataset, ImageInfo, frequency_of, load_sample
from divergen_records.images import encode_image
from divergen_records.sample import Instance, Sample

from .chain import Chain
from .counting import counting
from .functional import instance_annotation
from .paster import Paster

__all__ = ["bake"]

CHUNK = 16
"""Pictures that a worker takes at a time."""


def bake(
    dataset: Dataset,
    paster: Paster | Chain,
    out: str | Path,
    *,
    copies: int = 1,
    keep_originals: bool = True,
    image_format: Literal["jpeg", "png"] = "jpeg",
    quality: int = 95,
    workers: int = 0,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Write pasted copies of a dataset: ``OUT/images/`` and ``OUT/annotations.json`` in LVIS form.

    COCO readers read it too. Every pasted instance's annotation has its provenance under ``source``, every copy the id
    of its original under ``original_id``. Categories that were pasted leave ``neg_category_ids``; those that nobody had
    looked for in the image join ``not_exhaustive_category_ids``. Categories keep their frequency and counts.

    Args:
        dataset: The dataset.
        paster: What pastes; copy k of an image is drawn as in epoch k.
        out: Folder to write; what is unfinished there is continued.
        copies: Pasted copies of each image.
        keep_originals: Copy the original pictures too.
        image_format: Of the copies.
        quality: Of JPEGs.
        workers: Processes; 0 works in this one.
        overwrite: Replace a finished dataset that is there.
        progress: Show progress.

    Returns:
        The path of ``annotations.json``. Pictures that could not be read are named in its ``info["skipped"]``.

    Raises:
        DatasetError: If ``out`` holds another dataset or an unfinished bake with other settings, or names collide.
    """
    out = Path(out)
    plan = _Plan(out, copies, keep_originals, image_format, quality, _offset(dataset))
    _check_names(dataset, plan)
    identity = _identity(dataset, paster, plan)
    _prepare(out, identity, overwrite)
    with counting("bake", len(dataset.images), "images", show=progress) as count, _executor(workers) as executor:
        tasks = [executor.submit(_bake_chunk, chunk, paster, plan) for chunk in _chunks(dataset)]
        for task in tasks:
            count(task.result())
    _merge(dataset, plan, identity)
    shutil.rmtree(out / ".parts")
    for stale in (out / "images").rglob(".*.tmp"):
        stale.unlink()  # of a process that was killed while it wrote
    return out / "annotations.json"


@dataclass(frozen=True)
class _Plan:
    """What is written where; ``offset`` is the distance between the ids of an image and of its next copy."""

    out: Path
    copies: int
    keep_originals: bool
    image_format: Literal["jpeg", "png"]
    quality: int
    offset: int

    @property
    def numbers(self) -> range:
        """Copies by number; 0 is the original."""
        return range(0 if self.keep_originals else 1, self.copies + 1)

    def file_name(self, info: ImageInfo, number: int) -> str:
        name = PurePosixPath(info.file_name)
        suffix = {"jpeg": ".jpg", "png": ".png"}[self.image_format]
        return str(name if number == 0 else name.with_name(f"{name.stem}_paste{number}{suffix}"))

    def part(self, info: ImageInfo, number: int) -> Path:
        return self.out / ".parts" / f"{info.id}-{number}.json"


def _offset(dataset: Dataset) -> int:
    return max((image.id for image in dataset.images), default=0) + 1


def _check_names(dataset: Dataset, plan: _Plan) -> None:
    owners: dict[str, int] = {}
    for info in dataset.images:
        for number in plan.numbers:
            name = plan.file_name(info, number)
            if owners.setdefault(name, info.id) != info.id:
                raise DatasetError(
                    f"{dataset.path}: images {owners[name]} and {info.id} would both be written as {name!r}; rename one"
                )


def _identity(dataset: Dataset, paster: Paster | Chain, plan: _Plan) -> str:
    settings = (plan.copies, plan.keep_originals, plan.image_format, plan.quality)
    images = short_hash(*((info.id, info.file_name) for info in dataset.images))
    annotations = short_hash(*((item.id, item.category_id, item.bbox) for item in dataset.annotations))
    return short_hash("bake/1", paster.identity, settings, images, annotations)


def _prepare(out: Path, identity: str, overwrite: bool) -> None:
    if (out / "annotations.json").exists():
        if not overwrite:
            raise DatasetError(f"{out} holds a finished dataset; choose another folder or allow to overwrite it")
        (out / "annotations.json").unlink()
    elif out.exists() and any(out.iterdir()) and not (out / ".parts").is_dir():
        raise DatasetError(f"{out} is not empty and no unfinished bake; choose another folder")
    settings = out / ".parts" / "settings"
    if settings.exists() and settings.read_text(encoding="utf-8") != identity:
        if not overwrite:
            raise DatasetError(
                f"{out} holds an unfinished bake with other settings; finish that one, or allow to overwrite it"
            )
        shutil.rmtree(out / ".parts")
    (out / "images").mkdir(parents=True, exist_ok=True)
    settings.parent.mkdir(exist_ok=True)
    _write(settings, identity.encode())


def _executor(workers: int) -> Executor:
    # Spawned, not forked: the caller may have threads, and a pool reopens by its path at no cost.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers else ThreadPoolExecutor(1)


def _chunks(dataset: Dataset) -> Iterator[Dataset]:
    """Small datasets, so that a worker gets only what it works on."""
    for start in range(0, len(dataset.images), CHUNK):
        images = dataset.images[start : start + CHUNK]
        annotations = [annotation for info in images for annotation in dataset.annotations_of(info.id)]
        yield Dataset(dataset.path, dataset.image_dir, images, annotations, ())


def _bake_chunk(dataset: Dataset, paster: Paster | Chain, plan: _Plan) -> int:
    """Write the pictures and parts that are missing; returns the number of images."""
    for info in dataset.images:
        for number in plan.numbers:
            if not plan.part(info, number).exists():
                try:
                    part = _bake_image(dataset, info, number, paster, plan)
                except DivergenError as error:
                    part = {"error": str(error)}
                _write(plan.part(info, number), msgspec.json.encode(part))
    return len(dataset.images)


def _bake_image(dataset: Dataset, info: ImageInfo, number: int, paster: Paster | Chain, plan: _Plan) -> dict[str, Any]:
    target = plan.out / "images" / plan.file_name(info, number)
    target.parent.mkdir(parents=True, exist_ok=True)
    originals = {annotation.id: _annotation_row(annotation) for annotation in dataset.annotations_of(info.id)}
    sample = load_sample(dataset, info, epoch=number)
    if number == 0:
        _write(target, dataset.image_path(info).read_bytes())
        return {"image": _image_row(info), "annotations": list(originals.values())}
    result = paster(sample)
    _write(target, encode_image(result.image, plan.image_format, plan.quality))
    image = _copy_row(info, sample, result)
    image |= {"id": info.id + number * plan.offset, "file_name": plan.file_name(info, number), "original_id": info.id}
    untouched = {id(instance) for instance in sample.instances}
    rows = [
        originals[instance.annotation_id or 0] | {"id": None}
        if id(instance) in untouched
        else {"id": None, **instance_annotation(instance, sample.image.shape[:2])}
        for instance in result.instances
    ]
    return {"image": image, "annotations": rows}


def _image_row(info: ImageInfo) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(info).items() if value is not None}


def _copy_row(info: ImageInfo, sample: Sample, result: Sample) -> dict[str, Any]:
    """The image's row with its lists of categories as they are after the paste."""

    def shown(instances: tuple[Instance, ...]) -> set[int]:
        return {instance.category_id for instance in instances}

    pasted = shown(tuple(instance for instance in result.instances if instance.source is not None))
    unseen = pasted - shown(sample.instances) - set(info.neg_category_ids)
    return _image_row(info) | {
        "neg_category_ids": sorted(set(info.neg_category_ids) - pasted),
        "not_exhaustive_category_ids": sorted(set(info.not_exhaustive_category_ids) | unseen),
    }


def _annotation_row(annotation: Annotation) -> dict[str, Any]:
    return {
        "id": annotation.id,
        "category_id": annotation.category_id,
        "bbox": annotation.bbox,
        "area": annotation.area,
        "iscrowd": int(annotation.iscrowd),
        "segmentation": annotation.stored_segmentation,
    }


def _merge(dataset: Dataset, plan: _Plan, identity: str) -> None:
    """Put the parts together; the file appears whole."""
    images, skipped = [], []
    free = max((annotation.id for annotation in dataset.annotations), default=0) + 1
    path = plan.out / "annotations.json"
    temporary = path.with_name(f".{path.name}.tmp")
    encode = msgspec.json.encode
    with temporary.open("wb") as file:
        file.write(b'{"annotations":[')
        first = True
        for part in (plan.part(info, number) for info in dataset.images for number in plan.numbers):
            content = msgspec.json.decode(part.read_bytes())
            if "error" in content:
                skipped.append(content["error"])
                continue
            images.append(encode(content["image"]))
            for row in content["annotations"]:
                if row["id"] is None:
                    row["id"], free = free, free + 1
                file.write((b"\n" if first else b",\n") + encode(row | {"image_id": content["image"]["id"]}))
                first = False
        info = {"description": f"{dataset.path.name} with pasted instances", "bake": identity, "skipped": skipped}
        file.write(b'\n],"images":[\n' + b",\n".join(images) + b'\n],"categories":[\n')
        file.write(b",\n".join(encode(_category_row(category)) for category in dataset.categories))
        file.write(b'\n],"licenses":[],"info":' + encode(info) + b"}\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _category_row(category: Category) -> dict[str, Any]:
    return {
        "id": category.id,
        "name": category.name,
        "synonyms": category.synonyms or (category.name,),
        "synset": category.synset or "",
        "def": category.definition or "",
        "frequency": category.frequency or frequency_of(category.image_count or 0),
        "image_count": category.image_count or 0,
        "instance_count": category.instance_count or 0,
    }


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
