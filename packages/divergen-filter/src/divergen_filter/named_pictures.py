"""Pictures in a folder and the category of each: by the folder that it lies in, or by a list beside the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from divergen_records import Category, ConfigError
from divergen_records.coco import Dataset
from divergen_records.losses import Losses
from divergen_records.picture_files import find_pictures
from divergen_records.picture_lists import find_list, read_list, tell_unlisted
from divergen_records.text import did_you_mean, folded

__all__ = ["SUFFIXES", "find_named"]

SUFFIXES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}
"""Of pictures that an instance table holds as they are -> their format."""


def find_named(folder: Path, dataset: Dataset, losses: Losses) -> list[tuple[Path, Category]]:
    """Pictures and their categories, in the order of their paths.

    Args:
        folder: Holds a folder of pictures for each category, named as in the dataset or by its id; or a
            ``metadata.jsonl``, ``.csv`` or ``.parquet`` that names each picture's category.
        dataset: Knows the categories.
        losses: Takes in pictures that cannot be used or that the list leaves out, and rows without their picture.

    Raises:
        ConfigError: If there are no pictures, or a name is no category.
        DatasetError: If the list cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder")
    known = {folded(name): one for one in dataset.categories for name in (str(one.id), one.label, one.name)}
    listed = find_list(folder)
    found = _by_folder(folder, known, dataset, losses) if listed is None else _by_list(listed, known, dataset, losses)
    if not found:
        where = "in folders named as categories" if listed is None else f"that {listed.name} lists"
        raise ConfigError(f"{folder}: there are no pictures {where} ({', '.join(SUFFIXES)})")
    return found


def _by_folder(
    folder: Path, known: Mapping[str, Category], dataset: Dataset, losses: Losses
) -> list[tuple[Path, Category]]:
    found = []
    for part in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        pictures = sorted(find_pictures(part, losses=losses, suffixes=frozenset(SUFFIXES)))
        if pictures:
            category = _category(part.name, known, dataset, part)
            found += [(picture, category) for picture in pictures]
    return found


def _by_list(
    path: Path, known: Mapping[str, Category], dataset: Dataset, losses: Losses
) -> list[tuple[Path, Category]]:
    names = read_list(path, losses)
    there = {
        picture.relative_to(path.parent).as_posix(): picture
        for picture in find_pictures(path.parent, losses=losses, suffixes=frozenset(SUFFIXES))
    }
    tell_unlisted(path, names, there, losses)
    categories = {name: _category(name, known, dataset, path) for name in sorted({*names.values()})}
    return [(there[name], categories[names[name]]) for name in sorted(there.keys() & names.keys())]


def _category(name: str, known: Mapping[str, Category], dataset: Dataset, where: Path) -> Category:
    if folded(name) not in known:
        raise ConfigError(f"{where}: {dataset.path} has no category {name!r}{did_you_mean(folded(name), known)}")
    return known[folded(name)]
