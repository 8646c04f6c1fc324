"""What must hold in a COCO or LVIS file, beyond its types."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from ...dataset import ImageInfo
from ...errors import DatasetError, MaskError
from ...masks import check_segmentation, crop_segmentation
from ..problems import Problems

__all__ = ["check_annotation", "check_pictures", "check_size", "name_pictures", "url_name"]

_POLYGONS = msgspec.json.Decoder(list[list[float]])
_RLE = msgspec.json.Decoder(dict[str, Any])


def check_size(image: ImageInfo) -> None:
    """Refuse pictures without pixels, or with more than an RLE can count; raises `DatasetError`."""
    if image.width < 1 or image.height < 1:
        raise DatasetError(f"image {image.id} is {image.width} wide and {image.height} high; it has no pixels")
    if image.width * image.height >= 2**31:
        raise DatasetError(
            f"image {image.id} is {image.width} wide and {image.height} high; run-length codes count to 2**31 pixels"
        )


def url_name(coco_url: str) -> str:
    """The file that a COCO address means: its last two parts, ``train2017/000000000009.jpg``."""
    parts = PurePosixPath(unquote(urlsplit(coco_url).path)).parts
    return "/".join(part for part in parts[-2:] if part != "/")


def name_pictures(images: dict[int, ImageInfo], folder: Path) -> dict[int, ImageInfo]:
    """The images, each with a file name; LVIS files have only ``coco_url``.

    The name is the last two parts of the address, or the last one where only that is in the folder.
    """
    listing = _Listing(folder)
    named = {}
    for key, image in images.items():
        name = image.file_name or url_name(image.coco_url)
        if not image.file_name and listing.trouble(name) and not listing.trouble(name.rpartition("/")[2]):
            name = name.rpartition("/")[2]
        named[key] = image if name == image.file_name else msgspec.structs.replace(image, file_name=name)
    return named


def check_pictures(images: dict[int, ImageInfo], folder: Path, problems: Problems) -> dict[int, ImageInfo]:
    """The images whose picture is in the folder; each folder is listed once instead of asking for each file.

    Raises:
        DatasetError: If there is no such folder.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder of images")
    listing = _Listing(folder)
    found = {}
    for key, image in images.items():
        trouble = listing.trouble(image.file_name)
        if trouble:
            problems.add(f"images (id {key})", f"file_name {image.file_name!r} {trouble}")
        else:
            found[key] = image
    return found


class _Listing:
    """Names of the files in a folder and those below it, each listed when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = folder.resolve()
        self._names: dict[str, dict[str, bool]] = {}

    def trouble(self, file_name: str) -> str | None:
        """Why this file cannot be used, or None."""
        parent, _, name = file_name.rpartition("/")
        if parent not in self._names:
            self._names[parent] = self._list(parent)
        is_link = self._names[parent].get(name)
        if is_link is None:
            return f"is not in the folder {self.folder}"
        if is_link and not (self.folder / file_name).resolve().is_relative_to(self._root):
            return f"is a link that leaves the folder {self.folder}; copy the picture into the folder"
        return None

    def _list(self, parent: str) -> dict[str, bool]:
        """Name -> whether it may leave the folder through a link."""
        path = self.folder / parent
        if not path.is_dir():
            return {}
        linked = path.resolve() != self._root / parent
        with os.scandir(path) as entries:
            return {entry.name: linked or entry.is_symlink() for entry in entries if entry.is_file()}


def check_annotation(
    raw: msgspec.Raw,
    bbox: tuple[float, float, float, float] | None,
    area: float | None,
    image: ImageInfo,
    where: str,
) -> tuple[tuple[float, float, float, float], float]:
    """Check a segmentation against its picture; box and area are computed where the file lacks them.

    Raises:
        DatasetError: If the segmentation is missing, malformed or does not fit.
    """
    try:
        segmentation = _decode_segmentation(raw)
        check_segmentation(segmentation, image.height, image.width)
        if bbox is not None and area is not None:
            return bbox, area
        return _measure(segmentation, bbox, area, image)
    except MaskError as error:
        reason, _, inner = str(error).partition(" - at `$")
        raise DatasetError(f"{where}: {reason} - at `$.segmentation{inner.rstrip('`')}`") from error


def _decode_segmentation(raw: msgspec.Raw) -> list[list[float]] | dict[str, Any]:
    head = bytes(memoryview(raw)[:1])
    try:
        if head == b"[":
            return _POLYGONS.decode(raw)
        if head == b"{":
            return _RLE.decode(raw)
    except msgspec.DecodeError as error:
        raise MaskError(str(error)) from error
    raise MaskError("there is none; instance segmentation needs polygons or an RLE for each object")


def _measure(
    segmentation: list[list[float]] | dict[str, Any],
    bbox: tuple[float, float, float, float] | None,
    area: float | None,
    image: ImageInfo,
) -> tuple[tuple[float, float, float, float], float]:
    mask, x, y = crop_segmentation(segmentation, image.height, image.width)
    height, width = mask.shape
    box = (float(x), float(y), float(width), float(height)) if bbox is None else bbox
    return box, float(mask.sum()) if area is None else area
