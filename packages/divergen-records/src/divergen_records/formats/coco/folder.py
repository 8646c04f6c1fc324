"""Write COCO and LVIS: a file alone, or a folder with its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ...dataset import Dataset
from ...folders import new_folder
from ..outputs import copy_pictures, counting
from .write import write_dataset

__all__ = ["is_federated", "with_negatives", "write_folder"]


def write_folder(
    dataset: Dataset, out: Path, *, style: Literal["coco", "lvis"], overwrite: bool = False, progress: bool = False
) -> Path:
    """Write ``out`` where it ends in ``.json``; else ``out/annotations.json`` and ``out/images``.

    A data set that is annotated exhaustively gets the negative lists that this implies where LVIS is written.

    Raises:
        DatasetError: If something is there, or the parts contradict each other.
        ImageError: If a picture is missing.
    """
    if style == "lvis" and not is_federated(dataset):
        dataset = with_negatives(dataset)
    if out.suffix.lower() == ".json":
        return write_dataset(dataset, out, style=style, overwrite=overwrite)
    if dataset.image_dir.resolve() == (out / "images").resolve():
        return write_dataset(dataset, out / "annotations.json", style=style, overwrite=overwrite)
    with new_folder(out, overwrite=overwrite) as folder, counting("copy", dataset, progress) as step:
        copy_pictures(dataset, folder / "images", step)
        write_dataset(dataset, folder / "annotations.json", style=style)
    return out / "annotations.json"


def is_federated(dataset: Dataset) -> bool:
    """Whether a data set has LVIS's lists of negative or not exhaustively annotated categories."""
    return any(image.neg_category_ids or image.not_exhaustive_category_ids for image in dataset.images)


def with_negatives(dataset: Dataset) -> Dataset:
    """An exhaustively annotated data set as LVIS says it: what is not annotated on an image is not in it."""
    everything = [category.id for category in dataset.categories]
    images = []
    for image in dataset.images:
        shown = {annotation.category_id for annotation in dataset.annotations_of(image.id)}
        negative = tuple(category for category in everything if category not in shown)
        images.append(msgspec.structs.replace(image, neg_category_ids=negative))
    return dataset.replace(images=images)
