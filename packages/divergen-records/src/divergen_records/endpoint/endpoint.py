"""An OpenAI-compatible endpoint: asked again where that makes sense, within the money, and clear where it does not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, TypeVar, overload

from ..errors import require_extra
from .account import Account, Usage
from .attempt import Attempt, Note
from .budget import Budget
from .client import CHAT, Client, Reply, StatusError
from .errors import EndpointError, LimitReached, Refused, Rejected, Transient, Unusable
from .gate import Gate
from .memory import Memory
from .options import Option, Options
from .parameters import as_json
from .payload import is_cut_off, is_page, refused_inside
from .query import IN_ONE_PIECE, AnswerLimit, Query
from .secrets import NO_KEY
from .statuses import final, translated
from .usage import used

__all__ = ["Endpoint"]

T = TypeVar("T")
Read = Callable[[dict[str, Any]], T | Awaitable[T]]

_PAID_ATTEMPTS = 3
"""Answers of no use that are paid for one request."""
_FRUITLESS = 3
"""Requests that may come to nothing before an endpoint has given any usable answer."""
_LOG = logging.getLogger(__name__)


def _ignore(**what: Any) -> None:
    """Told of everything, does nothing."""


class Endpoint:
    """Sends requests. Use it as an asynchronous context manager.

    Args:
        base_url: For example ``http://localhost:8000/v1``; None for the public one.
        key: Sent to the endpoint; never written anywhere.
        timeout: Seconds without an answer after which a request is given up.
        retries: Further attempts at a request.
        backoff: Seconds before the second attempt; doubles with each, with jitter, up to a minute.
        concurrency: Requests at once; fewer where the endpoint answers one after the other.
        account: Prices, limit and what is spent.
        extra: Further parameters of every request, as the endpoint wants them; they win over all others.
        say: Told once of each thing that the endpoint refuses.
        memory: What earlier connections learned of it, and what this one adds.

    Raises:
        MissingExtra: If the extra ``[endpoint]`` is not installed.
        ConfigError: If the address, the proxy or the certificates cannot be used.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        key: str = NO_KEY,
        timeout: float = 120.0,
        retries: int = 6,
        backoff: float = 0.5,
        concurrency: int = 8,
        account: Account | None = None,
        extra: Mapping[str, Any] | None = None,
        say: Callable[[str], None] = _LOG.warning,
        memory: Memory | None = None,
    ) -> None:
        self._client = Client(base_url, key, timeout)
        self.url, self.timeout, self.retries, self.backoff = self._client.url, timeout, retries, backoff
        self._extra = as_json(extra or {})
        self._told = say
        self._memory = memory or Memory()
        self._gate = Gate(concurrency, timeout, self._say, self._memory.at_once)
        self._options = self._memory.options
        self._options.say = self._say
        self._budget = Budget(account or Account(), self._memory.seen)
        self._limit = AnswerLimit(self._extra, self._say)
        self._attempts = 0
        self._fruitless = 0
        self._resume_at = 0.0
        self._last_success: float | None = None
        self._last_failure: Exception | None = None

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._memory.at_once = self._gate.limit
        await self._client.close()

    def _say(self, text: str) -> None:
        self._told(self._client.redact.line(f"{self.url} {text}", 500))

    async def fetch(self, address: str) -> bytes:
        """What is behind an address that an answer names, asked for again as a request is; costs nothing.

        Raises:
            Rejected: If it may not be opened (see `Places`), is gone, or did not come in any attempt.
        """
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

        async def attempt() -> bytes:
            await self._until_resumed()
            try:
                return await asyncio.wait_for(self._client.fetch(address), self.timeout)
            except TimeoutError:
                shown = self._client.redact.url(address)
                raise Transient(f"the picture's address {shown} does not answer within {self.timeout:g} s") from None

        stop, again = stop_after_attempt(self.retries + 1), retry_if_exception_type(Transient)
        retrying = AsyncRetrying(retry=again, stop=stop, wait=self._pause, reraise=True, sleep=asyncio.sleep)
        try:
            content: bytes = await retrying(attempt)
        except Transient as error:
            raise Rejected(f"{error}, in {self.retries + 1} attempts") from None
        return content

    @overload
    async def ask(self, query: Query, read: Callable[[dict[str, Any]], Awaitable[T]], note: Note = ...) -> T: ...

    @overload
    async def ask(self, query: Query, read: Callable[[dict[str, Any]], T], note: Note = ...) -> T: ...

    async def ask(self, query: Query, read: Read[T], note: Note = _ignore) -> T:
        """The answer to a request, as ``read`` makes it out.

        Args:
            query: The request.
            read: Makes the result of an answer's JSON, now or when awaited; raises `Unusable`, `Transient` or `Refused`
                if it is none.
            note: Told of every attempt, whatever became of it.

        Raises:
            Refused: If the endpoint will not answer this request.
            LimitReached: If it could cost more than the limit.
            Transient: If every attempt failed while the endpoint answered others.
            EndpointError: If the endpoint is down, or refuses for good.
        """
        with require_extra("divergen-records", "endpoint"):
            from tenacity import AsyncRetrying, retry_if_exception_type
        begun = time.monotonic()
        failures: list[Transient] = []

        async def attempt() -> T:
            try:
                return await self._attempt(query, read, note)
            except Transient as error:
                failures.append(error)
                self._last_failure = error
                raise
            except LimitReached as error:
                raise LimitReached(f"{error}; last: {self._last_failure}") if self._last_failure else error from None

        def enough(_: Any) -> bool:
            paid = sum(isinstance(failure, Unusable) for failure in failures)
            return len(failures) > self.retries or paid >= _PAID_ATTEMPTS

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Transient), stop=enough, wait=self._pause, reraise=True, sleep=asyncio.sleep
        )
        try:
            result: T = await retrying(attempt)
        except (Refused, Transient) as error:
            raise self._verdict(error, begun, len(failures)) from None
        self._last_success, self._last_failure = time.monotonic(), None
        return result

    def _verdict(self, failure: Refused | Transient, begun: float, attempts: int) -> Exception:
        """Whether a request that came to nothing is one request's failure, or the endpoint's."""
        said = str(failure).rstrip(".")
        if isinstance(failure, (Rejected, Unusable)):
            self._fruitless += 1
            if self._last_success is not None or self._fruitless < _FRUITLESS:
                return failure
            return EndpointError(
                f"{self.url} gave no usable answer to any of the first {self._fruitless} requests; the last: {said}. "
                "Mend what it complains of, and run the same command again"
            )
        answered = self._last_success is not None and self._last_success >= begun
        if answered or not isinstance(failure, Transient):
            return failure
        return EndpointError(
            f"{self.url} gave no usable answer in {max(1, attempts)} attempts: {said}. "
            "What was accepted is kept; run the same command again when it is back"
        )

    async def _attempt(self, query: Query, read: Read[T], note: Note) -> T:
        """One attempt, by the best form of each option that the endpoint has not refused yet."""
        await self._until_resumed()
        async with self._gate.slot():
            choice: dict[str, int] | None = None
            refusals: dict[str, tuple[int, str]] = {}
            while True:
                limits = self._limit.of(query), self._limit.least(query)
                reservation = await self._budget.reserve(query.tokens, *limits, query.pictures)
                options = (*query.options, *self._limit.option(query, reservation.limit))
                options += (IN_ONE_PIECE,) if query.route is CHAT and "stream" not in self._extra else ()
                choice = choice or self._options.choice(options)
                body = {**query.body, **Options.parameters(options, choice), **self._extra}
                self._attempts += 1
                try:
                    async with Attempt(self._budget, reservation, note, self._attempts) as attempt:
                        reply = await self._gate.wait(self._client.send(query.route, body))
                        self._options.answered(options, choice, refusals)
                        return await self._read(query, reply, read, attempt)
                except StatusError as error:
                    lower = self._after(error, query, reservation.limit, options, choice)
                    refusals |= {name: (error.status, error.said) for name in lower if lower[name] != choice[name]}
                    choice = lower
                except TimeoutError:
                    raise Transient(f"no answer within {self.timeout:g} s") from None

    async def _read(self, query: Query, reply: Reply, read: Read[T], attempt: Attempt) -> T:
        """Count what an answer used, then make it out."""
        text = reply.text
        try:
            payload = query.route.read(text)
        except Transient:
            if is_page(text):
                await attempt.settle(Usage())
            raise
        refusal = refused_inside(payload)
        if refusal:
            raise StatusError(*refusal)
        usage = used(payload, query.tokens, len(text.encode()) // 4, query.pictures)
        await attempt.settle(usage)
        if reply.request_id:
            payload.setdefault("request_id", reply.request_id)
        cut_off = is_cut_off(payload)
        wider = cut_off and self._limit.widen(query, attempt.reservation.limit, usage.received)
        try:
            result = read(payload)
            return await result if isawaitable(result) else result
        except Unusable as error:
            if cut_off and not wider:
                self._last_failure = error
                raise Rejected(str(error)) from None
            raise

    def _after(
        self,
        error: StatusError,
        query: Query,
        limit: int,
        options: tuple[Option, ...],
        choice: dict[str, int],
    ) -> dict[str, int]:
        """The choice to try after a status of refusal.

        Raises:
            Refused: If a content filter speaks, or nothing is left to try.
            Transient: If the status passes with time.
            EndpointError: If the endpoint refuses for good.
        """
        ended = final(self.url, error)
        if ended is not None:
            raise ended
        if self._limit.narrow(query, limit, error):
            return choice
        parameter = error.body.get("param") if isinstance(error.body, dict) else None
        lower = self._options.refused(options, choice, error.status, f"{error.said} {parameter or ''}".strip())
        if lower is None:
            raise translated(self.url, error)
        return lower

    def _pause(self, state: Any) -> float:
        """Seconds until the next attempt."""
        from tenacity import wait_exponential, wait_random

        failure = state.outcome.exception()
        if failure.retry_after is not None:
            # The limit is the endpoint's, not this request's: nobody asks before it ends.
            self._resume_at = max(self._resume_at, time.monotonic() + failure.retry_after)
            return 0.0
        pause: float = (wait_exponential(multiplier=self.backoff, max=60) + wait_random(0, self.backoff))(state)
        return pause

    async def _until_resumed(self) -> None:
        while (left := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(left)
