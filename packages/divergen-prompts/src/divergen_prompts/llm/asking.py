"""Workers that ask an endpoint until every category has its prompts, or a reason why not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from divergen_records import Category, DivergenError, Progress, PromptRecord
from divergen_records.endpoint import (
    Account,
    Endpoint,
    LimitReached,
    Refused,
    Transient,
    Unusable,
    read_completion,
)

from ..checks import Checker
from ..tokens import TokenCounter
from .answers import Candidate, read_prompts_of
from .jobs import Job
from .journal import Journal
from .messages import Request
from .settings import LlmSettings

__all__ = ["Asking"]

_LONGEST_ANSWER = 200_000
"""Letters of an answer that is worth reading."""


class Asking:
    """Workers that take turns at the categories; a category may have several requests in flight.

    Args:
        jobs: The categories.
        checker: Says what is wrong with a prompt.
        settings: How to ask.
        account: Prices and cost limit.
        journal: Where prompts and requests are kept.
        counter: Counts tokens.
        say: Told once of each thing that the endpoint refuses.

    Attributes:
        accepted: Prompts accepted so far.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        checker: Checker,
        settings: LlmSettings,
        account: Account,
        journal: Journal,
        counter: TokenCounter,
        say: Callable[[str], None],
    ) -> None:
        self.settings, self.account, self.journal, self.counter, self.say = settings, account, journal, counter, say
        self.queue = deque(job for job in jobs if job.missing > 0)
        self.checker = checker
        self.accepted = 0

    async def run(self, key: str) -> None:
        """Ask until nothing is missing or every shortfall has its reason."""
        if not self.queue:
            return
        settings = self.settings
        self.changed = asyncio.Condition()
        self.endpoint = Endpoint(
            base_url=settings.base_url,
            key=key,
            timeout=settings.timeout,
            retries=settings.retries,
            backoff=settings.backoff,
            concurrency=settings.concurrency,
            account=self.account,
            extra=settings.extra_body,
            say=self.say,
        )
        total = sum(job.missing for job in self.queue)
        with Progress("ask", total, unit="prompts") as self.progress:
            async with self.endpoint:
                try:
                    async with asyncio.TaskGroup() as workers:
                        for _ in range(settings.concurrency):
                            workers.create_task(self._work())
                except* DivergenError as group:
                    raise group.exceptions[0] from None

    async def _work(self) -> None:
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: self._next() is not None or not self._open())
                job = self._next()
                if job is None:
                    return
                count = min(self.settings.per_request, job.missing - job.asked)
                job.asked += count
                self.queue.rotate(-1)
            try:
                await self._round(job, count)
            except DivergenError:
                self.queue.clear()  # it ends all: the others must not ask for what is missing now
                raise
            finally:
                async with self.changed:
                    job.asked -= count
                    if job.missing <= 0 and job in self.queue:
                        self.queue.remove(job)
                    self.changed.notify_all()

    def _next(self) -> Job | None:
        """The next category that needs a request, brought to the front of the queue."""
        for _ in range(len(self.queue)):
            if self.queue[0].missing > self.queue[0].asked:
                return self.queue[0]
            self.queue.rotate(-1)
        return None

    def _open(self) -> bool:
        return any(job.missing > 0 for job in self.queue)

    async def _round(self, job: Job, count: int) -> None:
        """One request and what comes of it."""
        request = job.request(count, self.settings)
        job.rounds += 1
        answered: list[Candidate] = []

        def read(payload: dict[str, Any]) -> list[Candidate]:
            answered[:] = _candidates(payload)
            return answered

        def note(**what: Any) -> None:
            about = {"category": job.category.name, "request": request.hash, "asked": request.count}
            self.journal.note(**about, **what, **({} if "reserved" in what else {"answered": len(answered)}))

        patience = self.settings.patience
        try:
            candidates = await self.endpoint.ask(request.query(self.settings), read, note)
        except LimitReached as error:
            job.give_up(str(error))
        except Refused as error:
            job.was_refused(str(error), patience)
        except Transient as error:
            job.failed(f"no usable answer: {error}", patience)
        else:
            await self._take(job, request, candidates)

    async def _take(self, job: Job, request: Request, candidates: Sequence[Candidate]) -> None:
        """Check the candidates and keep the good ones."""
        good = [candidate for candidate in candidates if job.check(candidate, self.checker)]
        created = datetime.now(UTC).isoformat(timespec="seconds")
        records = [self._record(job.category, candidate, request, created) for candidate in good]
        await asyncio.to_thread(self.journal.accept, records)  # a disk may take milliseconds: the others go on
        self.accepted += len(good)
        self.progress.update(len(good), note=job.category.label)
        job.came_to(len(good), self.settings.patience)

    def _record(self, category: Category, candidate: Candidate, request: Request, created: str) -> PromptRecord:
        return PromptRecord(
            text=candidate.text,
            category_id=category.id,
            category=category.name,
            source="llm",
            model=self.settings.model,
            attributes=candidate.attributes | {"background": self.settings.background},
            request_hash=request.hash,
            tokens=self.counter(candidate.text),
            created=created,
        )


def _candidates(payload: Mapping[str, Any]) -> list[Candidate]:
    """The proposed prompts in an answer.

    Raises:
        Unusable: If there is none.
    """
    content = read_completion(payload).content
    if len(content) > _LONGEST_ANSWER:
        raise Unusable(f"an answer of {len(content):,} letters, which is no list of prompts: {content[:40]!r}")
    candidates = read_prompts_of(content)
    if not candidates:
        raise Unusable(f"no prompts in the answer: {' '.join(content[:80].split())!r}")
    return candidates
