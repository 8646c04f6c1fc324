"""Build a pool from whatever a path names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from divergen_records import Category, ConfigError
from divergen_records.coco import read_dataset

from .build import BuildOptions
from .from_dataset import pool_from_dataset
from .from_files import pool_from_folder, pool_from_pools_json
from .from_table import pool_from_table
from .reader import InstancePool

__all__ = ["pool_from_path"]


def pool_from_path(
    source: Path,
    out: Path,
    *,
    kind: str | None = None,
    where: str = "kept",
    categories: Path | None = None,
    images: Path | None = None,
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from a path.

    Args:
        source: An instance table, a COCO or LVIS file, a folder of RGBA pictures, or a published pools JSON.
        out: Folder of the pool.
        kind: One of ``"table"``, ``"dataset"``, ``"folder"``, ``"pools-json"``; by default told from what is
            there.
        where: SQL filter for a table.
        categories: LVIS or COCO file with the categories, where the source does not know them.
        images: Folder of the dataset's pictures, or that the paths of a pools JSON are relative to.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        ConfigError: If the path is missing, or categories are needed and not given.
        PoolError: If ``out`` exists, or nothing can be cut out.
    """
    if not source.exists():
        raise ConfigError(f"{source} does not exist")

    def known() -> tuple[Category, ...]:
        if categories is None:
            raise ConfigError(f"{source}: name the dataset's file by --categories, so that its categories are known")
        return read_dataset(categories).categories

    def from_table() -> InstancePool:
        from divergen_records import InstanceTable

        names = None if categories is None else known()
        return pool_from_table(InstanceTable.open(source), out, where, categories=names, **options)

    builders: dict[str, Callable[[], InstancePool]] = {
        "table": from_table,
        "dataset": lambda: pool_from_dataset(read_dataset(source, image_dir=images), out, **options),
        "folder": lambda: pool_from_folder(source, out, known(), **options),
        "pools-json": lambda: pool_from_pools_json(source, out, known(), root=images, **options),
    }
    return builders[kind or _guess(source)]()


def _guess(source: Path) -> str:
    if source.is_file():
        with source.open("rb") as file:
            # Keys of a published pools JSON are category indices.
            return "pools-json" if re.match(rb'\s*{\s*"\d+"\s*:\s*\[', file.read(256)) else "dataset"
    return "table" if (source / "_versions").is_dir() else "folder"
