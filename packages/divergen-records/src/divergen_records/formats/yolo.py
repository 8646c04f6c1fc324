"""Write labels for Ultralytics: one text file per image, normalised polygons."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..command import note
from ..dataset import Dataset, ImageInfo, check_file_name
from ..errors import DatasetError, ExistsError
from ..files import Written, refuse_existing, write_text
from ..folders import new_folder
from ..masks import mask_to_polygons, segmentation_to_mask
from .coco.read import read_dataset
from .outputs import copy_pictures, counting, write_provenance

__all__ = ["VAL", "label_name", "write_yolo", "yolo_outline"]

VAL = "val"
"""The folder of a data set that holds its validation set, in the same form."""

_SEEN = (".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp")
"""Endings of the pictures that Ultralytics 8.4 takes from a folder (``IMG_FORMATS``)."""


def write_yolo(dataset: Dataset, out: str | Path, *, overwrite: bool = False, progress: bool = False) -> Path:
    """Write YOLO-seg labels beside a data set's pictures, and ``data.yaml`` last.

    Ultralytics finds the label of a picture by its path, see `label_name`. An object of several parts becomes one
    polygon whose parts are joined by lines of no width; crowds are left out. Classes are numbered in the order of the
    data set's categories; a root category (`Dataset.root_categories`) is none. What made generated objects goes into
    ``provenance.jsonl`` of a new folder.

    A folder ``OUT/val`` of the same form, with its own ``annotations.json`` and the same categories, is the validation
    set; without one ``data.yaml`` names the training pictures for both, as it must name something. It names no absolute
    path: Ultralytics takes the folder that it lies in, wherever that is moved.

    Args:
        dataset: The data set. Where its pictures lie in ``OUT/images``, labels are written beside them.
        out: That folder, or a new one, which the pictures are copied into.
        overwrite: Replace what this wrote before.
        progress: Show the progress.

    Returns:
        The path of ``data.yaml``.

    Raises:
        DatasetError: If two pictures would share a label.
        ExistsError: If something else is there.
    """
    out = Path(out)
    names = _label_names(dataset)
    with counting("yolo", dataset, progress) as step:
        if dataset.image_dir.resolve() == (out / "images").resolve():
            refuse_existing(out / "data.yaml", overwrite=overwrite)
            _write_labels(dataset, names, out, step, overwrite=overwrite)
            val = _write_validation(dataset, out / VAL, overwrite)
            write_text(out / "data.yaml", _data_yaml(dataset, val), overwrite=overwrite)
        else:
            with new_folder(out, overwrite=overwrite) as folder:
                copy_pictures(dataset, folder / "images")
                _write_labels(dataset, names, folder, step)
                write_provenance(dataset, folder, lambda one: names[one.image_id])
                write_text(folder / "data.yaml", _data_yaml(dataset, "images"))
    unseen = [image.file_name for image in dataset.images if not image.file_name.lower().endswith(_SEEN)]
    if unseen:
        note(
            f"note: {len(unseen)} of {len(dataset.images)} pictures have an ending that Ultralytics passes over, as "
            f"{unseen[0]!r}; save them as JPEG or PNG"
        )
    return out / "data.yaml"


def label_name(picture: str | PurePosixPath) -> str:
    """The label of a picture by Ultralytics' rule (``img2label_paths``), both inside the data set's folder.

    The *last* folder ``images`` of the path becomes ``labels``, and the last suffix ``.txt``.
    """
    head, _, tail = f"/{picture}".rpartition("/images/")
    return f"{head}/labels/{tail}".rsplit(".", 1)[0].removeprefix("/") + ".txt"


def _label_names(dataset: Dataset) -> dict[int, str]:
    """Image id -> its label's path inside the folder."""
    owners: dict[str, ImageInfo] = {}
    for image in dataset.images:
        check_file_name(image.file_name, f"image {image.id}")
        other = owners.setdefault(label_name(PurePosixPath("images", image.file_name)), image)
        if other is not image:
            raise DatasetError(
                f"{dataset.path}: images {other.id} and {image.id} ({other.file_name!r}, {image.file_name!r}) would "
                "share one label file, as YOLO's labels are named by the pictures without their suffix; rename one"
            )
    return {image.id: name for name, image in owners.items()}


def _write_validation(dataset: Dataset, folder: Path, overwrite: bool) -> str:
    """Label the validation set, where there is one; returns the folder of its pictures for ``data.yaml``."""
    file = folder / "annotations.json"
    if not file.exists():
        return "images"
    val = read_dataset(file, image_dir=folder / "images")
    if val.categories and [one.id for one in val.categories] != [one.id for one in dataset.categories]:
        raise DatasetError(f"{file}: its categories are not those of {dataset.path}, so the classes would differ")
    _write_labels(val, _label_names(val), folder, lambda: None, dataset, overwrite=overwrite)
    return f"{VAL}/images"


def _data_yaml(dataset: Dataset, val: str) -> str:
    """A JSON text is a YAML text; both train and val are needed for the file to be valid."""
    names = "".join(
        f"  {number}: {json.dumps(category.name, ensure_ascii=False)}\n"
        for number, category in enumerate(dataset.class_categories)
    )
    return f"train: images\nval: {val}\nnames:\n{names}"


def _write_labels(
    dataset: Dataset,
    names: dict[int, str],
    folder: Path,
    step: Callable[[], None],
    train: Dataset | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a label for each picture; classes are those of the training set where this is another."""
    classes = {category.id: number for number, category in enumerate((train or dataset).class_categories)}
    written = Written()
    for info in dataset.images:
        path, data = folder / names[info.id], "".join(_lines(dataset, info, classes)).encode()
        if path in written:
            raise DatasetError(f"{path}: this disk takes two pictures' labels for one file; rename a picture")
        if not overwrite and os.path.lexists(path) and not _holds(path, data):
            raise ExistsError(f"{path} is there already, with another content; replace labels with --overwrite")
        written.write(path, data)
        step()


def _holds(path: Path, data: bytes) -> bool:
    """Whether a call that was killed has written a label before this one."""
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _lines(dataset: Dataset, info: ImageInfo, classes: dict[int, int]) -> list[str]:
    lines = []
    for annotation in dataset.annotations_of(info.id):
        if annotation.iscrowd:
            continue
        mask = segmentation_to_mask(annotation.segmentation, info.height, info.width)
        outline = yolo_outline(mask)
        if len(outline):
            points = outline / (info.width, info.height)
            numbers = " ".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in points.clip(0, 1).ravel())
            lines.append(f"{classes[annotation.category_id]} {numbers}\n")
    return lines


def yolo_outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """An object as YOLO has it: one closed polygon around all parts of a mask (H, W), (N, 2) in pixels, x first.

    Empty where the mask is.
    """
    parts = [np.reshape(part, (-1, 2)) for part in mask_to_polygons(mask)]
    return _join(parts) if parts else np.zeros((0, 2))


def _join(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One closed polygon through all parts, (N, 2): there and back on the shortest line from each part to the next."""
    joined = parts[0]
    for part in parts[1:]:
        distance = ((joined[:, None] - part[None]) ** 2).sum(axis=-1)
        here, there = np.unravel_index(int(distance.argmin()), distance.shape)
        turned = np.roll(part, -int(there), axis=0)
        joined = np.concatenate([joined[: here + 1], turned, turned[:1], joined[here:]])
    return joined
