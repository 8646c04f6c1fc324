"""One attempt's money: set aside when it is sent, settled or counted as lost when it has ended."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Protocol, Self

from .account import Usage
from .budget import Budget, Reservation
from .client import StatusError
from .errors import Unreached
from .usage import usage_of

__all__ = ["Attempt", "Note"]


class Note(Protocol):
    """Is told of every attempt that may cost: when it is sent, and when it has ended."""

    def __call__(self, **what: Any) -> None:
        """``attempt`` joins the two; first ``reserved``, then ``sent``, ``received``, ``cost`` and ``outcome``."""


class Attempt:
    """Use it as an asynchronous context manager around sending and reading.

    Args:
        budget: Where the money comes from.
        reservation: What was set aside.
        note: Told of it.
        number: Of the attempt, for the note.
    """

    def __init__(self, budget: Budget, reservation: Reservation, note: Note, number: int) -> None:
        self._budget, self.reservation, self._note, self._number = budget, reservation, note, number
        self._usage: Usage | None = None
        self._cost = 0.0

    async def __aenter__(self) -> Self:
        self._note(attempt=self._number, reserved=self.reservation.amount)
        return self

    async def settle(self, usage: Usage) -> None:
        """An answer has come and used this."""
        self._usage = usage
        self._cost = await self._budget.settle(self.reservation, usage)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._usage is None and isinstance(error, StatusError):
            await self.settle(usage_of(error.body) or Usage())
        elif self._usage is None and isinstance(error, Unreached):
            await self.settle(Usage())
        elif self._usage is None:
            self._cost = await self._budget.lose(self.reservation)
        usage = self._usage or Usage()
        self._note(
            attempt=self._number,
            sent=usage.sent,
            received=usage.received,
            cost=self._cost,
            outcome="answered" if error is None else _outcome(error),
        )


def _outcome(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "stopped before an answer came"
    return str(error) or "no answer in time"
