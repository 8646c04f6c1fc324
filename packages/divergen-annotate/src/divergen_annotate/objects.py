"""Pictures that show several objects: each further object gets a row of its own, with the same picture.

An annotator with ``instances="all"`` gives a row's picture the best mask, as ever, and notes the others in the column
``objects``. `append_objects` makes the rows of these. Their ids follow from the first row's, so a row comes once,
however often this is called, and it belongs to the same shard.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from divergen_records import InstanceRecord, InstanceTable, Shard, append, short_hash

from .columns import MaskColumns

__all__ = ["ObjectColumns", "append_objects", "object_id", "pack_objects", "remove_objects"]

_SAME = ("category_id", "category", "frequency", "prompt", "prompt_source", "generator", "generator_revision", "seed")
_PICTURE = ("image", "image_format", "width", "height")


class ObjectColumns(MaskColumns):
    """The columns of annotators that find all objects of a picture."""

    objects: str | None = None
    """JSON: the further objects of this row's picture, each as the columns of its own row; NULL where there is none."""
    object_of: str | None = None
    """Of a further object: the id of the row that the picture was made for."""


def object_id(first: str, number: int) -> str:
    """Id of a further object, 32 hex characters; its beginning is the first row's, so both are in the same `Shard`."""
    return first[:12] + short_hash("object/1", first, number)[:20]


def pack_objects(rows: Sequence[dict[str, Any]]) -> str | None:
    """The column ``objects`` of a row, of the mask columns of its further objects."""
    return json.dumps(rows) if rows else None


def append_objects(table: InstanceTable, *, shard: Shard | None = None, progress: bool = True) -> int:
    """Add the rows of all further objects that annotated rows have and the table lacks.

    Args:
        table: The table.
        shard: Only those whose first row is in this part.
        progress: Show progress on standard error.

    Returns:
        How many rows were added.

    Raises:
        CommitError: If rows could not be written; what was committed before stays.
    """
    if "objects" not in table.columns:
        return 0
    table.ensure_columns(ObjectColumns, ["object_of"])
    return append(table, _Objects(table), _planned(table, shard or Shard()), progress=progress).done


def remove_objects(table: InstanceTable) -> int:
    """Remove the rows of further objects, and forget that there were any: before masks are made anew.

    Returns:
        How many rows were removed.
    """
    removed = table.remove("object_of IS NOT NULL") if "object_of" in table.columns else 0
    table.clear(["objects"])
    return removed


def _planned(table: InstanceTable, shard: Shard) -> Iterator[InstanceRecord]:
    """The rows of further objects, without their pictures."""
    for batch in table.batches(["id", *_SAME, "objects"], "objects IS NOT NULL"):
        for row in batch.to_pylist():
            if not shard.has(row["id"]):
                continue
            same = {name: row[name] for name in _SAME}
            for number, columns in enumerate(json.loads(row["objects"]), 1):
                yield InstanceRecord(id=object_id(row["id"], number), **same, **columns, object_of=row["id"])


class _Objects:
    """A `divergen_records.Source` that gives further objects the picture that they are on."""

    name = "objects"

    def __init__(self, table: InstanceTable) -> None:
        self._table = table

    def __call__(self, records: Sequence[InstanceRecord]) -> list[InstanceRecord]:
        firsts = [str((record.model_extra or {})["object_of"]) for record in records]
        unique = list(dict.fromkeys(firsts))
        pictures = dict(zip(unique, self._table.take(unique, _PICTURE).to_pylist(), strict=True))
        return [record.model_copy(update=pictures[first]) for record, first in zip(records, firsts, strict=True)]
