"""Write FiftyOne's form: ``samples.json``, ``metadata.json`` and the pictures.

It is the form without a schema (`fiftyone.types.FiftyOneDataset` until 0.8), which every version of FiftyOne reads: the
types of fields are told from their values, and no database's migration stands between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...dataset import Annotation, Dataset, ImageInfo
from ...folders import new_folder
from ...masks import crop_segmentation
from ..outputs import copy_pictures, counting, put_file
from .arrays import pack_mask

__all__ = ["FIELD", "PutSample", "detection", "sample", "write_fiftyone", "writing_samples"]

FIELD = "ground_truth"
"""The field of a sample that holds its objects, as FiftyOne's own importers name it."""

PutSample: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Takes the samples, one by one."""

_NUDGE = 1e-6
"""Pixels: FiftyOne cuts off what follows the point when it goes back from shares of a picture to pixels."""


@contextmanager
def writing_samples(folder: Path) -> Iterator[PutSample]:
    """Write the two files of a folder while samples come."""
    about = {"name": folder.name, "media_type": "image", "info": {"description": "written by DiverGen"}}
    put_file(folder / "metadata.json", msgspec.json.encode(about))
    with (folder / "samples.json").open("wb") as file:
        between = b'{"samples": ['

        def put(document: Mapping[str, Any]) -> None:
            nonlocal between
            file.write(between + msgspec.json.encode(document))
            between = b",\n"

        yield put
        file.write(b"]}\n" if between == b",\n" else between + b"]}\n")


def sample(
    path: str, size: tuple[int, int], objects: list[dict[str, Any]], *, tags: list[str], fields: Mapping[str, Any]
) -> dict[str, Any]:
    """The document of a picture.

    Args:
        path: Where the picture lies, relative to the folder.
        size: (height, width), pixels.
        objects: What `detection` gives.
        tags: What people said of it.
        fields: Numbers and texts by name.
    """
    metadata = {"_cls": "ImageMetadata", "width": size[1], "height": size[0]}
    labels = {"_cls": "Detections", "detections": objects}
    return {"filepath": path, "tags": tags, "metadata": metadata, "_media_type": "image", **fields, FIELD: labels}


def detection(
    label: str, crop: NDArray[np.bool_] | None, box: tuple[float, float, float, float], size: tuple[int, int]
) -> dict[str, Any]:
    """The document of an object.

    Args:
        label: Its category.
        crop: Its mask (h, w) inside the box; None for a box alone.
        box: XYWH, pixels.
        size: (height, width) of the picture.
    """
    height, width = size
    x, y, w, h = box
    shares = [(x + _NUDGE) / width, (y + _NUDGE) / height, w / width, h / height]
    found = {"_cls": "Detection", "attributes": {}, "tags": [], "label": label, "bounding_box": shares}
    return found if crop is None else {**found, "mask": pack_mask(crop)}


def write_fiftyone(dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
    """Write a folder that FiftyOne imports.

    Args:
        dataset: Its objects have masks, or are boxes alone.
        out: A new folder.
        overwrite: Replace what this format wrote there before.
        progress: Show the progress.

    Returns:
        The folder.

    Raises:
        DatasetError: If the folder is in use, or two pictures have one name.
    """
    names = {category.id: category.name for category in dataset.categories}
    with new_folder(out, overwrite=overwrite) as folder, counting("fiftyone", dataset, progress) as step:
        copy_pictures(dataset, folder / "data", step)
        with writing_samples(folder) as put:
            for image in dataset.images:
                objects = [_object(one, image, names[one.category_id]) for one in dataset.annotations_of(image.id)]
                size = image.height, image.width
                put(sample(f"data/{image.file_name}", size, objects, tags=[], fields={}))
    return out


def _object(annotation: Annotation, image: ImageInfo, label: str) -> dict[str, Any]:
    size = image.height, image.width
    crowd = {"iscrowd": 1} if annotation.iscrowd else {}
    if not annotation.has_mask:
        return detection(label, None, annotation.bbox, size) | crowd
    crop, x, y = crop_segmentation(annotation.segmentation, *size)
    box = (float(x), float(y), float(crop.shape[1]), float(crop.shape[0]))
    return detection(label, crop if crop.size else None, box, size) | crowd
