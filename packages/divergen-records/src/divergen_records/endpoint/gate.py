"""How many requests at once, and how long one is waited for: both by how the endpoint answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

__all__ = ["Gate"]

T = TypeVar("T")

_LATE = 0.1
"""Seconds by which this process may wake up late before it counts as having stood still."""


class Gate:
    """Lets requests through; fewer at once where the endpoint answers one after the other.

    A server such as Ollama queues what comes at once, so the last of eight waits eight times as long as the first. Its
    request is not given up meanwhile: while others are answered, the endpoint is at work. A request that waited longer
    than half the timeout, and twice as long as the fastest, says that the endpoint queues; then fewer are let through.

    Args:
        most: Requests at once where the endpoint keeps up.
        timeout: Seconds without any answer after which a request is given up.
        say: Told once when fewer are let through.
        limit: Requests at once to begin with, where the endpoint was seen to queue before.
    """

    def __init__(self, most: int, timeout: float, say: Callable[[str], None], limit: int | None = None) -> None:
        self.most, self.limit = most, min(limit or most, most)
        self.timeout = timeout
        self._say = say
        self._busy = 0
        self._changed = asyncio.Condition()
        self._last_answer = 0.0
        self._fastest = float("inf")
        self._in_time = 0
        self._told = self.limit < most

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a place among the requests at once."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._busy < self.limit)
            self._busy += 1
        try:
            yield
        finally:
            async with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    async def wait(self, sending: Coroutine[Any, Any, T]) -> T:
        """The result of a request that holds a slot.

        Raises:
            TimeoutError: If none came within the timeout of its beginning and of the last answer to another, or after
                as many timeouts as requests were in flight beside it, also later ones: a queue need not keep order.
        """
        begun, beside, stood_still = time.monotonic(), 1, False
        task = asyncio.ensure_future(sending)
        try:
            while not task.done():
                beside = max(beside, self._busy)
                left = self._deadline(begun, beside) - time.monotonic()
                if left <= 0 and (stood_still or left > -_LATE):
                    self._too_slow(beside)
                    raise TimeoutError
                if left <= 0:  # stopped or swapped out meanwhile: an answer that has come is paid, and read first
                    stood_still, left = True, min(-left, self.timeout)
                await asyncio.wait({task}, timeout=left)
            result = task.result()
        finally:
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # seen: asyncio prints what nobody looked at
        self._answered(time.monotonic() - begun, beside)
        return result

    def _deadline(self, begun: float, beside: int) -> float:
        return min(max(begun, self._last_answer) + self.timeout, begun + beside * self.timeout)

    def _answered(self, seconds: float, beside: int) -> None:
        self._last_answer = time.monotonic()
        self._fastest = min(self._fastest, seconds)
        if beside > 1 and seconds > max(self.timeout / 2, 2 * self._fastest):
            self._lower(int(beside * self.timeout / 2 / seconds))
        elif seconds < self.timeout / 4:
            self._in_time += 1
            if self._in_time >= 4 * self.limit and self.limit < self.most:
                self.limit, self._in_time = self.limit + 1, 0

    def _too_slow(self, beside: int) -> None:
        if beside > 1:
            self._lower(self.limit // 2)

    def _lower(self, limit: int) -> None:
        self._in_time = 0
        if limit >= self.limit:
            return
        self.limit = max(1, limit)
        if not self._told:
            self._told = True
            self._say(f"answers one after the other: {self.limit} requests at once instead of {self.most} from now on")
