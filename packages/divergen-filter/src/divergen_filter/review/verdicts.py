"""The log of verdicts beside a table: one JSON line each, appended under a lock and on the disk before it counts.

The last line of an instance is its verdict; nothing is ever rewritten, so what each reviewer said stays. Several
processes may append at once; beside a table on an object store the log is there, too. A kill loses at most the line
in hand: half a line is skipped, and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias, get_args

import msgspec
from divergen_records.logs import Log

__all__ = ["KINDS", "Kind", "Verdict", "VerdictLog", "log_path", "now"]

Kind: TypeAlias = Literal["keep", "reject", "mask", "category"]
"""``mask``: the mask is wrong. ``category``: it is another one."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_LOCK_SECONDS = 30.0


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line of the log.

    Attributes:
        id: The instance.
        review: The verdict; None takes it back.
        reviewer: Who said it.
        reviewed_at: When: ISO 8601, UTC.
        review_category: Name of the right category, where ``review`` is ``"category"``.
    """

    id: str
    review: Kind | None = None
    reviewer: str | None = None
    reviewed_at: str | None = None
    review_category: str | None = None


def now() -> str:
    """The time as the log holds it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def log_path(table: Path) -> Path:
    """``run/instances.lance`` has its verdicts in ``run/instances.reviews.jsonl``."""
    return table.with_name(f"{table.name.removesuffix('.lance')}.reviews.jsonl")


class VerdictLog:
    """Verdicts of a table, of this and of other processes; safe among threads.

    Args:
        path: The file, or its address; made at the first verdict.

    Attributes:
        path: The same.
        entries: All lines that were read, in the file's order.
        damaged: Numbers of lines that are no verdict.
        counts: Kind of verdict -> instances.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._log = path, Log(path)
        self.entries: list[Verdict] = []
        self.damaged: list[int] = []
        self.counts: Counter[Kind] = Counter()
        self._last: dict[str, int] = {}
        self._offset = self._lines = 0
        self._lock = Lock()
        self.catch_up()

    def catch_up(self) -> int:
        """Read what has been appended since. Returns how many verdicts there are."""
        with self._lock:
            return self._read()

    def version(self, instance_id: str) -> int:
        """Which entry is the instance's last one, counted from 1; 0 where it has none."""
        return self._last.get(instance_id, 0)

    def last(self, instance_id: str) -> Verdict | None:
        """The instance's last entry."""
        found = self.version(instance_id)
        return self.entries[found - 1] if found else None

    def state(self) -> dict[str, Verdict]:
        """The last entry of each instance."""
        return {key: self.entries[number - 1] for key, number in list(self._last.items())}

    def append(self, made: Sequence[Verdict], seen: Mapping[str, int] | None = None) -> list[Verdict]:
        """Write verdicts; when this returns, they are on the disk, or the store.

        Args:
            made: The verdicts.
            seen: The `version` of an instance that its reviewer knew. Where somebody else has said something since,
                theirs stays and the new one is not written.

        Returns:
            Those that were not written.
        """
        with self._lock, self._log.held(_LOCK_SECONDS):
            while True:
                self._read()
                refused = [verdict for verdict in made if self._is_stale(verdict, seen or {})]
                others = {verdict.id for verdict in refused}
                lines = [msgspec.json.encode(verdict) + b"\n" for verdict in made if verdict.id not in others]
                if not lines or self._log.append(b"".join(lines)):
                    break
            self._read()
        return refused

    def _is_stale(self, verdict: Verdict, seen: Mapping[str, int]) -> bool:
        number = self.version(verdict.id)
        if number == seen.get(verdict.id, number):
            return False
        return self.entries[number - 1].reviewer != verdict.reviewer

    def _read(self) -> int:
        data = self._log.read(self._offset)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self._lines += 1
            self._take(line)
        return len(self.entries)

    def _take(self, line: bytes) -> None:
        try:
            verdict = msgspec.json.decode(line, type=Verdict)
        except msgspec.DecodeError:
            self.damaged.append(self._lines)
            return
        before = self.last(verdict.id)
        if before is not None and before.review:
            self.counts[before.review] -= 1
        if verdict.review:
            self.counts[verdict.review] += 1
        self.entries.append(verdict)
        self._last[verdict.id] = len(self.entries)
