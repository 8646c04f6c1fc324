"""Carry out a plan: pictures into the instance table."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from divergen_records import Columns, ConfigError, InstanceRecord, Progress, Shard, append
from divergen_records.logs import Log

from .planning import Plan
from .protocol import Generator, PaidGenerator, StreamingGenerator

if TYPE_CHECKING:
    from divergen_records import InstanceTable, StageReport
    from divergen_records.results import RowWriter

__all__ = ["account_file", "generate", "shard_from_environment", "truncations_file"]

COMMIT_ROWS = 512
"""Pictures of a commit, and so of a fragment; a commit is made after half a minute at the latest."""

HANDED = 32
"""Pictures that are handed to the writing thread at a time."""


def generate(
    table: InstanceTable,
    plan: Plan,
    generators: Sequence[Generator],
    *,
    shard: Shard | None = None,
    batch_size: int = 16,
    progress: bool = True,
) -> list[StageReport]:
    """Make the planned pictures that the table lacks, one generator after the other.

    Killed at any time, a second call continues. A record that cannot be made becomes a row with an error. Prompts that
    are longer than a model reads are listed in a file beside the table (`truncations_file`).

    Args:
        table: Where the pictures go.
        plan: What to make.
        generators: Those of the plan; each does its own part.
        shard: The part of the plan to do, for processes side by side.
        batch_size: Records given to a generator at a time; a diffusion model has a batch size of its own.
        progress: Show progress on standard error.

    Returns:
        A report per generator.

    Raises:
        ConfigError: The plan names a generator that is not there, or one of another revision.
    """
    _check(plan, generators)
    reports = []
    for generator in generators:
        part = plan.only(generator=generator.name)
        table.ensure_columns(getattr(generator, "columns", Columns))
        if isinstance(generator, PaidGenerator):
            generator.keep_account(account_file(table))
        if isinstance(generator, StreamingGenerator):
            reports.append(_stream(table, generator, part, shard or Shard(), progress))
            continue
        reports.append(append(table, generator, part, shard=shard, batch_size=batch_size, progress=progress))
    return reports


def shard_from_environment() -> Shard:
    """The part of this process: of torchrun (``RANK`` of ``WORLD_SIZE``), or all of the work."""
    rank, size = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    return Shard(int(rank), int(size)) if rank.isdecimal() and size.isdecimal() else Shard()


def truncations_file(table: InstanceTable) -> Path:
    """JSON Lines beside the table: generator, prompt, encoder, tokens and the limit beyond which nothing is read."""
    return table.path.with_name(f"{table.path.name}.truncated.jsonl")


def account_file(table: InstanceTable) -> Path:
    """JSON Lines beside the table: what its pictures cost and may still cost (`divergen_records.endpoint.Ledger`)."""
    return table.path.with_name(f"{table.path.name}.spent.jsonl")


def _stream(
    table: InstanceTable, generator: StreamingGenerator, part: Plan, shard: Shard, progress: bool
) -> StageReport:
    from divergen_records import StageReport
    from divergen_records.results import RowWriter

    start = time.monotonic()
    have = table.ids()
    planned = sum(1 for record in part if shard.has(record.id))
    left = sum(1 for _ in _pending(part, have, shard))
    writer = RowWriter(table, COMMIT_ROWS)
    if left:
        generator.prepare(_pending(part, have, shard), progress)
        _note_truncations(table, generator)
        bar = Progress(generator.name, left, unit="pictures") if progress else nullcontext()
        with bar as shown, ThreadPoolExecutor(1, thread_name_prefix="divergen-write") as pool:
            hand = _Hand(writer, pool)
            try:
                for record in generator.stream(_pending(part, have, shard)):
                    hand.add(record)
                    if isinstance(shown, Progress):
                        failed = f"{writer.failed} failed" if writer.failed else ""
                        shown.update(1, ", ".join(filter(None, (generator.note(), failed))))
            finally:  # what is done is kept, whatever ended the work
                hand.finish()
    return StageReport(generator.name, writer.done, writer.failed, planned - left, time.monotonic() - start)


def _pending(part: Plan, have: set[str], shard: Shard) -> Iterator[InstanceRecord]:
    """This shard's records that the table lacks, each once; the plan itself stays lazy."""
    seen: set[str] = set()
    for record in part:
        if record.id not in have and shard.has(record.id) and record.id not in seen:
            seen.add(record.id)
            yield record


class _Hand:
    """Hands pictures to the thread that commits them; waits for it only when it is two handfuls behind."""

    def __init__(self, writer: RowWriter, pool: ThreadPoolExecutor) -> None:
        self.writer, self.pool = writer, pool
        self._rows: list[InstanceRecord] = []
        self._ahead: deque[Future[None]] = deque()

    def add(self, record: InstanceRecord) -> None:
        self._rows.append(record)
        if len(self._rows) >= HANDED:
            self._hand_over()

    def finish(self) -> None:
        self._hand_over()
        self._ahead.append(self.pool.submit(self.writer.commit))
        while self._ahead:
            self._ahead.popleft().result()

    def _hand_over(self) -> None:
        self._ahead.append(self.pool.submit(self.writer.add, self._rows))
        self._rows = []
        while len(self._ahead) > 2:
            self._ahead.popleft().result()


def _note_truncations(table: InstanceTable, generator: Generator) -> None:
    found = getattr(generator, "truncated", [])
    if not found:
        return
    rows = [
        json.dumps(
            {
                "generator": generator.name,
                "prompt": t.prompt,
                "encoder": t.encoder,
                "tokens": t.tokens,
                "limit": t.limit,
            },
            ensure_ascii=False,
        )
        for t in found
    ]
    log = Log(truncations_file(table))
    with log.held():
        while True:
            known = set(log.read().decode().splitlines())
            new = [f"{row}\n" for row in rows if row not in known]
            if not new or log.append("".join(new).encode()):
                return


def _check(plan: Plan, generators: Sequence[Generator]) -> None:
    revisions = {generator.name: generator.revision for generator in generators}
    for part in plan.parts:
        if part.generator not in revisions:
            raise ConfigError(
                f"the plan names generator {part.generator!r}; there are {', '.join(revisions) or 'none'}"
            )
        if part.revision != revisions[part.generator]:
            raise ConfigError(
                f"the plan was made for generator {part.generator!r} of revision {part.revision!r}, this one is "
                f"{revisions[part.generator]!r}; plan again"
            )
