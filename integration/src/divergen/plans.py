"""What a run will make, told from its configuration and the annotations: nothing is drawn, and no model is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError

from .config import ExtraCategories, LvisData, MiniLvisData, RunConfig
from .data import read_extra_categories
from .splits import read_split

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "StandIn",
    "picture_bytes",
    "picture_sides",
    "planned_pictures",
    "sketch_data",
    "sketch_extra",
]

_BYTES_PER_PIXEL = {"jpeg": 0.35, "webp": 0.25, "png": 1.5}
"""Of generated pictures, quality 95; a JPEG of 512 x 512 takes about 90 kB."""

_ALL_THAT_FIT = 566
"""Of ImageNet, below a similarity of 0.4 to LVIS (DiverGen, section 3.3)."""

_SIDE = 512
"""Pixels, where a generator does not say."""


class StandIn(NamedTuple):
    """A generator by its name alone, for plans: the revision of a real one may have to be asked of the hub."""

    name: str
    revision: str = ""


def sketch_data(config: RunConfig, notes: Path | None = None) -> Dataset:
    """The training set: of MiniLVIS the categories alone, with the counts that drawing it would give.

    Args:
        config: The configuration.
        notes: Where the run has noted what it read, see `divergen.splits`.

    Raises:
        DatasetError: If the user's data cannot be read.
    """
    data = config.data
    if not isinstance(data, MiniLvisData):
        return _read(data, notes)
    from divergen_minilvis import sketch_categories

    found = sketch_categories(
        box=data.box, seed=config.seed, train_images=data.train_images, categories=data.categories
    )
    return Dataset(Path("train.json"), Path(), [], [], found)


def _read(data: LvisData, notes: Path | None) -> Dataset:
    """The user's training set; a plan needs no pictures of it: that they are not there, `divergen check` says."""
    from divergen_records.formats.registry import read_any

    try:
        return read_split(data.train, data.on_problem, notes=notes)
    except DatasetError:
        file, folder = data.train.annotations, data.train.images
        found = read_any(file, image_dir=folder, on_problem=data.on_problem, need_pictures=False)
        return found.replace(categories=found.class_categories)


def sketch_extra(extra: Any, train: Dataset) -> list[Category]:
    """The extra categories; those that a run has still to choose are numbered.

    Raises:
        ConfigError: If the data set has one of them already.
        DatasetError: If their file cannot be read.
    """
    if not extra:
        return []
    if not isinstance(extra, ExtraCategories):
        return read_extra_categories(extra, train)
    first = 1 + max(category.id for category in train.categories)
    return [
        Category(id=first + number, name=f"extra category {number + 1}", image_count=0, instance_count=0)
        for number in range(extra.take or _ALL_THAT_FIT)
    ]


def planned_pictures(config: RunConfig, categories: Sequence[Category]) -> int:
    """How many pictures the run wants.

    Raises:
        ConfigError: If the counts do not fit the categories.
    """
    from divergen_gen.counts import count_per_category

    if config.pastes == "real":
        return 0
    if config.counts.total is not None:
        return config.counts.total
    return sum(count_per_category(categories, config.counts).values())


def picture_sides(generator: Any) -> tuple[int, int]:
    """Height and width of a generator's pictures, pixels; an estimate where its model decides."""
    last = getattr(generator, "stage3", None) or getattr(generator, "stage2", None)
    size = getattr(last or generator, "size", None) or (256 if last else _SIDE)
    return size if isinstance(size, tuple) else (size, size)


def picture_bytes(config: RunConfig) -> float:
    """Bytes of a stored picture, the mean over the generators by their shares; an estimate."""
    weights = [config.counts.weights.get(generator.name, 1.0) for generator in config.generators]
    sizes = [_stored(generator) for generator in config.generators]
    return sum(weight * size for weight, size in zip(weights, sizes, strict=True)) / sum(weights)


def _stored(generator: Any) -> float:
    height, width = picture_sides(generator)
    return height * width * _BYTES_PER_PIXEL.get(getattr(generator, "image_format", "jpeg"), 0.35)
