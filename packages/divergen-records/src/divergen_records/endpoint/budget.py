"""What may be sent now: every request in flight is reserved by the limit of output tokens that it carries."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from .account import Account, Usage
from .errors import LimitReached
from .memory import Seen

__all__ = ["Budget", "Reservation"]


@dataclass(frozen=True)
class Reservation:
    """Money set aside for one attempt.

    Attributes:
        limit: Output tokens that the request may ask for.
        amount: Set aside.
        sent: Tokens of the request, estimated.
    """

    limit: int
    amount: float
    sent: int


class Budget:
    """Sets money aside before a request and settles it afterwards.

    Until a first answer has shown what the endpoint counts, requests go one at a time; later ones are reserved by the
    most that was seen, where the endpoint counts more than was estimated or does not keep to the limit of tokens.
    Without a limit of cost nothing waits.

    Args:
        account: What is spent, and the limit.
        seen: What the endpoint's earlier answers showed.
    """

    def __init__(self, account: Account, seen: Seen) -> None:
        self.account, self._seen = account, seen
        self._changed = asyncio.Condition()
        self._in_flight = 0

    async def reserve(self, sent: int, limit: int, least: int, pictures: int = 0) -> Reservation:
        """Wait until the request fits beside those in flight.

        Args:
            sent: Estimated tokens of the request.
            limit: Output tokens wanted.
            least: Output tokens without which the answer would be of no use; between the two the money decides.
            pictures: Pictures asked for.

        Raises:
            LimitReached: If it does not fit, and nothing is in flight whose end could make room.
        """
        async with self._changed:
            while (found := self._try(sent, limit, least, pictures)) is None:
                if not self._in_flight:
                    raise LimitReached(self._reason())
                await self._changed.wait()
            self._in_flight += 1
            return found

    def _try(self, sent: int, limit: int, least: int, pictures: int) -> Reservation | None:
        account, expected, dearest = self.account, int(sent * self._seen.ratio), self._seen.dearest
        if account.max_cost is None:
            return Reservation(limit, account.reserve(expected, limit, pictures, dearest) or 0.0, sent)
        if self._in_flight and not self._seen.any:
            return None
        amount = account.reserve(expected, max(limit, self._seen.longest), pictures, dearest)
        if amount is None and not self._in_flight and account.price_out and not self._seen.longest:
            limit = min(limit, account.affordable(expected))
            amount = account.reserve(expected, limit, pictures, dearest) if limit >= least else None
        return None if amount is None else Reservation(limit, amount, sent)

    def _reason(self) -> str:
        spent = f"the cost limit of {self.account.max_cost:g} is reached ({self.account.cost:.4g} spent"
        return f"{spent}, one more request could cost too much)"

    async def settle(self, reservation: Reservation, usage: Usage) -> float:
        """An answer has come; returns its cost. Zero usage is one that costs nothing, and is no answer."""
        cost = 0.0
        if usage != Usage():
            seen = self._seen
            seen.any, seen.ratio = True, max(seen.ratio, usage.sent / max(1, reservation.sent))
            if usage.received > reservation.limit:
                seen.longest = max(seen.longest, usage.received)
            cost = self.account.spend(usage.sent, usage.received, usage.pictures, usage.cost)
            if usage.cost > reservation.amount:
                seen.dearest = max(seen.dearest, usage.cost)
        await self._end(reservation)
        return cost

    async def lose(self, reservation: Reservation) -> float:
        """No answer has come to what was sent: the endpoint may count it nevertheless."""
        cost = self.account.lose(reservation.amount)
        await self._end(reservation)
        return cost

    async def _end(self, reservation: Reservation) -> None:
        self.account.release(reservation.amount)
        async with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()
