"""Build a pool from rows of an instance table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from divergen_records import Category, DivergenError, ImageError, MaskError
from divergen_records.images import read_image
from divergen_records.masks import decode_counts

from .build import BuildOptions, build_pool
from .crops import Crop, make_crop
from .reader import InstancePool, table_fingerprint

if TYPE_CHECKING:
    from divergen_records import InstanceTable

__all__ = ["pool_from_table"]

_COLUMNS = ("id", "category_id", "image", "mask", "width", "height")
_SCORES = ("inter_similarity", "mask_score")
"""What other packages may have written that says how good an instance is; the first that is there counts."""


def pool_from_table(
    table: InstanceTable,
    out: str | Path,
    where: str = "kept",
    *,
    categories: Iterable[Category] | None = None,
    inset: int = 1,
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from rows of an instance table.

    Args:
        table: The table.
        out: Folder of the pool.
        where: SQL filter that chooses the rows.
        categories: Those of the dataset to paste into, which know their image counts; by default those of the rows.
        inset: Outermost pixels whose colour is mixed with the background; see `divergen_paste.pool.crops`.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        PoolError: If ``out`` exists, or no row can be cut out.
    """
    return build_pool(
        _rows(table, where),
        _CutRow(options.get("max_side", 512), inset),
        out,
        _table_categories(table, where) if categories is None else categories,
        origin=f"instance table where {where}",
        fingerprint=table_fingerprint(table, where),
        total=table.count(where=where),
        **options,
    )


def _rows(table: InstanceTable, where: str) -> Iterator[dict[str, Any]]:
    columns = [*_COLUMNS, *(name for name in _SCORES if name in table.columns)]
    for batch in table.batches(columns, where=where, batch_size=64):
        yield from batch.to_pylist()


@dataclass(frozen=True)
class _CutRow:
    max_side: int
    inset: int

    def __call__(self, row: dict[str, Any]) -> list[Crop | DivergenError]:
        try:
            return [self._crop(row)]
        except (ImageError, MaskError) as error:
            return [error]

    def _crop(self, row: dict[str, Any]) -> Crop:
        if row["image"] is None or row["mask"] is None:
            raise MaskError(f"instance {row['id']!r} has no picture or no mask yet")
        score = next((row[name] for name in _SCORES if row.get(name) is not None), float("nan"))
        return make_crop(
            read_image(row["image"]),
            decode_counts(row["mask"], row["height"], row["width"]),
            category_id=row["category_id"],
            source=row["id"],
            score=score,
            max_side=self.max_side,
            inset=self.inset,
        )


def _table_categories(table: InstanceTable, where: str) -> list[Category]:
    groups = table.group_counts(["category_id", "category", "frequency"], where=where)
    return [Category(id=group["category_id"], name=group["category"], frequency=group["frequency"]) for group in groups]
