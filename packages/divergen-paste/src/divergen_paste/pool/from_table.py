"""Build a pool from rows of an instance table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from divergen_records import Category, DivergenError, ImageError, MaskError
from divergen_records.images import read_image
from divergen_records.masks import decode_counts

from ..errors import PoolError
from .build import BuildOptions, build_pool
from .categories import Unmatched, match_categories
from .crops import Crop, LeftOut, make_crop
from .reader import InstancePool, table_fingerprint

if TYPE_CHECKING:
    from divergen_records import InstanceTable

__all__ = ["pool_from_table"]

_COLUMNS = ("id", "category_id", "category", "image", "mask", "width", "height")
_SCORES = ("inter_similarity", "mask_score")
"""What other packages may have written that says how good an instance is; the first that is there counts."""


def pool_from_table(
    table: InstanceTable,
    out: str | Path,
    where: str = "kept",
    *,
    categories: Iterable[Category] | None = None,
    unmatched: Unmatched = "refuse",
    inset: int = 1,
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from rows of an instance table.

    Args:
        table: The table.
        out: Folder of the pool.
        where: SQL filter that chooses the rows.
        categories: Those of the dataset to paste into, which know their image counts; those of the rows are found among
            them by name. By default those of the rows.
        unmatched: What becomes of rows whose category is not among them.
        inset: Outermost pixels whose colour is mixed with the background; see `divergen_paste.pool.crops`.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        ConfigError: If rows have categories that are not among the given ones.
        ExistsError: If ``out`` exists and may not be replaced.
        NothingLeft: If no row can be cut out.
    """
    own = _table_categories(table, where)
    known = own if categories is None else list(categories)
    found = match_categories(own, known, unmatched=unmatched, what="table").found if own else {}
    return build_pool(
        _rows(table, where),
        _CutRow({key: category.id for key, category in found.items()}, options.get("max_side", 512), inset),
        out,
        known,
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
    ids: Mapping[int, int]
    max_side: int
    inset: int

    def __call__(self, row: dict[str, Any]) -> list[Crop | LeftOut | DivergenError]:
        if row["category_id"] not in self.ids:
            return [LeftOut(f"of the category {row['category']!r}, which is not asked for")]
        try:
            return [self._crop(row)]
        except (ImageError, MaskError) as error:
            named = str(error) if row["id"] in str(error) else f"instance {row['id']!r}: {error}"
            return [type(error)(named)]

    def _crop(self, row: dict[str, Any]) -> Crop:
        if row["image"] is None or row["mask"] is None:
            raise MaskError(f"instance {row['id']!r} has no picture or no mask yet")
        score = next((row[name] for name in _SCORES if row.get(name) is not None), float("nan"))
        return make_crop(
            read_image(row["image"]),
            decode_counts(row["mask"], row["height"], row["width"]),
            category_id=self.ids[row["category_id"]],
            source=row["id"],
            score=score,
            max_side=self.max_side,
            inset=self.inset,
        )


def _table_categories(table: InstanceTable, where: str) -> list[Category]:
    """The categories of the rows; raises `PoolError` if one id stands for several."""
    categories: dict[int, Category] = {}
    for group in table.group_counts(["category_id", "category", "frequency"], where=where):
        made = Category(id=group["category_id"], name=group["category"], frequency=group["frequency"])
        known = categories.setdefault(made.id, made)
        if known.name != made.name:
            raise PoolError(
                f"the table's category id {made.id} is {known.name!r} in some rows and {made.name!r} in others; choose "
                "rows of one data set by where"
            )
    return list(categories.values())
