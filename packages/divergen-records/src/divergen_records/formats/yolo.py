"""Labels for Ultralytics: one text file per image, normalised polygons."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..dataset import Dataset, ImageInfo
from ..errors import DatasetError
from ..masks import mask_to_polygons, segmentation_to_mask

__all__ = ["write_yolo"]


def write_yolo(dataset: Dataset, out: str | Path) -> Path:
    """Write YOLO-seg labels beside a dataset's pictures.

    Ultralytics finds the labels of ``OUT/images/x.jpg`` in ``OUT/labels/x.txt``. An object of several parts becomes one
    polygon whose parts are joined by lines of no width; crowds are left out. Classes are numbered in the order of the
    dataset's categories.

    Args:
        dataset: Its pictures lie in ``OUT/images``.
        out: Folder to write ``labels/`` and ``data.yaml`` into.

    Returns:
        The path of ``data.yaml``.

    Raises:
        DatasetError: If the pictures lie elsewhere.
    """
    out = Path(out)
    if dataset.image_dir.resolve() != (out / "images").resolve():
        raise DatasetError(f"YOLO labels lie beside the pictures: {dataset.image_dir} is not {out / 'images'}")
    classes = {category.id: number for number, category in enumerate(dataset.categories)}
    for info in dataset.images:
        path = (out / "labels" / PurePosixPath(info.file_name)).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(_lines(dataset, info, classes)), encoding="utf-8")
    names = "".join(
        f"  {number}: {json.dumps(category.name, ensure_ascii=False)}\n"
        for number, category in enumerate(dataset.categories)
    )
    data = out / "data.yaml"
    # A JSON text is a YAML text; both train and val are needed for the file to be valid.
    data.write_text(f"path: {json.dumps(str(out.resolve()))}\ntrain: images\nval: images\nnames:\n{names}", "utf-8")
    return data


def _lines(dataset: Dataset, info: ImageInfo, classes: dict[int, int]) -> list[str]:
    lines = []
    for annotation in dataset.annotations_of(info.id):
        if annotation.iscrowd:
            continue
        mask = segmentation_to_mask(annotation.segmentation, info.height, info.width)
        parts = [np.reshape(part, (-1, 2)) for part in mask_to_polygons(mask)]
        if parts:
            points = _join(parts) / (info.width, info.height)
            numbers = " ".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in points.clip(0, 1).ravel())
            lines.append(f"{classes[annotation.category_id]} {numbers}\n")
    return lines


def _join(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One closed polygon through all parts, (N, 2): there and back on the shortest line from each part to the next."""
    joined = parts[0]
    for part in parts[1:]:
        distance = ((joined[:, None] - part[None]) ** 2).sum(axis=-1)
        here, there = np.unravel_index(int(distance.argmin()), distance.shape)
        turned = np.roll(part, -int(there), axis=0)
        joined = np.concatenate([joined[: here + 1], turned, turned[:1], joined[here:]])
    return joined
