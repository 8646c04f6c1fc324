"""From a COCO or LVIS dataset to the embeddings of its instances."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import DivergenError, MaskError, Progress
from divergen_records.cores import usable_cores
from divergen_records.errors import NothingLeft

from .config import CropConfig
from .embedder import Embedder, Image
from .references import References
from .resume import EmbeddedCrops, ResumeFolder
from .similarity import bad_vectors

if TYPE_CHECKING:
    from divergen_records.coco import Annotation, Dataset, ImageInfo

    from .crops import Fill

__all__ = ["reference_crops", "reference_embeddings"]

_PART = 256
"""Pictures of a part: what is done again at most after a kill."""

_CHUNK = 64
"""Crops given to the embedder at a time."""


def reference_embeddings(
    dataset: Dataset,
    embedder: Embedder,
    *,
    fill: Fill = "black",
    margin: int = 0,
    min_side: int = 80,
    square: bool = False,
    min_area: int = 100,
    max_per_category: int | None = None,
    workers: int | None = None,
    resume: Path | None = None,
    progress: bool = True,
) -> References:
    """Embed the real instances of a dataset; each picture is decoded once for all of its instances.

    Crowds and tiny instances are left out; so is a picture that cannot be read, and it is counted in ``skipped``.

    Args:
        dataset: A COCO or LVIS dataset with its pictures.
        embedder: Makes the vectors.
        fill: What replaces the pixels outside of the mask. The published crops have ``"blur"``, a 10 × 10 box filter,
            and the generated ones black; a small network is better at comparing like with like, black with black.
        margin: Room on each side of the object's box, pixels; 40 in DiverGen's script, whose crops are so at least
            80 px wide.
        min_side: The crop's sides are at least this long where the picture allows, pixels.
        square: Widen the shorter side of the crop to the longer.
        min_area: Instances with fewer mask pixels are left out.
        max_per_category: Embed only this many of a category, the largest ones; all where None.
        workers: Threads that decode and crop while the model runs; the number of CPU cores where None.
        resume: Folder for finished parts: a call with the same folder goes on where this one was killed. It is
            removed at the end.
        progress: Show progress.

    Raises:
        NothingLeft: If no instance is left.
        ConfigError: If ``resume`` holds parts of other data, another model or other settings.
    """
    crop = CropConfig(fill=fill, margin=margin, min_side=min_side, square=square)
    skipped: Counter[str] = Counter()
    chosen = _choose(dataset, min_area, max_per_category, skipped)
    images = [image for image in dataset.images if image.id in chosen]
    parts = ResumeFolder(resume, _task(embedder, crop, images, chosen))
    done: list[EmbeddedCrops] = []
    with Progress("real crops", len(images), unit="images") if progress else nullcontext() as bar:
        for number, start in enumerate(range(0, len(images), _PART)):
            some = images[start : start + _PART]
            part = parts.load(number)
            if part is None:
                part = _embed(dataset, some, chosen, crop, embedder, workers or usable_cores())
                parts.save(number, part)
            done.append(part)
            skipped.update(part.skipped)
            if bar is not None:
                bar.update(len(some))
    if not any(len(part.embeddings) for part in done):
        parts.remove()
        reasons = ", ".join(f"{count} x {reason}" for reason, count in skipped.items())
        raise NothingLeft(
            f"{dataset.path}: no instance is left to compare with" + (f"; left out: {reasons}" if reasons else "")
        )
    references = References(
        embedder.identity,
        np.concatenate([part.embeddings for part in done]),
        np.concatenate([part.category_ids for part in done]),
        np.concatenate([part.annotation_ids for part in done]),
        dict(skipped),
        crops=f"{crop}, from {min_area} mask pixels",
    )
    parts.remove()
    return references


def on_purpose(reason: str) -> bool:
    """Whether instances were left out because the settings say so; else they are lost."""
    return reason == "crowd" or reason.startswith(("area below ", "enough of its category"))


def reference_crops(
    dataset: Dataset, images: Sequence[ImageInfo], *, crop: CropConfig, workers: int = 1
) -> Iterator[list[tuple[Annotation, Image]]]:
    """The crops of all objects of these images, image after image; pictures are decoded ahead by a few."""
    chosen = {image.id: dataset.annotations_of(image.id) for image in images}
    return _overlapped(dataset, images, chosen, crop, Counter(), workers)


def _task(
    embedder: Embedder, crop: CropConfig, images: Sequence[ImageInfo], chosen: dict[int, list[Annotation]]
) -> dict[str, Any]:
    """What decides the parts: model, settings and data."""
    digest = sha256()
    for image in images:
        notes = [(note.id, note.category_id, note.bbox, note.area) for note in chosen[image.id]]
        digest.update(f"{image.id} {image.file_name} {notes}".encode())
    return {"embedder": embedder.identity, "crop": str(crop), "data": digest.hexdigest(), "pictures": _PART}


def _embed(
    dataset: Dataset,
    images: Sequence[ImageInfo],
    chosen: dict[int, list[Annotation]],
    crop: CropConfig,
    embedder: Embedder,
    workers: int,
) -> EmbeddedCrops:
    """The real crops of some pictures."""
    skipped: Counter[str] = Counter()
    vectors = [np.zeros((0, embedder.dim), dtype=np.float32)]
    notes: list[Annotation] = []
    buffer: list[tuple[Annotation, Image]] = []

    def flush(count: int) -> None:
        found = embedder([picture for _, picture in buffer[:count]])
        good = ~bad_vectors(found)
        vectors.append(found[good])
        notes.extend(note for (note, _), keep in zip(buffer, good, strict=False) if keep)
        if not good.all():
            skipped["the model gave a vector that is zero or not a number"] += int((~good).sum())
        del buffer[:count]

    for crops in _overlapped(dataset, images, chosen, crop, skipped, workers):
        buffer.extend(crops)
        while len(buffer) >= _CHUNK:
            flush(_CHUNK)
    if buffer:
        flush(len(buffer))
    categories = np.array([note.category_id for note in notes], dtype=np.int64)
    return EmbeddedCrops(
        np.concatenate(vectors), categories, np.array([note.id for note in notes], dtype=np.int64), skipped
    )


def _choose(
    dataset: Dataset, min_area: int, max_per_category: int | None, skipped: Counter[str]
) -> dict[int, list[Annotation]]:
    """Annotations to embed, by image id."""
    candidates, areas = [], {annotation.id: _mask_area(dataset, annotation) for annotation in dataset.annotations}
    for annotation in dataset.annotations:
        small = areas[annotation.id] < min_area
        reason = "crowd" if annotation.iscrowd else f"area below {min_area}" if small else None
        if reason:
            skipped[reason] += 1
        else:
            candidates.append(annotation)
    if max_per_category is not None:
        seen: Counter[int] = Counter()
        largest = sorted(candidates, key=lambda annotation: (-areas[annotation.id], annotation.id))
        candidates = []
        for annotation in largest:
            seen[annotation.category_id] += 1
            if seen[annotation.category_id] <= max_per_category:
                candidates.append(annotation)
            else:
                skipped["enough of its category"] += 1
    chosen: dict[int, list[Annotation]] = {}
    for annotation in sorted(candidates, key=lambda annotation: annotation.id):
        chosen.setdefault(annotation.image_id, []).append(annotation)
    return chosen


def _mask_area(dataset: Dataset, annotation: Annotation) -> float:
    """Pixels of the mask; of one that is empty or does not fit what the file declares: that is told on cutting out."""
    try:
        return dataset.measure(annotation)[1] or annotation.area
    except MaskError:
        return annotation.area


def _overlapped(
    dataset: Dataset,
    images: Sequence[ImageInfo],
    chosen: dict[int, list[Annotation]],
    crop: CropConfig,
    skipped: Counter[str],
    workers: int,
) -> Iterator[list[tuple[Annotation, Image]]]:
    """Crops of image after image, in order, decoded ahead by a few."""
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[tuple[list[tuple[Annotation, Image]], list[str]]]] = deque()
        for image in images:
            ahead.append(pool.submit(_crops_of, dataset, image, chosen[image.id], crop))
            if len(ahead) > 2 * workers:
                crops, reasons = ahead.popleft().result()
                skipped.update(reasons)
                yield crops
        while ahead:
            crops, reasons = ahead.popleft().result()
            skipped.update(reasons)
            yield crops


def _crops_of(
    dataset: Dataset, info: ImageInfo, annotations: list[Annotation], crop: CropConfig
) -> tuple[list[tuple[Annotation, Image]], list[str]]:
    """An image's crops, and why others are missing."""
    from divergen_records.images import read_image
    from divergen_records.masks import crop_segmentation

    from .crops import crop_instance

    try:
        picture = read_image(dataset.image_path(info), size=(info.height, info.width))
    except DivergenError as error:
        return [], [f"unreadable picture {info.file_name}: {error}"] * len(annotations)
    crops, reasons, options = [], [], crop.model_dump()
    for annotation in annotations:
        try:
            mask, x, y = crop_segmentation(annotation.segmentation, info.height, info.width)
            crops.append((annotation, crop_instance(picture, mask, x=x, y=y, **options)))
        except DivergenError as error:
            reasons.append(f"annotation {annotation.id}: {error}")
    return crops, reasons
