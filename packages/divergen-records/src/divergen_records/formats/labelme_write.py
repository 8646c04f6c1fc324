"""Write a data set for labelme: each picture with a JSON file beside it, ready to be opened and corrected.

An object is polygons of one group where they draw its mask exactly, else a mask (labelme 5.3 and later). What made a
generated one stands in its flags and description.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from ..command import note
from ..dataset import Annotation, Dataset, ImageInfo
from ..file_names import fit_beside
from ..folders import new_folder
from ..images import encode_image
from ..masks import mask_to_bbox, mask_to_polygons, segmentation_to_mask
from .outputs import PROVENANCE, copy_pictures, counting, put_file

__all__ = ["write_labelme"]

_VERSION = "5.5.0"


def write_labelme(dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
    """Write a folder for labelme; it has no crowds, which are left out.

    Args:
        dataset: Its objects have masks, or are boxes alone.
        out: A new folder.
        overwrite: Replace what this format wrote there before.
        progress: Show the progress.

    Returns:
        The folder.

    Raises:
        DatasetError: If the folder is in use, or two pictures would have one JSON file.
    """
    objects: dict[int, list[Annotation]] = {}
    for annotation in dataset.annotations:
        if not annotation.iscrowd:
            objects.setdefault(annotation.image_id, []).append(annotation)
    names = {category.id: category.name for category in dataset.categories}
    with new_folder(out, overwrite=overwrite) as folder, counting("labelme", dataset, progress) as step:
        files = {image.id: fit_beside(image.file_name, ".json") for image in dataset.images}
        copy_pictures(dataset, folder, step, files)
        for image in dataset.images:
            file = folder / files[image.id]
            content = _content(image, objects.get(image.id, []), names, file.name)
            put_file(file.with_suffix(".json"), json.dumps(content, ensure_ascii=False, indent=1).encode())
    shorter = [files[image.id] for image in dataset.images if files[image.id] != image.file_name]
    if shorter:
        note(f"{len(shorter):,} pictures' names were too long to have a JSON file beside them; shortened: {shorter[0]}")
    return out


def _content(image: ImageInfo, objects: list[Annotation], names: dict[int, str], picture: str) -> dict[str, Any]:
    shapes = [
        shape
        for number, annotation in enumerate(objects)
        for shape in _shapes(annotation, image, names[annotation.category_id], number)
    ]
    return {
        "version": _VERSION,
        "flags": {},
        "imagePath": picture,
        "imageData": None,
        "shapes": shapes,
        "imageHeight": image.height,
        "imageWidth": image.width,
    }


def _shapes(annotation: Annotation, image: ImageInfo, label: str, number: int) -> list[dict[str, Any]]:
    told = (annotation.extra or {}).get(PROVENANCE)
    flags, text = _told(told) if isinstance(told, dict) else ({}, "")
    shape: dict[str, Any] = {"label": label, "group_id": number, "description": text, "flags": flags, "mask": None}
    if annotation.segmentation is None:
        x, y, width, height = annotation.bbox
        return [{**shape, "points": [[x, y], [x + width, y + height]], "shape_type": "rectangle"}]
    mask = segmentation_to_mask(annotation.segmentation, image.height, image.width)
    polygons = mask_to_polygons(mask)
    if polygons and np.array_equal(segmentation_to_mask(polygons, image.height, image.width), mask):
        pairs = [list(zip(polygon[::2], polygon[1::2], strict=True)) for polygon in polygons]
        return [{**shape, "points": points, "shape_type": "polygon"} for points in pairs]
    x, y, width, height = (int(side) for side in mask_to_bbox(mask))
    part = mask[y : y + height, x : x + width].astype(np.uint8) * np.uint8(255)
    painted = b64encode(encode_image(part, "png")).decode("ascii")
    return [{**shape, "points": [[x, y], [x + width - 1, y + height - 1]], "shape_type": "mask", "mask": painted}]


def _told(provenance: dict[str, Any]) -> tuple[dict[str, bool], str]:
    """What made a generated object as labelme has room for it: flags, and a description of a line for each word."""
    flags = {"generated": True, "kept": bool(provenance.get("kept"))}
    return flags, "\n".join(f"{name}: {value}" for name, value in provenance.items() if name != "kept")
