"""Runs stages and sources over an instance table, in process; killed at any time, the next call continues.

What is committed is whole rows of a stage; what was not committed is computed again. Nothing else is kept: pending work
is read off the table itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice

from .errors import CommitError, SourceEnded, TableError
from .pending import find_pending, read_ahead
from .progress import Progress
from .record import InstanceRecord
from .results import RowWriter, StageWriter, call_source
from .schema import COLUMNS
from .stage import Shard, Source, Stage
from .storage import FRAGMENT_ROWS
from .table import InstanceTable

__all__ = ["StageReport", "append", "fill"]


@dataclass(frozen=True)
class StageReport:
    """What a stage did in one call.

    Attributes:
        name: The stage's or source's name.
        done: Rows that it completed.
        failed: Rows that got an ``error``.
        skipped: Rows that it could not begin, because a column that it reads is NULL; for a source, planned rows that
            the table had already.
        seconds: Wall time.
    """

    name: str
    done: int
    failed: int
    skipped: int
    seconds: float


def fill(
    table: InstanceTable, stage: Stage, *, shard: Shard | None = None, batch_size: int = 32, progress: bool = True
) -> StageReport:
    """Run a stage over its pending rows, and commit as it goes.

    A row is pending while the first of the stage's written columns is NULL, it has no ``error``, and none of the
    columns read is NULL. Finished fragments are committed every few seconds; a part of a fragment after half a minute,
    and when the stage is interrupted or raises.

    Args:
        table: The table; other processes may write to it meanwhile.
        stage: The stage.
        shard: The part of the rows to do, by id; all by default.
        batch_size: Rows given to the stage at a time.
        progress: Show progress on standard error.

    Raises:
        TableError: If the stage names an unknown column, declares one with another type than the table has, or returns
            what does not fit.
        CommitError: If results could not be written; what was committed before stays.
    """
    start = time.monotonic()
    _prepare_columns(table, stage)
    snapshot = table.snapshot()
    work = find_pending(table, snapshot, stage, shard or Shard())
    writer = StageWriter(table, stage)
    shown = Progress(stage.name, len(work.addresses)) if progress and len(work.addresses) else nullcontext()
    with shown as bar:
        try:
            for addresses, batch in read_ahead(table, snapshot, stage, work, batch_size):
                writer.add(addresses, list(batch["id"]), stage(batch))
                if isinstance(bar, Progress):
                    bar.update(len(addresses), f"{writer.failed} failed" if writer.failed else None)
        except CommitError:
            raise
        except BaseException:
            writer.commit()
            raise
        writer.commit()
    return StageReport(stage.name, writer.done, writer.failed, work.skipped, time.monotonic() - start)


def append(
    table: InstanceTable,
    source: Source,
    planned: Iterable[InstanceRecord],
    *,
    shard: Shard | None = None,
    batch_size: int = 16,
    commit_rows: int = FRAGMENT_ROWS,
    progress: bool = True,
    total: int | None = None,
) -> StageReport:
    """Run a source over the planned records whose ids the table lacks, and commit as it goes.

    Each id is appended exactly once, also by processes side by side (see `InstanceTable.append`); shards keep them
    from doing the same work.

    Args:
        table: The table.
        source: Makes the rows.
        planned: Records with their identity; read as it goes, and once before to be counted where it has a length.
        shard: The part of the plan to do, by id; all by default.
        batch_size: Records given to the source at a time.
        commit_rows: Rows of a commit at most; one is made after half a minute at the latest.
        progress: Show progress on standard error.
        total: Number of planned records, for the progress line; a plan that can be read twice is counted.

    Raises:
        TableError: If the source returns other records than it was given.
        CommitError: If rows could not be written; what was committed before stays.
    """
    start = time.monotonic()
    have = table.ids()
    pending = _Pending(planned, have, shard or Shard())
    writer = RowWriter(table, commit_rows)
    with Progress(source.name, pending.left(total)) if progress else nullcontext() as bar:
        try:
            records = iter(pending)
            while batch := list(islice(records, batch_size)):
                writer.add(call_source(source, batch))
                if isinstance(bar, Progress):
                    bar.update(len(batch), f"{writer.failed} failed" if writer.failed else None)
        except CommitError:
            raise
        except BaseException as error:
            writer.add(error.made if isinstance(error, SourceEnded) else ())
            writer.commit()
            raise
        writer.commit()
    return StageReport(source.name, writer.done, writer.failed, pending.skipped, time.monotonic() - start)


def _prepare_columns(table: InstanceTable, stage: Stage) -> None:
    """Add the columns that the stage declares, and refuse those that nobody does."""
    if not isinstance(stage, Stage):
        raise TableError(f"{type(stage).__name__} is no stage: it needs name, reads, writes, columns and a call")
    if not stage.writes:
        raise TableError(f"stage {stage.name!r} writes no column")
    declared = stage.columns.model_fields
    if unknown := [name for name in stage.writes if name not in declared and name not in COLUMNS]:
        raise TableError(
            f"stage {stage.name!r} writes the column {unknown[0]!r}, which neither {stage.columns.__name__} declares "
            "nor InstanceRecord has"
        )
    table.ensure_columns(stage.columns, [name for name in (*stage.reads, *stage.writes) if name in declared])
    have = table.columns
    if unknown := [name for name in stage.reads if name not in declared and name not in have]:
        raise TableError(
            f"{table.path}: stage {stage.name!r} reads the column {unknown[0]!r}, which no stage has written yet; the "
            f"table has {', '.join(have)}"
        )


class _Pending:
    """Planned records that the table lacks; counts the others."""

    def __init__(self, planned: Iterable[InstanceRecord], have: set[str], shard: Shard) -> None:
        self.planned, self.have, self.shard = planned, have, shard
        self.skipped = 0

    def left(self, total: int | None) -> int | None:
        """Records to do; of a plan that is read only once about so many, by its ``total``, or None."""
        if isinstance(self.planned, Sized):  # no iterator
            if self.shard.count == 1 and not self.have:
                return len(self.planned)
            return sum(record.id not in self.have and self.shard.has(record.id) for record in self.planned)
        if total is None:
            return None
        return max(total // self.shard.count - sum(map(self.shard.has, self.have)), 0)

    def __iter__(self) -> Iterator[InstanceRecord]:
        for record in self.planned:
            if self.shard.count > 1 and not self.shard.has(record.id):
                continue
            if record.id in self.have:
                self.skipped += 1
                continue
            self.have.add(record.id)
            yield record
