"""Build a pool from whatever a path names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Unpack

from divergen_records import Category, ConfigError
from divergen_records.data_options import open_categories, open_dataset
from divergen_records.formats import OnProblem, readers

from .build import BuildOptions
from .categories import Unmatched
from .from_dataset import pool_from_dataset
from .from_files import pool_from_folder, pool_from_pools_json
from .from_table import pool_from_table
from .reader import InstancePool

__all__ = ["pool_from_path", "source_kind"]

_READS = {
    "table": ("where", "categories"),
    "dataset": ("images", "min_area", "whole_only"),
    "folder": ("categories",),
    "pools-json": ("categories", "images"),
}
"""Which settings each kind of source has a use for."""


def pool_from_path(
    source: Path,
    out: Path,
    *,
    kind: str | None = None,
    where: str = "kept",
    categories: Path | None = None,
    images: Path | None = None,
    min_area: int = 256,
    whole_only: bool = False,
    on_problem: OnProblem = "stop",
    unmatched: Unmatched = "refuse",
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from a path.

    Args:
        source: An instance table, a data set of any format, a folder of RGBA pictures, or a published pools JSON.
        out: Folder of the pool.
        kind: One of ``"table"``, ``"dataset"``, ``"folder"``, ``"pools-json"``; by default told from what is
            there.
        where: SQL filter for a table.
        categories: Data set with the categories, where the source does not know them.
        images: Folder of the dataset's pictures, or that the paths of a pools JSON are relative to.
        min_area: For a dataset, see `pool_from_dataset`.
        whole_only: For a dataset, see `pool_from_dataset`.
        on_problem: What to do with what cannot be read in a dataset; it is noted in ``losses``.
        unmatched: For a table, see `pool_from_table`.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        ConfigError: If the path is missing, categories are needed and not given, or a setting has no meaning here.
        ExistsError: If ``out`` exists and may not be replaced.
        NothingLeft: If nothing can be cut out.
    """
    if not source.exists():
        raise ConfigError(f"{source} does not exist")
    kind = kind or source_kind(source)
    given = {"where": where, "categories": categories, "images": images, "min_area": min_area, "whole_only": whole_only}
    _refuse_idle(source, kind, given)

    def known() -> tuple[Category, ...]:
        if categories is None:
            raise ConfigError(f"{source}: name the dataset's file by --categories, so that its categories are known")
        return open_categories(categories)

    def from_table() -> InstancePool:
        from divergen_records import InstanceTable

        names = None if categories is None else known()
        rows = InstanceTable.open(source)
        return pool_from_table(rows, out, where, categories=names, unmatched=unmatched, **options)

    def from_dataset() -> InstancePool:
        dataset = open_dataset(source, images, split="train", on_problem=on_problem)
        if (losses := options.get("losses")) is not None:
            losses.extend(dataset.problems)
        return pool_from_dataset(dataset, out, min_area=min_area, whole_only=whole_only, **options)

    builders: dict[str, Callable[[], InstancePool]] = {
        "table": from_table,
        "dataset": from_dataset,
        "folder": lambda: pool_from_folder(source, out, known(), **options),
        "pools-json": lambda: pool_from_pools_json(source, out, known(), root=images, **options),
    }
    return builders[kind]()


def _refuse_idle(source: Path, kind: str, given: Mapping[str, Any]) -> None:
    """Refuse settings that this kind of source has no use for."""
    defaults = {"where": "kept", "min_area": 256, "whole_only": False}
    idle = [name for name, value in given.items() if value != defaults.get(name) and name not in _READS[kind]]
    if idle:
        raise ConfigError(f"{source} is a {kind}, of which nothing is chosen by {', '.join(idle)}; leave it out")


def source_kind(source: Path) -> str:
    """What a path names: ``"table"``, ``"dataset"``, ``"folder"`` or ``"pools-json"``."""
    if (source / "_versions").is_dir():
        return "table"
    found = next((name for name, reader in readers().items() if reader.recognises(source)), None)
    if source.is_dir() and found is None:
        return "folder"
    return "pools-json" if found == "xpaste-pool" else "dataset"
