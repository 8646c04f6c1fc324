"""The instance table: one row per generated instance, on Lance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa

from . import storage, upkeep
from .columns import Columns as Declared
from .columns import writer_of
from .errors import CommitError, TableError
from .record import SCHEMA_VERSION, InstanceRecord
from .schema import (
    COLUMNS,
    REQUIRED,
    VERSION_KEY,
    arrow_field,
    arrow_schema,
    arrow_types,
    check_version,
    field_notes,
    from_arrow,
    is_vector,
    to_arrow,
    writer_in,
)
from .storage import Columns
from .stores import place, refuse_store

__all__ = ["InstanceTable"]

_TIDY_EVERY = 100
"""Updates after which old versions are removed; appends do it when they merge."""


_REMOVED_AT_ONCE = 10_000
"""Ids in one condition."""


class InstanceTable:
    """A table of `InstanceRecord` in a folder or on an object store.

    Its columns are filled stage by stage, and stages add their own.

    Every read sees the newest version. Every write is one atomic commit, or none. Several processes may read and write
    at once. ``where`` is an SQL condition over the columns, for example ``"kept AND frequency = 'r'"``.

    >>> table = InstanceTable.create("run/table.lance")  # doctest: +SKIP
    >>> table.append(records)  # doctest: +SKIP
    >>> table.count("error IS NULL")  # doctest: +SKIP
    """

    def __init__(self, path: Path, dataset: lance.LanceDataset) -> None:
        self.path = path
        self._dataset = dataset
        self._addresses = upkeep.Addresses()
        self._appended = upkeep.AppendedVersions()
        self._merger = upkeep.Merger()

    @classmethod
    def create(cls, path: str | Path, *, exist_ok: bool = False) -> InstanceTable:
        """Make an empty table.

        Args:
            path: A folder that does not exist yet, or is empty; or an address (``s3://bucket/t.lance``).
            exist_ok: Open the table if it is there.

        Raises:
            TableError: If something is there, or the folder cannot be written.
        """
        storage.check_process()
        refuse_store(path, ours=False)
        path = place(path)
        if not storage.is_free(path):
            if exist_ok:
                return cls.open(path)
            raise TableError(f"{path} exists already: open it (InstanceTable.open), or choose another path")
        with storage.reading(path, "creating the table"):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            storage.commit_again(
                path, "the new table", lambda: storage.make_dataset(path, arrow_schema().empty_table())
            )
        except CommitError:
            if not exist_ok or not storage.is_dataset(path):  # else another process made it just now
                raise
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> InstanceTable:
        """Open a table; one of an older schema gets the columns that it lacks.

        Raises:
            TableError: If there is no instance table.
            SchemaTooNew: If a newer version wrote it.
        """
        storage.check_process()
        refuse_store(path, ours=False)
        path = place(path)
        if not storage.is_dataset(path):
            raise TableError(f"{path} is not an instance table" if path.exists() else f"{path} does not exist")
        with storage.reading(path, "opening the table"):
            dataset = storage.open_dataset(path)
        table = cls(path, dataset)
        version = check_version(dataset.schema, path)
        table._add_columns([field for field in arrow_schema() if field.name not in dataset.schema.names])
        if version < SCHEMA_VERSION:
            mark = {VERSION_KEY.decode(): str(SCHEMA_VERSION)}
            storage.commit_again(path, "the schema version", lambda: table._latest().update_schema_metadata(mark))
        return table

    def __reduce__(self) -> tuple[Any, ...]:
        return InstanceTable.open, (self.path,)

    def snapshot(self) -> lance.LanceDataset:
        """The Lance dataset at its newest version, for DuckDB, Ray, pandas or a reader thread; it does not move."""
        with storage.reading(self.path):
            return self._latest().checkout_version(self._dataset.version)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: the record's, and those that stages have added so far."""
        return tuple(self._latest().schema.names)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema; a declared column's metadata says who declared it (`divergen_records.schema`)."""
        return self._latest().schema

    # Reading

    def select(self, columns: Columns | None = None, where: str | None = None, limit: int | None = None) -> pa.Table:
        """Rows as an Arrow table; all columns by default, which includes the pictures."""
        with storage.reading(self.path, storage.asked(columns, where)):
            return self._latest().to_table(columns=storage.plain(columns), filter=where, limit=limit)

    def batches(
        self, columns: Columns | None = None, where: str | None = None, batch_size: int = 1024
    ) -> Iterator[pa.RecordBatch]:
        """Rows as a stream of Arrow batches of at most ``batch_size`` rows."""
        with storage.reading(self.path, storage.asked(columns, where)):
            yield from self._latest().to_batches(columns=storage.plain(columns), filter=where, batch_size=batch_size)

    def records(self, where: str | None = None) -> Iterator[InstanceRecord]:
        """Rows as records."""
        for batch in self.batches(where=where, batch_size=64):
            yield from from_arrow(batch)

    def take(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of these ids, in this order; fast for few rows out of many.

        Raises:
            TableError: If an id or a column is not in the table.
        """
        addresses = self._index()
        if missing := [name for name in ids if name not in addresses]:
            raise TableError(f"{self.path} has no row {missing[0]!r} ({len(missing)} of {len(ids)} ids are missing)")
        with storage.reading(self.path, storage.asked(columns, None)):
            return storage.take_rows(self._dataset, [addresses[name] for name in ids], columns)

    def ids(self, where: str | None = None) -> set[str]:
        """Ids of the rows."""
        return set(self.select(["id"], where)["id"].to_pylist())

    def count(self, where: str | None = None) -> int:
        """Number of rows."""
        with storage.reading(self.path, storage.asked(None, where)):
            return int(self._latest().count_rows(where))

    def group_counts(self, columns: Columns, where: str | None = None) -> list[dict[str, Any]]:
        """Number of rows for each combination of values: the values and ``"count"``, the most frequent first.

        >>> table.group_counts({"frequency": "frequency", "masked": "area_fraction IS NOT NULL"})  # doctest: +SKIP
        [{'frequency': 'f', 'masked': True, 'count': 812}, ...]
        """
        rows = self.select(columns, where)
        counts = rows.group_by(list(columns)).aggregate([([], "count_all")]).rename_columns([*columns, "count"])
        return sorted(counts.to_pylist(), key=lambda row: (-row["count"], *map(str, row.values())))

    def errors(self) -> list[dict[str, Any]]:
        """Failed rows by ``error_stage`` and ``error``, with ``"count"``."""
        return self.group_counts(["error_stage", "error"], "error IS NOT NULL")

    # Writing

    def append(self, records: Sequence[InstanceRecord]) -> int:
        """Add rows in one commit; ids that the table has are skipped. Returns the number of rows added.

        Exactly once: writers of one machine (or of one shared folder with working file locks) take turns and look at
        each other's rows before they commit, so an id never comes twice. Where file locks do not reach, give each
        machine its own `Shard`.

        Raises:
            TableError: If a record has a column that the table lacks.
            CommitError: If the rows could not be written; the table is as before.
        """
        with storage.locked(self.path):
            have = self._index()
            new = list({record.id: record for record in records if record.id not in have}.values())
            if not new:
                return 0
            rows = to_arrow(new, self._latest().schema)
            version = storage.commit_again(
                self.path, f"an append of {len(new)} rows", lambda: storage.append_rows(self._latest(), rows)
            )
            self._appended.add(version)
            if merged := self._merger.merge(self.path, self._latest()):
                with storage.reading(self.path):  # anew: Lance's caches keep every fragment that ever was
                    self._dataset = storage.open_dataset(self.path)
        if superseded := self._appended.take_superseded():
            upkeep.remove_versions(self.path, self._dataset, superseded)
        self._tidy_sometimes(due=merged)
        return len(new)

    def update(self, parts: Mapping[int, pa.Table]) -> None:
        """Write columns of existing rows in one commit, however many fragments.

        Args:
            parts: Fragment id -> rows with ``id`` and the columns to write.

        Raises:
            CommitError: If the rows could not be written; the table is as before.
        """
        storage.update_rows(self.path, self._dataset, parts)
        self._tidy_sometimes(due=self._dataset.version % _TIDY_EVERY == 0)

    def ensure_columns(self, columns: type[Declared], names: Iterable[str] | None = None) -> None:
        """Add declared columns where the table lacks them, with who declares them; vectors come with the first one.

        Args:
            columns: What a stage declares.
            names: Which of them; all by default.

        Raises:
            TableError: If the table has one of them with another type; it names both who declare it.
        """
        names = list(columns.model_fields if names is None else names)
        self._add_columns([field for name in names if (field := arrow_field(columns, name)) is not None])
        present = [name for name in names if name in self._dataset.schema.names]
        self._check_types(columns, present)
        fields = [self._dataset.schema.field(name) for name in present if name not in COLUMNS]
        notes = {field.name: field_notes(columns, field.name) for field in fields if writer_in(field) is None}
        if notes:  # a table of schema version 2 does not say who wrote what
            storage.commit_again(self.path, "column notes", lambda: self._latest().update_field_metadata(notes))

    def ensure_vector(self, columns: type[Declared], name: str, width: int) -> None:
        """Add a declared column of vectors where the table lacks it; one without any vector gives way to another width.

        Args:
            columns: What declares it.
            name: The column.
            width: Length of its vectors.

        Raises:
            TableError: If the table holds vectors of another width.
        """
        field = arrow_field(columns, name, width=width)
        self._add_columns([field])
        have = self._dataset.schema.field(name).type.list_size
        if have != width and not self.count(f"{name} IS NOT NULL"):  # cleared, to be made by another model
            storage.commit_again(self.path, f"column {name}", lambda: self._latest().drop_columns([name]))
            self._add_columns([field])
            have = width
        if have != width:
            raise TableError(
                f"{self.path}: column {name!r} holds vectors of {have} numbers, these have {width}. Another model made "
                f"them: use the same one, or make a new table"
            )

    def clear(self, columns: Iterable[str], where: str | None = None) -> int:
        """Set columns back to NULL, that is pending. Returns the number of rows.

        A column that no stage has added yet is pending in every row as it is.
        """
        columns = list(columns)
        schema = self._latest().schema
        if wrong := [name for name in columns if name in REQUIRED]:
            raise TableError(f"{self.path}: column {wrong[0]!r} cannot be cleared")
        with storage.reading(self.path, storage.asked(None, where)):
            rows = self._dataset.to_table(columns=["id"], filter=where)
        names = [name for name in columns if name in schema.names]
        if not names:
            return len(rows)
        for name in names:
            rows = rows.append_column(schema.field(name), pa.nulls(len(rows), schema.field(name).type))
        storage.update_rows(self.path, self._dataset, storage.locate(self._dataset, rows))
        return len(rows)

    def retry_errors(self, stage: str | None = None) -> int:
        """Make failed rows pending again. Returns their number.

        Rows that have no picture are removed, so that `append` makes them again from the plan.

        Args:
            stage: Only rows that failed in this stage.
        """
        failed = "error IS NOT NULL"
        if stage is not None:
            failed += " AND error_stage = '{}'".format(stage.replace("'", "''"))
        removed = self.remove(f"{failed} AND width IS NULL")
        return removed + self.clear(["error_stage", "error"], failed)

    def remove(self, where: str) -> int:
        """Remove the rows that an SQL filter names. Returns their number."""
        removed = self.count(where)
        if removed:
            storage.commit_again(self.path, f"removing {removed} rows", lambda: self._latest().delete(where))
        return removed

    def keep(self, ids: Collection[str]) -> int:
        """Remove all rows but these, for a table that is another one's copy. Returns how many were removed."""
        others = sorted(self.ids().difference(ids))
        for start in range(0, len(others), _REMOVED_AT_ONCE):
            some = others[start : start + _REMOVED_AT_ONCE]
            self.remove("id IN ({})".format(", ".join("'{}'".format(name.replace("'", "''")) for name in some)))
        return len(others)

    def compact(self, *, keep: timedelta | None = None) -> None:
        """Merge small fragments, drop removed rows and the files of versions older than ``keep``.

        Nothing that is in the table changes. Run it while no stage is running: a fill that it overtakes goes on, but
        has to find its rows again.
        """
        storage.commit_again(self.path, "compaction", lambda: storage.compact(self._latest()))
        self.tidy(keep=keep)

    def tidy(self, *, keep: timedelta | None = None) -> None:
        """Remove the files of versions older than ``keep``, an hour by default; every commit leaves a version."""
        with storage.writing(self.path, "removing old versions"):
            self._latest().cleanup_old_versions(older_than=upkeep.KEEP if keep is None else keep)

    def _tidy_sometimes(self, *, due: bool) -> None:
        if due:
            with suppress(CommitError):  # two processes may be at it
                self.tidy()

    def _latest(self) -> lance.LanceDataset:
        storage.check_process()
        with storage.reading(self.path):
            self._dataset.checkout_latest()
        return self._dataset

    def _check_types(self, columns: type[Declared], names: Sequence[str]) -> None:
        types = arrow_types(columns)
        for name in names:
            field, declared = self._dataset.schema.field(name), types[name]
            if is_vector(field) if declared is None else field.type == declared:
                continue
            owner = "InstanceRecord" if name in COLUMNS else writer_in(field) or "schema version 2"
            raise TableError(
                f"{self.path}: the column {name!r} is declared with two types: {field.type} by {owner}, "
                f"{declared or 'vector'} by {writer_of(columns, name)}; rename one of them"
            )

    def _add_columns(self, fields: Sequence[pa.Field]) -> None:
        def attempt() -> None:
            have = self._latest().schema.names
            if lacking := [field for field in fields if field.name not in have]:
                self._dataset.add_columns(pa.schema(lacking))

        storage.commit_again(self.path, "new columns", attempt)

    def _index(self) -> dict[str, int]:
        """Row address of each id."""
        with storage.reading(self.path):
            return self._addresses.at(self._latest())
