"""The embeddings of a table's rows in another order, from one scan; in memory if they are few, else in a file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
from divergen_records.storage import reading
from divergen_records.stores import StorePath
from numpy.typing import NDArray

from .embedder import Embeddings

__all__ = ["gather_embeddings"]

_IN_MEMORY = 256 * 2**20
"""Bytes; more lie in a file without a name, which goes with the process: beside the table, of a table on a store in the
system's temporary folder."""

_ROWS = 4096
"""Rows that are read at a time."""


def gather_embeddings(snapshot: lance.LanceDataset, path: Path, addresses: NDArray[np.uint64]) -> Embeddings:
    """Embeddings in the order of ``addresses``, which may be any: the table is read from its beginning to its end.

    Args:
        snapshot: The version that the addresses belong to.
        path: The table's folder, for messages; a large result lies beside it, where it is on this machine.
        addresses: (N,) fragment << 32 | row, each once; rows that have an embedding.

    Returns:
        (N, D) float32.

    Raises:
        TableError: If the table cannot be read.
    """
    with reading(path, "embeddings"):
        found = _empty(len(addresses), snapshot.schema.field("embedding").type.list_size, path)
        order = np.argsort(addresses)
        ascending = addresses[order]
        scan = snapshot.scanner(
            columns=["embedding"], filter="embedder IS NOT NULL", with_row_address=True, batch_size=_ROWS
        )
        for batch in scan.to_batches():
            here = batch["_rowaddr"].to_numpy()
            at = np.searchsorted(ascending, here).clip(max=len(addresses) - 1)
            wanted = ascending[at] == here
            found[order[at[wanted]]] = _matrix(batch["embedding"])[wanted]
    return found


def _empty(rows: int, width: int, path: Path) -> Embeddings:
    if rows * width * 4 <= _IN_MEMORY:
        return np.empty((rows, width), dtype=np.float32)
    folder = None if isinstance(path, StorePath) else path.parent
    with tempfile.TemporaryFile(dir=folder) as file:  # the mapping holds it
        return np.memmap(file, dtype=np.float32, mode="w+", shape=(rows, width))


def _matrix(column: pa.FixedSizeListArray) -> Embeddings:
    flat = column.values[column.offset * column.type.list_size :][: len(column) * column.type.list_size]
    return np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(len(column), -1)
