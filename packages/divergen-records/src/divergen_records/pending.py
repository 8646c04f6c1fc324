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
        skipped: Number of those that are not, because a column that the stage reads is NULL.
    """

    addresses: NDArray[np.uint64]
    skipped: int


def find_pending(table: InstanceTable, snapshot: lance.LanceDataset, stage: Stage, shard: Shard) -> Work:
    """Addresses of the pending rows, in order; reads light columns only."""
    schema, first = snapshot.schema, stage.writes[0]
    names, marker = set(schema.names), find_marker(schema, first)
    written = _is_present(marker if marker in stage.writes else first, names)
    ready = " AND ".join(_is_present(find_marker(schema, name), names) for name in stage.reads) or "true"
    with reading(table.path, f"pending rows of {stage.name!r}"):
        columns = {"id": "id", "ready": ready} if shard.count > 1 else {"ready": ready}
        rows = snapshot.scanner(
            columns=columns, filter=f"NOT ({written}) AND error IS NULL", with_row_address=True
        ).to_table()
    if shard.count > 1:
        rows = rows.filter(pa.array([shard.has(name) for name in rows["id"].to_pylist()], pa.bool_()))
    addresses = rows["_rowaddr"].to_numpy()[rows["ready"].to_numpy()]
    # Shards begin at different fragments, so that their commits rarely meet.
    addresses = np.roll(np.sort(addresses), -(shard.index * len(addresses) // shard.count))
    return Work(addresses, len(rows) - len(addresses))


def _is_present(column: str, names: set[str]) -> str:
    """SQL: whether a row has the column; no row has a vector column that the table does not have yet."""
    return f"{column} IS NOT NULL" if column in names else "false"


def read_ahead(
    table: InstanceTable, snapshot: lance.LanceDataset, stage: Stage, addresses: NDArray[np.uint64], batch_size: int
) -> Iterator[tuple[NDArray[np.uint64], Batch]]:
    """The batches of a stage; one chunk is read in a thread while the one before is worked on."""
    columns = list(dict.fromkeys(("id", *stage.reads)))
    rows = READ_PICTURES if {"image", "alpha"} & set(columns) else READ_ROWS
    step = max(rows // batch_size, 1) * batch_size
    chunks = [addresses[at : at + step] for at in range(0, len(addresses), step)]

    def read(chunk: NDArray[np.uint64]) -> pa.Table:
        with reading(table.path, f"columns {', '.join(columns)}"):
            return take_rows(snapshot, chunk.tolist(), columns)

    with ThreadPoolExecutor(1, thread_name_prefix="divergen-read") as pool:
        ahead = pool.submit(read, chunks[0]) if chunks else None
        for number, chunk in enumerate(chunks):
            assert ahead is not None
            found = ahead.result()
            if number + 1 < len(chunks):
                ahead = pool.submit(read, chunks[number + 1])
            for at in range(0, len(chunk), batch_size):
                yield chunk[at : at + batch_size], _to_batch(found.slice(at, batch_size))


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
