"""What stages and sources return, checked, collected and committed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .errors import TableError
from .record import InstanceRecord
from .schema import arrow_types
from .stage import Batch, Source, Stage
from .table import InstanceTable

__all__ = ["RowWriter", "StageWriter", "call_source"]

COMMIT_EVERY = 3.0
"""Seconds after which finished fragments are committed; quick ones share a commit."""

COMMIT_LATEST = 30.0
"""Seconds after which whatever is done is committed, a part of a fragment too."""

COMMIT_BYTES = 256 * 2**20
"""Bytes of pictures after which new rows are committed."""


class StageWriter:
    """Collects what a stage returns and commits it by fragments."""

    def __init__(self, table: InstanceTable, stage: Stage) -> None:
        self.table, self.stage = table, stage
        self.done = self.failed = 0
        self._types = {**arrow_types(stage.columns), **arrow_types(InstanceRecord)}
        self._width: int | None = None
        self._parts: dict[int, list[pa.Table]] = {}
        self._last = time.monotonic()

    def add(self, addresses: NDArray[np.uint64], ids: Sequence[str], result: Batch) -> None:
        """Take the results of a batch; commit what is due."""
        rows, failed = self._to_rows(ids, result)
        fragments = addresses >> np.uint64(32)
        bounds = [0, *(np.flatnonzero(np.diff(fragments)) + 1).tolist(), len(addresses)]
        for first, last in pairwise(bounds):
            self._parts.setdefault(int(fragments[first]), []).append(rows.slice(first, last - first))
        self.failed += failed
        self.done += len(ids) - failed
        waited = time.monotonic() - self._last
        if waited > COMMIT_LATEST:
            self.commit()
        elif waited > COMMIT_EVERY and len(self._parts) > 1:
            self.commit(but=int(fragments[-1]))

    def commit(self, but: int | None = None) -> None:
        """Commit all, but the fragment that is still being worked on."""
        parts = {number: _join(rows) for number, rows in self._parts.items() if number != but}
        if not parts:
            return
        self.table.update(parts)
        self._parts = {} if but is None else {but: self._parts[but]}
        self._last = time.monotonic()

    def _to_rows(self, ids: Sequence[str], result: Batch) -> tuple[pa.Table, int]:
        """A batch's results as Arrow rows, with the number of failed ones."""
        name, first = self.stage.name, self.stage.writes[0]
        columns = {column: self._column(column, result, len(ids)) for column in (*self.stage.writes, "error")}
        errors = [
            error or (f"{name} gave neither {first} nor an error" if value is None else None)
            for error, value in zip(columns["error"], columns[first], strict=True)
        ]
        arrays = {"id": pa.array(ids, pa.string())}
        for column in self.stage.writes:
            values = [None if error else value for error, value in zip(errors, columns[column], strict=True)]
            if (array := self._to_array(column, values)) is not None:
                arrays[column] = array
        failed = sum(error is not None for error in errors)
        if failed:
            arrays["error_stage"] = pa.array([None if error is None else name for error in errors], pa.string())
            arrays["error"] = pa.array(errors, pa.string())
        return pa.table(arrays), failed

    def _column(self, column: str, result: Batch, rows: int) -> list[Any]:
        if column not in result:
            if column == "error":
                return [None] * rows
            raise TableError(f"stage {self.stage.name!r} returned no column {column!r}, though it declares it")
        values = result[column]
        if len(values) != rows:
            raise TableError(
                f"stage {self.stage.name!r} returned {len(values)} values of {column!r} for a batch of {rows} rows"
            )
        if isinstance(values, np.ndarray) and self._types.get(column) is not None:
            return list(values.tolist())
        return list(values)

    def _to_array(self, column: str, values: list[Any]) -> pa.Array | None:
        """Values as an Arrow array; None for a vector column whose width no row tells."""
        try:
            if (kind := self._types[column]) is not None:
                return pa.array(values, kind)
            if all(value is None for value in values):
                return None
            return self._to_vectors(column, values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
            raise TableError(
                f"stage {self.stage.name!r}: values of {column!r} do not fit the column: {error}"
            ) from error

    def _to_vectors(self, column: str, values: list[Any]) -> pa.Array:
        present = np.array([value is not None for value in values])
        vectors = np.stack([np.asarray(value, dtype=np.float32) for value in values if value is not None])
        if vectors.ndim != 2:
            raise ValueError(f"expected vectors of one dimension, got {vectors.ndim - 1}")
        if self._width != vectors.shape[1]:
            self.table.ensure_vector(self.stage.columns, column, vectors.shape[1])
            self._width = vectors.shape[1]
        full = np.zeros((len(values), vectors.shape[1]), dtype=np.float32)
        full[present] = vectors
        return pa.FixedSizeListArray.from_arrays(pa.array(full.reshape(-1)), vectors.shape[1], mask=pa.array(~present))


def _join(rows: list[pa.Table]) -> pa.Table:
    """One table; columns that some lack (``error``, while nothing failed) are NULL there."""
    return pa.concat_tables(rows, promote_options="default")


class RowWriter:
    """Collects the rows of a source and commits them, ``commit_rows`` at a time."""

    def __init__(self, table: InstanceTable, commit_rows: int) -> None:
        self.table, self.commit_rows = table, commit_rows
        self.done = self.failed = 0
        self._rows: list[InstanceRecord] = []
        self._bytes = 0
        self._last = time.monotonic()

    def add(self, records: Sequence[InstanceRecord]) -> None:
        """Take the rows of a batch; commit what is due."""
        self._rows += records
        self._bytes += sum(len(record.image or b"") for record in records)
        failed = sum(record.error is not None for record in records)
        self.failed += failed
        self.done += len(records) - failed
        while len(self._rows) >= self.commit_rows:
            self._commit(self.commit_rows)
        if self._bytes > COMMIT_BYTES or time.monotonic() - self._last > COMMIT_LATEST:
            self.commit()

    def commit(self) -> None:
        """Commit all."""
        if self._rows:
            self._commit(len(self._rows))

    def _commit(self, count: int) -> None:
        self.table.append(self._rows[:count])
        del self._rows[:count]
        self._bytes = sum(len(record.image or b"") for record in self._rows)
        self._last = time.monotonic()


def call_source(source: Source, planned: Sequence[InstanceRecord]) -> list[InstanceRecord]:
    """Complete planned records; a record without picture or error gets an error.

    Raises:
        TableError: If the source returns other records than it was given.
    """
    records = list(source(planned))
    if [record.id for record in records] != [record.id for record in planned]:
        raise TableError(
            f"source {source.name!r} returned {len(records)} records for {len(planned)} planned ones, or with other "
            "ids: it must return each planned record, in the same order"
        )
    return [_checked(source.name, record) for record in records]


def _checked(name: str, record: InstanceRecord) -> InstanceRecord:
    if record.error is not None:
        return record
    if record.image is None or record.width is None or record.height is None:
        return record.failed(name, f"{name} gave no picture, no size and no error")
    return record
