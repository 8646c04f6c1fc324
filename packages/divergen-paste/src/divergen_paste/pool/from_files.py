"""Build pools from picture files: RGBA cut-outs in folders, or the lists that papers publish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
from divergen_records import Category, DatasetError, DivergenError, ImageError, MaskError, short_hash
from divergen_records.files import parse_json, read_text
from divergen_records.images import read_cutout, read_mask
from divergen_records.masks import largest_component
from divergen_records.picture_files import find_pictures
from divergen_records.text import folded
from numpy.typing import NDArray

from .build import BuildOptions, build_pool
from .crops import Crop, make_crop
from .reader import InstancePool

__all__ = ["CutoutFile", "pool_from_files", "pool_from_folder", "pool_from_pools_json"]

_SUFFIXES = frozenset([".png", ".webp"])
"""Of pictures that can have an alpha channel."""


@dataclass(frozen=True)
class CutoutFile:
    """A picture of one instance.

    Attributes:
        category_id: Its category.
        picture: The file; with an alpha channel where there is no ``mask``.
        source: Its provenance.
        mask: The file of its mask.
    """

    category_id: int
    picture: Path
    source: str
    mask: Path | None = None


def pool_from_folder(
    folder: str | Path,
    out: str | Path,
    categories: Iterable[Category],
    *,
    threshold: int = 128,
    keep_largest: bool = True,
    inset: int = 1,
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from RGBA pictures, one folder per category, named as the category or by its id.

    Args:
        folder: Holds ``<category>/<picture>.png`` (or .webp).
        out: Folder of the pool.
        categories: Those of the dataset to paste into.
        threshold: See `pool_from_files`.
        keep_largest: See `pool_from_files`.
        inset: See `pool_from_files`.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        DatasetError: If a folder is no known category's.
        ExistsError: If ``out`` exists and may not be replaced.
        NothingLeft: If nothing can be cut out.
    """
    categories = list(categories)
    folder = Path(folder)
    folders: dict[str, int] = {}
    files = []
    losses = options.get("losses")
    for path in find_pictures(folder, losses=losses, suffixes=_SUFFIXES):
        name = path.parent.name
        if path.parent.parent != folder:
            if losses is not None:
                losses.add(path.relative_to(folder).as_posix(), "lies in no folder of a category: <category>/<picture>")
            continue
        if name not in folders:
            folders[name] = _category_of_folder(path.parent, categories)
        files.append(CutoutFile(folders[name], path, f"{name}/{path.name}"))
    return pool_from_files(
        files,
        out,
        categories,
        origin=f"pictures of {folder.name}",
        threshold=threshold,
        keep_largest=keep_largest,
        inset=inset,
        **options,
    )


def _category_of_folder(folder: Path, categories: Sequence[Category]) -> int:
    """The category that a folder is named as, or whose id it is; else the one whose name means the same."""
    by_id = [category.id for category in categories if str(category.id) == folder.name]
    by_name = [category.id for category in categories if category.name == folder.name]
    if not (by_name or by_id):
        by_name = [category.id for category in categories if folded(category.name) == folded(folder.name)]
    if len(by_name) > 1:
        raise DatasetError(f"{folder}: several categories have this name; name the folder by the id, one of {by_name}")
    if not (by_name or by_id):
        names = ", ".join(category.name for category in categories[:5])
        raise DatasetError(f"{folder}: no category has this name or id; known are {names} …")
    return (by_name or by_id)[0]


def pool_from_pools_json(
    path: str | Path,
    out: str | Path,
    categories: Iterable[Category],
    *,
    root: str | Path | None = None,
    id_offset: int = 1,
    threshold: int = 128,
    keep_largest: bool = True,
    inset: int = 1,
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from a file of the form that X-Paste and DiverGen publish: {category: [path of an RGBA picture]}.

    Args:
        path: The JSON file. A path ``picture|mask`` names a picture and its mask; a leading ``*`` is left out.
        out: Folder of the pool.
        categories: Those of the dataset to paste into.
        root: Folder that its paths are relative to; the file's own by default. No path may leave it.
        id_offset: The published keys are contiguous from 0: category id - 1.
        threshold: See `pool_from_files`.
        keep_largest: See `pool_from_files`.
        inset: See `pool_from_files`.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        DatasetError: If the file is malformed, or a path leaves the folder.
        ExistsError: If ``out`` exists and may not be replaced.
        NothingLeft: If nothing can be cut out.
    """
    path = Path(path)
    base = Path(root if root is not None else path.parent).resolve()
    try:
        entries = {int(key) + id_offset: names for key, names in parse_json(read_text(path), str(path)).items()}
        if not all(isinstance(names, list) for names in entries.values()):
            raise TypeError("a category has no list")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path}: expected {{category index: [picture, …]}}: {error}") from error
    files = [
        _published_file(path, base, category_id, str(name)) for category_id, names in entries.items() for name in names
    ]
    return pool_from_files(
        files,
        out,
        categories,
        origin=f"published pool {path.name}",
        threshold=threshold,
        keep_largest=keep_largest,
        inset=inset,
        **options,
    )


def _published_file(path: Path, base: Path, category_id: int, name: str) -> CutoutFile:
    """A file by its published name, ``picture`` or ``picture|mask``, with or without a leading ``*``."""
    picture, *mask = ((base / each).resolve() for each in name.removeprefix("*").split("|"))
    if not all(each.is_relative_to(base) for each in (picture, *mask)):
        raise DatasetError(f"{path}: {name!r} (category {category_id}) leaves the folder {base}")
    return CutoutFile(category_id, picture, name, mask[0] if mask else None)


def pool_from_files(
    files: Sequence[CutoutFile],
    out: str | Path,
    categories: Iterable[Category],
    *,
    origin: str,
    threshold: int = 128,
    keep_largest: bool = True,
    inset: int = 1,
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from picture files with an alpha channel or a mask file.

    Args:
        files: The pictures.
        out: Folder of the pool.
        categories: Those of the dataset to paste into.
        origin: What it is built from, in words.
        threshold: Alpha from here on is object (the published pools: above 128).
        keep_largest: Keep only the largest connected part.
        inset: Outermost pixels whose colour is mixed with the background; see `divergen_paste.pool.crops`.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        ExistsError: If ``out`` exists and may not be replaced.
        NothingLeft: If nothing can be cut out.
    """
    return build_pool(
        files,
        _CutFile(threshold, keep_largest, options.get("max_side", 512), inset),
        out,
        categories,
        origin=origin,
        fingerprint=short_hash("files/1", *(file.source for file in files)),
        total=len(files),
        **options,
    )


@dataclass(frozen=True)
class _CutFile:
    threshold: int
    keep_largest: bool
    max_side: int
    inset: int

    def __call__(self, file: CutoutFile) -> list[Crop | DivergenError]:
        try:
            return [self._crop(file)]
        except (ImageError, MaskError) as error:
            return [error]

    def _crop(self, file: CutoutFile) -> Crop:
        image, mask = _read_rgba(file.picture, file.mask, threshold=self.threshold)
        mask = largest_component(mask) if self.keep_largest else mask
        return make_crop(
            image,
            mask,
            category_id=file.category_id,
            source=file.source,
            max_side=self.max_side,
            inset=self.inset,
        )


def _read_rgba(picture: Path, mask: Path | None, *, threshold: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    image, alpha = read_cutout(picture)
    if mask is not None:
        return image, read_mask(mask, size=(image.shape[0], image.shape[1]))
    if alpha is None:
        raise ImageError(f"{picture}: has no alpha channel, so nobody knows where its object is")
    return image, alpha >= threshold
