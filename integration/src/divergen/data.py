"""The real data of a run: the user's, or MiniLVIS made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from divergen_records import Category, ConfigError, DatasetError, derive_seed
from divergen_records.coco import Dataset, write_dataset
from divergen_records.command import echo, note
from divergen_records.cores import usable_cores
from divergen_records.data_options import tell
from divergen_records.text import did_you_mean

from .config import LvisData, MiniLvisData, SplitConfig
from .splits import read_split

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Splits", "check_evaluated", "extend", "load_splits", "read_extra_categories", "select_categories", "unseen"]

_EXTRA_IMAGE_COUNT = 2000


@dataclass(frozen=True)
class Splits:
    """What a run trains on and what it is judged by."""

    train: Dataset
    val: Dataset


def load_splits(run: Run, *, told: bool = False) -> Splits:
    """Read the run's data; MiniLVIS and the held-out split are made where they are missing.

    Args:
        run: The run.
        told: What is worth knowing of the data has been told already.

    Raises:
        DatasetError: If a file is missing, malformed or contradicts itself.
    """
    config = run.config.data
    if isinstance(config, MiniLvisData):
        return _minilvis(run, config)
    train = read_split(config.train, config.on_problem, notes=run.data, keep=True)
    val = None if config.val is None else read_split(config.val, config.on_problem, notes=run.data, keep=True)
    splits = _hold_out(run, train, config) if val is None else Splits(train, val)
    if val is not None and run.config.train is not None:
        check_evaluated(train, val)
    if not told:
        for dataset in (train, val):
            if dataset is not None:
                tell(dataset)
        _tell_unused(train, run.config.categories)
        if val is None:
            _tell_held_out(run, train, splits.val)
    return splits


def check_evaluated(train: Dataset, val: Dataset) -> None:
    """Refuse validation data that says nothing of a detector, whose results have the training data's ids.

    Raises:
        DatasetError: There is no object, or a category is not learned, or another one in the training data.
    """
    if not val.annotations:
        raise DatasetError(f"{val.path}: no object to evaluate on; give data with objects, or leave data.val out")
    learned = {category.id: category.name for category in train.categories}
    other = [category for category in val.categories if learned.get(category.id) != category.name]
    if other:
        first = other[0]
        there = f"calls {first.id} {learned[first.id]!r}" if first.id in learned else f"has no {first.id}"
        raise DatasetError(
            f"{val.path}: {len(other)} of {len(val.categories)} categories are not those of {train.path}, which "
            f"{there} ({first.name!r}); give both the same ids and names"
        )


def unseen(splits: Splits) -> Dataset:
    """The training images without those that are validation images too, which is said: no picture begins from these."""
    train, val = splits.train, splits.val
    held = {val.image_path(image) for image in val.images}
    images = [image for image in train.images if train.image_path(image) not in held]
    left = len(train.images) - len(images)
    if not left:
        return train
    echo(f"note: {left} training images are validation images too; no picture begins from their objects", err=True)
    ids = {image.id for image in images}
    return train.replace(images=images, annotations=[one for one in train.annotations if one.image_id in ids])


def _tell_unused(dataset: Dataset, names: Sequence[str] | None) -> None:
    unused = [category.name for category in dataset.unused_categories]
    if unused and names is None:
        names_shown = ", ".join(unused[:5]) + (f", and {len(unused) - 5} more" if len(unused) > 5 else "")
        told = f"{len(unused)} of {len(dataset.categories)} categories have no object in {dataset.path.name}"
        note(f"note: {told}; nothing is generated for them unless `categories` names them: {names_shown}")


def select_categories(dataset: Dataset, names: Sequence[str] | None) -> list[Category]:
    """The categories to generate, in the dataset's order; those without a real object only where they are named.

    Raises:
        ConfigError: If the dataset has no category of a name, or none with an object.
    """
    if names is None:
        unused = set(dataset.unused_categories)
        used = [category for category in dataset.class_categories if category not in unused]
        if not used:
            lost = f" ({len(dataset.problems)} with a problem were left out)" if dataset.problems else ""
            raise ConfigError(
                f"categories: none of the {len(dataset.categories)} categories of {dataset.path.name} has an object"
                f"{lost}; give data whose objects have masks, or name the categories to make"
            )
        return used
    known = [category.name for category in dataset.categories]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(f"categories: {dataset.path.name} has no category {name!r}{hint}")
    return [category for category in dataset.categories if category.name in set(names)]


def read_extra_categories(source: Path | Sequence[str], dataset: Dataset) -> list[Category]:
    """Categories beside those of the dataset, with ids that follow its own, in the order given.

    Args:
        source: A file, or names.
        dataset: The real data.

    Raises:
        DatasetError: If the file cannot be read.
        ConfigError: If the dataset has a category of the same name.
    """
    own = {category.name.lower(): category.name for category in dataset.categories}
    first = 1 + max(category.id for category in dataset.categories)
    extra = []
    for number, category in enumerate(_listed(source)):
        if category.name.lower() in own:
            raise ConfigError(f"extra_categories: {dataset.path.name} has {category.name!r} already; take it out")
        kept = category.model_dump(include={"name", "synonyms", "synset", "definition"})
        extra.append(Category(id=first + number, image_count=0, instance_count=0, **kept))
    return extra


def _listed(source: Path | Sequence[str]) -> list[Category]:
    if isinstance(source, Path):
        from divergen_prompts import read_categories

        return read_categories(source)
    return [Category(id=number, name=name) for number, name in enumerate(source)]


def extend(dataset: Dataset, extra: Sequence[Category]) -> Dataset:
    """The dataset with more categories, of which none of its images shows any.

    Their image count is that which DiverGen's authors write: the federated loss draws categories by it as negatives.
    """
    learned = [category.model_copy(update={"image_count": _EXTRA_IMAGE_COUNT}) for category in extra]
    return dataset.replace(categories=(*dataset.categories, *learned))


def _minilvis(run: Run, config: MiniLvisData) -> Splits:
    from divergen_minilvis import make_minilvis

    out = run.data / "minilvis"
    if not out.exists():
        make_minilvis(
            out,
            box=config.box,
            seed=run.config.seed,
            train_images=config.train_images,
            val_images=config.val_images,
            size=config.size,
            categories=config.categories,
            workers=usable_cores(),
        )
    parts = (SplitConfig(annotations=out / f"{name}.json", images=out) for name in ("train", "val"))
    return Splits(*(read_split(part, "stop", notes=run.data, keep=True) for part in parts))


def _hold_out(run: Run, dataset: Dataset, config: LvisData) -> Splits:
    """Keep images aside by a hash of their ids, so that the split does not change when images are added."""
    paths = {name: run.data / f"{name}.json" for name in ("train", "val")}
    if not all(path.exists() for path in paths.values()):
        if len(dataset.images) < 2:
            raise ConfigError(f"data.holdout: of {len(dataset.images)} image nothing is left for val; give `val`")
        held = _held_out([image.id for image in dataset.images], config.holdout)
        for name, path in paths.items():
            images = [image for image in dataset.images if (image.id in held) == (name == "val")]
            ids = {image.id for image in images}
            annotations = [annotation for annotation in dataset.annotations if annotation.image_id in ids]
            write_dataset(dataset.replace(images=images, annotations=annotations), path, overwrite=True)
    parts = (SplitConfig(annotations=path, images=dataset.image_dir) for path in paths.values())
    return Splits(*(read_split(part, "stop", notes=run.data, keep=True) for part in parts))


def _tell_held_out(run: Run, dataset: Dataset, val: Dataset) -> None:
    told = f"{len(val.images):,} of {len(dataset.images):,} images are kept aside for validation"
    note(
        f"note: {told}, for none were given (data.val=FILE): {run.data / 'val.json'}; the others: "
        f"{run.data / 'train.json'}; the pictures stay in {dataset.image_dir} (--images; in Python, image_dir)"
    )


def _held_out(ids: Sequence[int], share: float) -> set[int]:
    """The share's number of images, the first by hash, or all below the share; one at least stays on either side."""
    order = sorted(ids, key=lambda image_id: derive_seed("holdout", image_id))
    below = sum(derive_seed("holdout", image_id) < share * 2**63 for image_id in ids)
    return set(order[: min(max(below, round(share * len(ids)), 1), len(ids) - 1)])
