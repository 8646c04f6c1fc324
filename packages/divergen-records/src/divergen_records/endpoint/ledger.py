"""An account that several processes share and that outlives them: every reservation is in a file before it is sent."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..command import echo
from ..logs import Log
from .account import Account

__all__ = ["Ledger", "SharedAccount"]


class Ledger:
    """JSON Lines of what was set aside and what was spent; they only grow.

    A line that a kill tore counts for nothing: a reservation is whole before its request is sent, and a cost is
    written in one line with the end of its reservation. So what is killed in flight stays reserved for good.

    Args:
        path: The file, or its address; made with the first line.
        purpose: Whose lines count; others may have theirs in the same file.
    """

    def __init__(self, path: Path, purpose: str) -> None:
        self.log, self.purpose = Log(path), purpose
        self._start = 0
        self._cost = self._reserved = 0.0

    @contextmanager
    def held(self) -> Iterator[tuple[float, float]]:
        """Cost and reservations of all processes; of this machine's, none adds to them until the block ends."""
        with self.log.held():
            yield self.totals()

    def write(self, **amounts: float) -> bool:
        """Append a line; False, and nothing was written, if another machine's has come since the `totals`."""
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "for": self.purpose, **amounts}
        return self.log.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def totals(self) -> tuple[float, float]:
        """Cost and reservations as they are now; to be asked for while it is held. Lines that are none are told."""
        whole, damaged = self.log.read(self._start).rpartition(b"\n")[0], 0
        for line in filter(None, whole.splitlines()):
            damaged += not self._count(line)
        self._start += len(whole) + bool(whole)
        if damaged:
            echo(
                f"{self.log.path}: {damaged} lines cannot be read; what was spent may be more than is counted", err=True
            )
        return self._cost, self._reserved

    def _count(self, line: bytes) -> bool:
        """Count a line; False where it is none."""
        try:
            entry = json.loads(line)
            cost, reserved = float(entry.get("cost", 0.0)), float(entry.get("reserved", 0.0))
        except (ValueError, TypeError, AttributeError, RecursionError):
            return False
        if not (math.isfinite(cost + reserved) and cost >= 0):
            return False
        if entry.get("for") == self.purpose:
            self._cost += cost
            self._reserved += reserved
        return True


@dataclass
class SharedAccount(Account):
    """An account of all processes that write to a ledger, and of the earlier ones: its limit holds over all of them.

    ``cost`` and ``reserved`` are everybody's, as of the last reservation; the counts are this process's.

    Attributes:
        ledger: The file.
    """

    ledger: Ledger = field(kw_only=True)
    _ended: float = field(default=0.0, init=False, repr=False)
    """Cost of a request whose reservation ends in a moment."""

    def __post_init__(self) -> None:
        super().__post_init__()
        with self.ledger.held() as (self.cost, self.reserved):
            pass

    def reserve(self, sent: int, received: int, pictures: int = 0, least: float = 0.0) -> float | None:
        """Set aside what a request may cost, beside what all others did; None if it does not fit the limit."""
        with self.ledger.held() as (self.cost, self.reserved):
            while (amount := super().reserve(sent, received, pictures, least)) and not self.ledger.write(
                reserved=amount
            ):
                self.cost, self.reserved = self.ledger.totals()
        return amount

    def release(self, reserved: float) -> None:
        """A request has ended: what it cost, and its reservation, in one line."""
        super().release(reserved)
        cost, self._ended = self._ended, 0.0
        if cost or reserved:
            with self.ledger.held():
                while not self.ledger.write(cost=cost, reserved=-reserved):
                    self.ledger.totals()

    def spend(self, sent: int, received: int, pictures: int = 0, told: float = 0.0) -> float:
        """Count an answered request; returns its cost."""
        self._ended += (cost := super().spend(sent, received, pictures, told))
        return cost

    def lose(self, reserved: float) -> float:
        """Count a request whose answer never came; returns what is counted."""
        self._ended += super().lose(reserved)
        return reserved
