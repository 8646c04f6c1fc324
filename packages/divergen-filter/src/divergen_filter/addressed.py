"""Rows of a table with their addresses, read and written fragment by fragment."""

from __future__ import annotations

from collections.abc import Iterable

import lance
import numpy as np
import pyarrow as pa
from divergen_records import InstanceTable
from divergen_records.storage import asked, reading

__all__ = ["read_rows", "write_rows"]


def read_rows(
    table: InstanceTable, columns: Iterable[str], where: str | None = None, snapshot: lance.LanceDataset | None = None
) -> pa.Table:
    """Light columns of the rows, with their addresses (fragment << 32 | row) in ``_rowaddr``."""
    names = list(dict.fromkeys(columns))
    with reading(table.path, asked(names, where)):
        snapshot = snapshot or table.snapshot()
        return snapshot.scanner(columns=names, filter=where, with_row_address=True).to_table()


def write_rows(
    table: InstanceTable, addresses: pa.ChunkedArray, rows: pa.Table, before: pa.Table | None = None
) -> None:
    """Commit columns of the rows at these addresses, all at once, but no fragment whose rows are as ``before``."""
    fragments = addresses.to_numpy() >> np.uint64(32)
    if (fragments[1:] < fragments[:-1]).any():
        order = np.argsort(fragments, kind="stable")
        fragments, rows, before = fragments[order], rows.take(order), before and before.take(order)
    rows = rows.combine_chunks()  # of many chunks, each slice would be searched for
    found, starts = np.unique(fragments, return_index=True)
    parts = {}
    for number, start, end in zip(found.tolist(), starts, np.append(starts[1:], len(fragments)), strict=True):
        part = rows[start:end]
        if before is None or any(part[name] != before[name][start:end] for name in before.column_names):
            parts[number] = part
    if parts:
        table.update(parts)
