"""Masks as PNG files: one for each object, or one label map for each picture."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..dataset import Annotation, Dataset, ImageInfo, check_file_name
from ..errors import DatasetError
from ..folders import new_folder
from ..images import encode_image
from ..masks import crop_segmentation
from .outputs import counting, put_file, write_provenance

__all__ = ["encode_labels", "label_map", "write_png_masks"]


def write_png_masks(
    dataset: Dataset,
    out: Path | str,
    *,
    masks: Literal["instance", "label"] = "instance",
    overwrite: bool = False,
    progress: bool = False,
) -> Path:
    """Write the masks of a data set as PNG files.

    Args:
        dataset: The data set.
        out: The folder; it must not hold anything yet.
        masks: ``"instance"``: one file per object, 0 and 255, in a folder per picture, and ``instances.jsonl``.
            ``"label"``: one file per picture whose values are category ids (0 is background; 16 bits where an id is
            above 255), small objects over large ones, and ``labels.json``.
        overwrite: Replace a folder that this wrote before.
        progress: Show the progress.

    Raises:
        DatasetError: If the folder is in use, cannot be written, or two files would have the same name.
        MaskError: If a segmentation does not fit its picture.
    """
    write = {"instance": _write_instance_masks, "label": _write_label_maps}.get(masks)
    if write is None:
        raise DatasetError(f"masks {masks!r} is not known; known are instance, label")
    with new_folder(out, overwrite=overwrite) as folder, counting("export masks", dataset, progress) as step:
        write(dataset, folder, step)
    return Path(out)


def _write_instance_masks(dataset: Dataset, folder: Path, step: Callable[[], None]) -> None:
    with (folder / "instances.jsonl").open("wb") as listing:
        for image in dataset.images:
            for annotation in dataset.annotations_of(image.id):
                crop, x, y = crop_segmentation(annotation.segmentation, image.height, image.width)
                mask = np.zeros((image.height, image.width), dtype=np.uint8)
                mask[y : y + crop.shape[0], x : x + crop.shape[1]] = crop * np.uint8(255)
                name = _stem(image) / f"{annotation.id}.png"
                put_file(folder / name, encode_image(mask, "png"))
                line = {
                    **(annotation.extra or {}),
                    "mask": str(name),
                    "image": image.file_name,
                    "image_id": image.id,
                    "category_id": annotation.category_id,
                    "category": dataset.category(annotation.category_id).name,
                    "bbox": (x, y, crop.shape[1], crop.shape[0]),
                    "iscrowd": annotation.iscrowd,
                }
                listing.write(msgspec.json.encode(line) + b"\n")
            step()


def _write_label_maps(dataset: Dataset, folder: Path, step: Callable[[], None]) -> None:
    names = {category.id: category.name for category in dataset.categories}
    if names and not 1 <= min(names) <= max(names) <= 65535:
        raise DatasetError(
            f"{dataset.path}: label maps hold category ids from 1 to 65535 (0 is background), these are "
            f"{min(names)} to {max(names)}; write a mask for each instance instead"
        )
    wide = max(names, default=1) > 255
    (folder / "labels.json").write_bytes(msgspec.json.encode({0: "background", **names}))
    write_provenance(dataset, folder, lambda one: f"{_stem(dataset.image(one.image_id))}.png")
    for image in dataset.images:
        labels = label_map(dataset, image, lambda one: one.category_id, wide=wide)
        put_file(folder / f"{_stem(image)}.png", encode_labels(labels))
        step()


def label_map(
    dataset: Dataset, image: ImageInfo, value: Callable[[Annotation], int], *, wide: bool = False
) -> NDArray[Any]:
    """A value for each pixel, (H, W): small objects over large ones, 0 is background.

    Args:
        dataset: Holds the objects.
        image: Of which picture.
        value: The number that an object has.
        wide: uint16 in place of uint8.
    """
    labels = np.zeros((image.height, image.width), dtype=np.uint16 if wide else np.uint8)
    objects = [
        (annotation, *crop_segmentation(annotation.segmentation, image.height, image.width))
        for annotation in dataset.annotations_of(image.id)
    ]
    for annotation, crop, x, y in sorted(objects, key=lambda one: -np.count_nonzero(one[1])):
        labels[y : y + crop.shape[0], x : x + crop.shape[1]][crop] = value(annotation)
    return labels


def encode_labels(labels: NDArray[Any]) -> bytes:
    """A label map as PNG, 8 or 16 bits."""
    buffer = BytesIO()
    Image.fromarray(labels).save(buffer, "png")
    return buffer.getvalue()


def _stem(image: ImageInfo) -> PurePosixPath:
    check_file_name(image.file_name, f"image {image.id}")
    return PurePosixPath(image.file_name).with_suffix("")
