"""Embeddings of the real instances, against which generated ones are judged."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from divergen_records import ConfigError, DatasetError, DivergenError, Progress
from numpy.typing import NDArray

from .embedder import Embedder, Embeddings, Image
from .similarity import check_vectors

if TYPE_CHECKING:
    from divergen_records.coco import Annotation, Dataset, ImageInfo

    from .crops import Fill

__all__ = ["References", "check_target", "reference_embeddings"]

_FORMAT = "divergen-references/1"


@dataclass(frozen=True)
class References:
    """Real crops' embeddings.

    Attributes:
        embedder: Identity of the model that made them.
        embeddings: (N, D) float32, unit rows.
        category_ids: (N,) int64.
        annotation_ids: (N,) int64, in the dataset's file.
        skipped: What was left out, by reason.
    """

    embedder: str
    embeddings: Embeddings
    category_ids: NDArray[np.int64]
    annotation_ids: NDArray[np.int64]
    skipped: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.embeddings)
        if self.embeddings.ndim != 2 or self.category_ids.shape != (count,) or self.annotation_ids.shape != (count,):
            raise ValueError(
                f"N embeddings (N, D) need N category and annotation ids, these are {self.embeddings.shape}, "
                f"{self.category_ids.shape} and {self.annotation_ids.shape}"
            )
        check_vectors(self.embeddings)

    def of(self, category_id: int) -> Embeddings:
        """The embeddings of a category, (n, D)."""
        return np.asarray(self.embeddings[self.category_ids == category_id])

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write to an ``.npz`` file, whole or not at all."""
        check_target(path, overwrite)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.npz")
        reasons = sorted(self.skipped.items())
        try:
            np.savez(
                temporary,
                format=np.array(_FORMAT),
                embedder=np.array(self.embedder),
                embeddings=self.embeddings,
                category_ids=self.category_ids,
                annotation_ids=self.annotation_ids,
                skipped_reasons=np.array([reason for reason, _ in reasons], dtype=np.str_),
                skipped_counts=np.array([count for _, count in reasons], dtype=np.int64),
            )
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> References:
        """Read what `save` wrote.

        Raises:
            ConfigError: If there is no such file, or it is something else.
        """
        if not path.is_file():
            raise ConfigError(f"{path}: there are no references; make them with divergen-filter embed-real")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                if str(data["format"]) != _FORMAT:
                    raise ConfigError(f"{path}: references in the format {data['format']}, this reads {_FORMAT}")
                skipped = dict(zip(data["skipped_reasons"].tolist(), data["skipped_counts"].tolist(), strict=True))
                arrays = (data["embeddings"], data["category_ids"], data["annotation_ids"])
                return cls(str(data["embedder"]), *arrays, skipped=skipped)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise ConfigError(f"{path}: this is no file of references, or it is damaged ({error})") from error


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unasked, before the work begins; raises `ConfigError`."""
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} is there already; choose another name, or ask to overwrite it")


def reference_embeddings(
    dataset: Dataset,
    embedder: Embedder,
    *,
    fill: Fill = "black",
    min_side: int = 80,
    square: bool = False,
    min_area: int = 100,
    max_per_category: int | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> References:
    """Embed the real instances of a dataset; each picture is decoded once for all of its instances.

    Crowds and tiny instances are left out; so is a picture that cannot be read, and it is counted in ``skipped``.

    Args:
        dataset: A COCO or LVIS dataset with its pictures.
        embedder: Makes the vectors.
        fill: What replaces the pixels outside of the mask. The published crops have ``"blur"``, a 10 × 10 box filter,
            and the generated ones black; a small network is better at comparing like with like, black with black.
        min_side: The crop's sides are at least this long where the picture allows, pixels; published: 80.
        square: Widen the shorter side of the crop to the longer.
        min_area: Instances with fewer mask pixels are left out.
        max_per_category: Embed only this many of a category, the largest ones; all where None.
        workers: Threads that decode and crop while the model runs; the number of CPU cores where None.
        progress: Show progress.

    Raises:
        DatasetError: If no instance is left.
    """
    skipped: Counter[str] = Counter()
    chosen = _choose(dataset, min_area, max_per_category, skipped)
    images = [image for image in dataset.images if image.id in chosen]
    parts: list[tuple[Embeddings, list[int], list[int]]] = []
    buffer: list[tuple[Annotation, Image]] = []
    options: dict[str, Any] = {"fill": fill, "min_side": min_side, "square": square}
    with Progress("real crops", len(images), unit="images") if progress else nullcontext() as bar:
        for crops in _overlapped(dataset, images, chosen, options, skipped, workers or os.cpu_count() or 1):
            buffer.extend(crops)
            while len(buffer) >= _CHUNK:
                parts.append(_embed(buffer[:_CHUNK], embedder))
                del buffer[:_CHUNK]
            if isinstance(bar, Progress):
                bar.update()
        if buffer:
            parts.append(_embed(buffer, embedder))
    if not parts:
        raise DatasetError(f"{dataset.path}: no instance is left to compare with; left out: {dict(skipped)}")
    vectors, categories, annotations = zip(*parts, strict=True)
    return References(
        embedder.identity,
        np.concatenate(vectors),
        np.array(list(chain(*categories)), dtype=np.int64),
        np.array(list(chain(*annotations)), dtype=np.int64),
        dict(skipped),
    )


_CHUNK = 64


def _embed(crops: list[tuple[Annotation, Image]], embedder: Embedder) -> tuple[Embeddings, list[int], list[int]]:
    vectors = embedder([crop for _, crop in crops])
    return vectors, [note.category_id for note, _ in crops], [note.id for note, _ in crops]


def _choose(
    dataset: Dataset, min_area: int, max_per_category: int | None, skipped: Counter[str]
) -> dict[int, list[Annotation]]:
    """Annotations to embed, by image id."""
    candidates = []
    for annotation in dataset.annotations:
        reason = "crowd" if annotation.iscrowd else f"area below {min_area}" if annotation.area < min_area else None
        if reason:
            skipped[reason] += 1
        else:
            candidates.append(annotation)
    if max_per_category is not None:
        seen: Counter[int] = Counter()
        largest = sorted(candidates, key=lambda annotation: (-annotation.area, annotation.id))
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


def _overlapped(
    dataset: Dataset,
    images: list[ImageInfo],
    chosen: dict[int, list[Annotation]],
    options: dict[str, Any],
    skipped: Counter[str],
    workers: int,
) -> Iterator[list[tuple[Annotation, Image]]]:
    """Crops of image after image, in order, decoded ahead by a few."""
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[tuple[list[tuple[Annotation, Image]], list[str]]]] = deque()
        for image in images:
            ahead.append(pool.submit(_crops_of, dataset, image, chosen[image.id], options))
            if len(ahead) > 2 * workers:
                crops, reasons = ahead.popleft().result()
                skipped.update(reasons)
                yield crops
        while ahead:
            crops, reasons = ahead.popleft().result()
            skipped.update(reasons)
            yield crops


def _crops_of(
    dataset: Dataset, info: ImageInfo, annotations: list[Annotation], options: dict[str, Any]
) -> tuple[list[tuple[Annotation, Image]], list[str]]:
    """An image's crops, and why others are missing."""
    from divergen_records.images import read_image
    from divergen_records.masks import crop_segmentation

    from .crops import crop_instance

    try:
        picture = read_image(dataset.image_path(info), size=(info.height, info.width))
    except DivergenError as error:
        return [], [f"unreadable picture {info.file_name}: {error}"] * len(annotations)
    crops, reasons = [], []
    for annotation in annotations:
        try:
            mask, x, y = crop_segmentation(annotation.segmentation, info.height, info.width)
            crops.append((annotation, crop_instance(picture, mask, x=x, y=y, **options)))
        except DivergenError as error:
            reasons.append(f"annotation {annotation.id}: {error}")
    return crops, reasons
