"""Build pools from picture files: RGBA cut-outs in folders, or the lists that papers publish."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from divergen_records import Category, DatasetError, DivergenError, ImageError, MaskError, short_hash
from divergen_records.masks import largest_component
from numpy.typing import NDArray

from .build import build_pool
from .crops import Crop, make_crop
from .pool import InstancePool

__all__ = ["build_from_files", "build_from_folder", "build_from_pools_json"]


def build_from_folder(
    folder: str | Path, out: str | Path, categories: Iterable[Category], **options: Any
) -> InstancePool:
    """Build a pool from RGBA pictures, one folder per category, named as the category or by its id.

    Args:
        folder: Holds ``<category>/<picture>.png`` (or .webp).
        out: Folder of the pool.
        categories: Those of the dataset to paste into.
        options: Of `build_from_files` and `build_pool`.

    Raises:
        DatasetError: If a folder is no known category's.
    """
    categories = list(categories)
    folder = Path(folder)
    known = {name: c.id for c in categories for name in (str(c.id), c.name)}
    files = []
    for path in sorted(path for path in folder.glob("*/*") if path.suffix.lower() in (".png", ".webp")):
        if path.parent.name not in known:
            names = ", ".join(category.name for category in categories[:5])
            raise DatasetError(f"{path.parent}: no category has this name or id; known are {names} …")
        files.append((known[path.parent.name], path, f"{path.parent.name}/{path.name}"))
    return build_from_files(files, out, categories, origin=f"pictures of {folder.name}", **options)


def build_from_pools_json(
    path: str | Path,
    out: str | Path,
    categories: Iterable[Category],
    *,
    root: str | Path | None = None,
    id_offset: int = 1,
    **options: Any,
) -> InstancePool:
    """Build a pool from a file of the form that X-Paste and DiverGen publish: {category: [path of an RGBA picture]}.

    Args:
        path: The JSON file. A path ``picture|mask`` names a picture and its mask; a leading ``*`` is left out.
        out: Folder of the pool.
        categories: Those of the dataset to paste into.
        root: Folder that its paths are relative to; the file's own by default. No path may leave it.
        id_offset: The published keys are contiguous from 0: category id - 1.
        options: Of `build_from_files` and `build_pool`.

    Raises:
        DatasetError: If the file is malformed, or a path leaves the folder.
    """
    path = Path(path)
    base = Path(root if root is not None else path.parent).resolve()
    try:
        entries = {int(key) + id_offset: list(names) for key, names in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path}: expected {{category index: [picture, …]}}: {error}") from error
    files = []
    for category_id, names in entries.items():
        for name in names:
            parts = [(base / part).resolve() for part in str(name).removeprefix("*").split("|")]
            if not all(part.is_relative_to(base) for part in parts):
                raise DatasetError(f"{path}: {name!r} (key {category_id - id_offset}) leaves the folder {base}")
            files.append((category_id, *parts, str(name)))
    return build_from_files(files, out, categories, origin=f"published pool {path.name}", **options)


def build_from_files(
    files: Sequence[tuple[Any, ...]],
    out: str | Path,
    categories: Iterable[Category],
    *,
    origin: str,
    threshold: int = 128,
    keep_largest: bool = True,
    max_side: int = 512,
    inset: int = 1,
    **options: Any,
) -> InstancePool:
    """Build a pool from picture files with an alpha channel or a mask file.

    Args:
        files: (category id, picture, [mask,] source) each.
        out: Folder of the pool.
        categories: Those of the dataset to paste into.
        origin: What it is built from, in words.
        threshold: Alpha from here on is object (the published pools: above 128).
        keep_largest: Keep only the largest connected part.
        max_side: Larger crops are reduced to this.
        inset: See `divergen_paste.crops.extend_colours`.
        options: Of `build_pool`.
    """

    def cut(file: tuple[Any, ...]) -> list[Crop | DivergenError]:
        category_id, *paths, source = file
        try:
            image, mask = _read_rgba(*paths, threshold=threshold)
            mask = largest_component(mask) if keep_largest else mask
            return [make_crop(image, mask, category_id=category_id, source=source, max_side=max_side, inset=inset)]
        except (ImageError, MaskError) as error:
            return [error]

    fingerprint = short_hash("files/1", *(file[-1] for file in files))
    return build_pool(
        files,
        cut,
        out,
        categories,
        origin=origin,
        fingerprint=fingerprint,
        total=len(files),
        max_side=max_side,
        **options,
    )


def _read_rgba(
    picture: Path, mask: Path | None = None, *, threshold: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    try:
        data = np.fromfile(picture, dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        alpha = None if mask is None else cv2.imdecode(np.fromfile(mask, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    except (OSError, cv2.error) as error:
        raise ImageError(f"{picture}: {error}") from error
    if image is None or (mask is not None and alpha is None):
        raise ImageError(f"{picture if image is None else mask}: not a picture")
    if alpha is None:
        if image.ndim != 3 or image.shape[2] != 4:
            raise ImageError(f"{picture}: has no alpha channel, so nobody knows where its object is")
        alpha = image[:, :, 3]
    image = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(image[:, :, :3], cv2.COLOR_BGR2RGB), alpha >= threshold
