"""MiniLVIS on disk: long-tailed train and val sets in LVIS v1 format, drawn scene by scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from divergen_records import Category, ConfigError, Progress, derive_seed
from divergen_records.coco import Annotation, ImageInfo, frequency_of, write_lvis
from divergen_records.folders import new_folder
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle, mask_to_bbox

from .. import renderer
from ..boxes import Box, read_box
from ..workers import Workers
from .scene import draw_scene
from .tail import assign_categories, zipf_counts
from .vocabulary import describe

__all__ = ["MiniLVIS", "make_minilvis", "sketch_categories"]

SPLITS: tuple[Literal["train", "val"], ...] = ("train", "val")


@dataclass(frozen=True)
class MiniLVIS:
    """Where a MiniLVIS is.

    Attributes:
        root: The folder; file names in the annotation files are relative to it.
        train: Annotation file of the training set.
        val: Annotation file of the validation set.
    """

    root: Path
    train: Path
    val: Path


@dataclass(frozen=True)
class _Job:
    split: Literal["train", "val"]
    index: int
    categories: tuple[str, ...]
    seed: int

    @property
    def file_name(self) -> str:
        return f"{self.split}/{self.index + 1:06d}.jpg"


@dataclass(frozen=True)
class _Drawn:
    job: _Job
    jpeg: bytes
    width: int
    height: int
    objects: tuple[tuple[str, tuple[float, float, float, float], float, dict[str, Any]], ...]
    hidden: frozenset[str]


def make_minilvis(
    out: Path | str,
    *,
    box: str = "classic",
    seed: int = 0,
    train_images: int | None = None,
    val_images: int | None = None,
    size: int | None = None,
    categories: int | Sequence[str] | None = None,
    negatives: int = 8,
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
) -> MiniLVIS:
    """Make a long-tailed instance segmentation dataset from the renderer's scenes, in LVIS v1 format.

    The training images of a category follow Zipf's law with a flattened head, in an order of categories that the seed
    decides; at the default size there are frequent (over 100 images), common (11-100) and rare (1-10) ones. Masks are
    the visible parts, exact to the pixel. Categories that the renderer knows and the dataset does not list appear as
    clutter without annotation.

    Args:
        out: The folder; it appears when it is complete: ``train.json``, ``val.json`` and the pictures in ``train/`` and
            ``val/``.
        box: What the objects look like: one of `divergen_minilvis.boxes.BOXES`, or a YAML file like theirs.
        seed: Everything depends on it and the other arguments only, but not on ``workers``.
        train_images: Pictures to train on; the box's where left out, as the next three.
        val_images: Pictures to evaluate on.
        size: Longer side, pixels.
        categories: Names that the renderer knows, or how many of them to choose by the seed.
        negatives: Categories per picture that are certified to be absent (``neg_category_ids``).
        workers: Processes; more than one needs an importable ``__main__``.
        overwrite: Replace a MiniLVIS that is there.
        progress: Show progress on standard error.

    Raises:
        ExistsError: The folder is there and not empty.
        ConfigError: Too few images, or a box or category that is not known.
    """
    out, chosen = Path(out), read_box(box)
    train_images = chosen.train.images if train_images is None else train_images
    val_images = chosen.val.images if val_images is None else val_images
    size = chosen.size if size is None else size
    if min(train_images, val_images) < 10 or size < 64:
        raise ConfigError(
            f"MiniLVIS needs at least 10 images in each set and 64 pixels, not {train_images}, {val_images} and {size}"
        )
    names = _choose(chosen.categories if categories is None else categories, seed)
    jobs = [*_jobs("train", train_images, names, seed, chosen), *_jobs("val", val_images, names, seed, chosen)]
    with new_folder(out, overwrite=overwrite) as folder:
        drawn = _draw_all(jobs, folder, names, partial(_draw, size=size, box=chosen), workers, progress)
        _write_splits(folder, drawn, names, seed, negatives)
    return MiniLVIS(out, out / "train.json", out / "val.json")


def sketch_categories(
    *,
    box: str = "classic",
    seed: int = 0,
    train_images: int | None = None,
    categories: int | Sequence[str] | None = None,
) -> list[Category]:
    """The categories that `make_minilvis` would make, without drawing anything.

    Their counts are of objects that are put into the training images; the few that end up hidden are among them.
    """
    chosen = read_box(box)
    images = chosen.train.images if train_images is None else train_images
    names = _choose(chosen.categories if categories is None else categories, seed)
    put = Counter(name for job in _jobs("train", images, names, seed, chosen) for name in job.categories)
    return [
        describe(name, place + 1).model_copy(
            update={"frequency": frequency_of(put[name]), "image_count": put[name], "instance_count": put[name]}
        )
        for place, name in enumerate(sorted(names))
    ]


def _choose(categories: int | Sequence[str], seed: int) -> list[str]:
    """Names of the categories, the most frequent one first."""
    known = renderer.category_names()
    rng = np.random.default_rng(derive_seed(seed, "minilvis", "categories"))
    if isinstance(categories, int):
        if not 2 <= categories <= len(known):
            raise ConfigError(f"categories: {categories} is not in 2..{len(known)}, what the procedural renderer knows")
        return [known[i] for i in rng.permutation(len(known))[:categories]]
    found = {name: renderer.known(name) for name in categories}
    unknown = [name for name, program in found.items() if program is None]
    if unknown:
        raise ConfigError(
            f"categories: the procedural renderer does not know {unknown[0]!r}; it knows {', '.join(known)}"
        )
    names = sorted({program for program in found.values() if program is not None})
    if len(names) < 2:
        raise ConfigError("categories: at least two are needed")
    return [names[i] for i in rng.permutation(len(names))]


def _jobs(split: Literal["train", "val"], images: int, names: Sequence[str], seed: int, box: Box) -> Iterable[_Job]:
    head = max(1, round(box.split(split).head * images))
    counts = zipf_counts(len(names), head=head, tail=min(head, box.split(split).tail))
    rng = np.random.default_rng(derive_seed(seed, "minilvis", split, "categories"))
    for index, chosen in enumerate(assign_categories(counts, images, rng)):
        scene = derive_seed(seed, "minilvis", split, index)
        yield _Job(split, index, tuple(names[i] for i in chosen), scene)


def _draw(job: _Job, size: int, box: Box, distractors: tuple[str, ...]) -> _Drawn:
    scene = draw_scene(job.categories, seed=job.seed, size=size, box=box, distractors=distractors)
    quality = int(np.random.default_rng(derive_seed(job.seed, "jpeg")).integers(60, 96))
    height, width = scene.image.shape[:2]
    objects = tuple(
        (name, mask_to_bbox(mask), float(np.count_nonzero(mask)), encode_rle(mask))
        for name, mask in zip(scene.categories, scene.masks, strict=True)
    )
    return _Drawn(job, encode_image(scene.image, "jpeg", quality), width, height, objects, scene.hidden)


def _draw_all(
    jobs: Sequence[_Job],
    folder: Path,
    names: Sequence[str],
    draw: Callable[..., _Drawn],
    workers: int,
    progress: bool,
) -> list[_Drawn]:
    distractors = tuple(sorted(set(renderer.category_names()) - set(names)))
    for split in SPLITS:
        (folder / split).mkdir()
    pool = Workers(partial(draw, distractors=distractors), workers)
    drawn = []
    try:
        with Progress("MiniLVIS", len(jobs), unit="scenes") if progress else nullcontext() as bar:
            for scene in pool.map(jobs):
                (folder / scene.job.file_name).write_bytes(scene.jpeg)
                drawn.append(replace(scene, jpeg=b""))
                if bar is not None:
                    bar.update()
    finally:
        pool.close()
    return drawn


def _write_splits(folder: Path, drawn: Sequence[_Drawn], names: Sequence[str], seed: int, negatives: int) -> None:
    splits = {split: [scene for scene in drawn if scene.job.split == split] for split in SPLITS}
    images = Counter(name for scene in splits["train"] for name in {entry[0] for entry in scene.objects})
    instances = Counter(entry[0] for scene in splits["train"] for entry in scene.objects)
    categories = [
        describe(name, place + 1).model_copy(
            update={
                "frequency": frequency_of(images[name]),
                "image_count": images[name],
                "instance_count": instances[name],
            }
        )
        for place, name in enumerate(sorted(names))
    ]
    ids = {category.name: category.id for category in categories}
    for split, scenes in splits.items():
        info = {"description": f"MiniLVIS {split}, drawn by divergen-gen", "version": "1", "seed": seed}
        rows = [_image(scene, ids, negatives) for scene in scenes]
        write_lvis(folder / f"{split}.json", rows, _annotations(scenes, ids), categories, info=info)


def _image(scene: _Drawn, ids: dict[str, int], negatives: int) -> ImageInfo:
    shown = {name for name, *_ in scene.objects}
    absent = sorted(set(ids.values()) - {ids[name] for name in shown | scene.hidden})
    rng = np.random.default_rng(derive_seed(scene.job.seed, "negatives"))
    certified = rng.permutation(len(absent))[:negatives]
    return ImageInfo(
        id=scene.job.index + 1,
        width=scene.width,
        height=scene.height,
        file_name=scene.job.file_name,
        coco_url=scene.job.file_name,
        neg_category_ids=tuple(sorted(absent[i] for i in certified)),
        not_exhaustive_category_ids=tuple(sorted(ids[name] for name in shown & scene.hidden)),
    )


def _annotations(scenes: Sequence[_Drawn], ids: dict[str, int]) -> Iterable[Annotation]:
    number = 0
    for scene in scenes:
        for name, bbox, area, rle in scene.objects:
            number += 1
            yield Annotation(number, scene.job.index + 1, ids[name], bbox, area, rle)
