"""Which rows of a table are pending for a stage, and their columns, read ahead of the work."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import lance
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .errors import TableError
from .schema import find_marker, is_vector
from .stage import Batch, Shard, Stage
from .storage import reading, take_rows
from .table import InstanceTable

__all__ = ["Work", "find_pending", "read_ahead"]

READ_ROWS = 4096
READ_PICTURES = 64
"""Rows that are read at a time, without and with pictures; the next ones are read while a stage computes."""


@dataclass(frozen=True)
class Work:
    """Pending rows.

    Attributes:
        addresses: (N,) uint64, fragment << 32 | row: the rows that are ready.
        ids: (N,) theirs.
        skipped: Number of those that are not, because a column that the stage reads is NULL.
    """

    addresses: NDArray[np.uint64]
    ids: pa.ChunkedArray
    skipped: int


def find_pending(table: InstanceTable, snapshot: lance.LanceDataset, stage: Stage, shard: Shard) -> Work:
    """Addresses of the pending rows, in order; reads light columns only."""
    schema, first = snapshot.schema, stage.writes[0]
    names, marker = set(schema.names), find_marker(schema, first)
    written = _is_present(marker if marker in stage.writes else first, names)
    ready = " AND ".join(_is_present(find_marker(schema, name), names) for name in stage.reads) or "true"
    with reading(table.path, f"pending rows of {stage.name!r}"):
        rows = snapshot.scanner(
            columns={"id": "id", "ready": ready}, filter=f"NOT ({written}) AND error IS NULL", with_row_address=True
        ).to_table()
    if shard.count > 1:
        rows = rows.filter(pa.array([shard.has(name) for name in rows["id"].to_pylist()], pa.bool_()))
    chosen = rows.filter(rows["ready"]).sort_by("_rowaddr")
    # Shards begin at different fragments, so that their commits rarely meet.
    first_row = shard.index * len(chosen) // shard.count
    chosen = pa.concat_tables([chosen.slice(first_row), chosen.slice(0, first_row)])
    return Work(chosen["_rowaddr"].to_numpy(), chosen["id"], len(rows) - len(chosen))


def _is_present(column: str, names: set[str]) -> str:
    """SQL: whether a row has the column; no row has a vector column that the table does not have yet."""
    return f"{column} IS NOT NULL" if column in names else "false"


def read_ahead(
    table: InstanceTable, snapshot: lance.LanceDataset, stage: Stage, work: Work, batch_size: int
) -> Iterator[tuple[NDArray[np.uint64], Batch]]:
    """The batches of a stage; one chunk is read in a thread while the one before is worked on."""
    reader = _Reader(table, snapshot, stage)
    rows = READ_PICTURES if {"image", "alpha"} & set(reader.columns) else READ_ROWS
    step = max(rows // batch_size, 1) * batch_size
    starts = range(0, len(work.addresses), step)

    def read(start: int) -> pa.Table:
        return reader.read(work.addresses[start : start + step], work.ids.slice(start, step))

    with ThreadPoolExecutor(1, thread_name_prefix="divergen-read") as pool:
        ahead = pool.submit(read, 0) if starts else None
        for start in starts:
            assert ahead is not None
            found = ahead.result()
            if start + step in starts:
                ahead = pool.submit(read, start + step)
            for at in range(0, len(found), batch_size):
                taken = found.slice(at, batch_size)
                yield work.addresses[start + at : start + at + len(taken)], _to_batch(taken)


class _Reader:
    """Reads rows of a snapshot; where its files are gone, because others merged them since, from the newest version."""

    def __init__(self, table: InstanceTable, snapshot: lance.LanceDataset, stage: Stage) -> None:
        self.path, self.snapshot = table.path, snapshot
        self.columns = list(dict.fromkeys(("id", *stage.reads)))
        self._newest: InstanceTable | None = None

    def read(self, addresses: NDArray[np.uint64], ids: pa.ChunkedArray) -> pa.Table:
        """The stage's columns of these rows, in this order."""
        try:
            with reading(self.path, f"columns {', '.join(self.columns)}"):
                return take_rows(self.snapshot, addresses.tolist(), self.columns)
        except TableError:
            self._newest = self._newest or InstanceTable.open(self.path)  # its own: this runs in a thread
            return self._newest.take(ids.to_pylist(), self.columns)


def _to_batch(rows: pa.Table) -> dict[str, Any]:
    """Columns as Python lists; vectors as an array (N, D) float32 where no row lacks one."""
    batch: dict[str, Any] = {}
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        if is_vector(rows.field(name)) and not column.null_count:
            batch[name] = np.array(column.flatten()).reshape(len(rows), -1)  # a copy: torch wants it writable
        else:
            batch[name] = column.to_pylist()
    return batch
