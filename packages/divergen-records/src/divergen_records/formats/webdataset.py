"""Write tar shards that the `webdataset` library streams; a sample is picture, objects as JSON and a map of them.

The files of a sample follow each other and share the name up to its first dot, which is the library's rule.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np

from ..dataset import Annotation, Dataset, ImageInfo
from ..errors import DatasetError, ImageError
from ..file_names import fit_path
from ..folders import new_folder
from ..masks import crop_segmentation, encode_rle
from .outputs import counting
from .png import encode_labels, label_map

__all__ = ["write_webdataset"]

_SHARD_BYTES = 500_000_000
_NO_KEY = re.compile(r"[^\w/-]+")
_LONGEST = ".mask.png"
"""What a sample's files add to its key, at most."""


def write_webdataset(
    dataset: Dataset,
    out: Path,
    *,
    overwrite: bool = False,
    progress: bool = False,
    shard_bytes: int = _SHARD_BYTES,
) -> Path:
    """Write ``shard-000000.tar`` and so on, and ``index.json``, which lists them for random access (`wids`).

    A sample is ``KEY.jpg`` (or as the picture's file is), ``KEY.json`` and ``KEY.mask.png``. The JSON has the picture's
    name, size and ``objects``: category, ``bbox`` (XYWH, pixels), ``area``, an RLE and what else the data set says of
    it, the provenance of generated ones among it. The map has the picture's size; its values are numbers of objects,
    counted from 1, small ones over large ones; 0 is background.

    Args:
        dataset: Its objects have masks.
        out: A new folder.
        overwrite: Replace what this wrote there before.
        progress: Show the progress.
        shard_bytes: Size from which a shard is followed by another one.

    Returns:
        The path of ``index.json``.

    Raises:
        DatasetError: If something is there, or two pictures would have one key.
        ImageError: If a picture is missing.
        MaskError: If a segmentation does not fit its picture.
    """
    keys = _keys(dataset)
    with new_folder(out, overwrite=overwrite) as folder, counting("webdataset", dataset, progress) as step:
        shards: list[dict[str, Any]] = []
        images = iter(dataset.images)
        waiting = next(images, None)
        while waiting is not None or not shards:
            shards.append({"url": f"shard-{len(shards):06d}.tar", "nsamples": 0})
            with tarfile.open(folder / str(shards[-1]["url"]), "w", format=tarfile.PAX_FORMAT) as tar:
                while waiting is not None and tar.offset <= shard_bytes:
                    for suffix, data in _sample(dataset, waiting):
                        _put(tar, f"{keys[waiting.id]}.{suffix}", data)
                    shards[-1]["nsamples"] += 1
                    waiting = next(images, None)
                    step()
        index = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": shards}
        (folder / "index.json").write_bytes(msgspec.json.format(msgspec.json.encode(index)))
    return out / "index.json"


def _keys(dataset: Dataset) -> dict[int, str]:
    """Image id -> the name of its sample: the picture's without suffix, dots and blanks as ``_``."""
    owners: dict[str, ImageInfo] = {}
    for image in dataset.images:
        name = _NO_KEY.sub("_", str(PurePosixPath(image.file_name).with_suffix("")))
        key = fit_path(name, _LONGEST).removesuffix(_LONGEST)
        other = owners.setdefault(key, image)
        if other is not image:
            raise DatasetError(
                f"{dataset.path}: images {other.id} and {image.id} ({other.file_name!r}, {image.file_name!r}) would "
                f"share the sample {key!r}; rename one"
            )
    return {image.id: key for key, image in owners.items()}


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file; the same files give the same bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, BytesIO(data))


def _sample(dataset: Dataset, image: ImageInfo) -> Iterator[tuple[str, bytes]]:
    path = dataset.image_path(image)
    try:
        yield path.suffix.lower().lstrip("."), path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"image {image.id} of {dataset.path}: there is no picture {path}") from error
    annotations = dataset.annotations_of(image.id)
    objects = [_object(dataset, one, image) for one in annotations]
    listed = {"file_name": image.file_name, "width": image.width, "height": image.height, "objects": objects}
    yield "json", msgspec.json.encode(listed)
    numbers = {one.id: number for number, one in enumerate(annotations, 1)}
    yield "mask.png", encode_labels(label_map(dataset, image, lambda one: numbers[one.id], wide=len(numbers) > 255))


def _object(dataset: Dataset, one: Annotation, image: ImageInfo) -> dict[str, Any]:
    crop, x, y = crop_segmentation(one.segmentation, image.height, image.width)
    mask = np.zeros((image.height, image.width), dtype=bool)
    mask[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return {
        **(one.extra or {}),
        "category": dataset.category(one.category_id).name,
        "category_id": one.category_id,
        "bbox": (x, y, crop.shape[1], crop.shape[0]),
        "area": int(crop.sum()),
        "iscrowd": one.iscrowd,
        "segmentation": encode_rle(mask),
    }
