"""`llm_prompts`: ask until every category has its prompts, or honestly cannot get them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from divergen_records import Category, ConfigError, DivergenError, Progress, PromptRecord

from ..categories import check_categories
from ..checks import Checker, Seen
from ..tokens import CLIP_TOKENS, TokenCounter, build_counter
from .account import Account
from .answers import Candidate, Completion, read_prompts_of
from .endpoint import Endpoint, read_key
from .errors import Transient
from .journal import Journal
from .messages import Request, build_request

__all__ = ["LlmEstimate", "LlmReport", "LlmSettings", "estimate_llm", "llm_prompts"]

_REFUSED_SHOWN = 8


@dataclass(frozen=True)
class LlmSettings:
    """How prompts are asked for.

    Attributes:
        model: The language model's name at the endpoint.
        base_url: For example ``http://localhost:8000/v1``; None for the public endpoint.
        per_category: Prompts wanted per category.
        per_request: Prompts asked for at once.
        concurrency: Requests in flight.
        background: How every prompt ends.
        max_tokens: Length limit of a prompt, in tokens of the text encoder.
        patience: Requests in a row without a single new prompt after which a category is given up.
        timeout: Seconds for one attempt.
        retries: Further attempts at a request.
        backoff: Seconds before the second attempt; doubles with each.
        temperature: Sent if given.
        seed: Chooses the attributes that are suggested.
        key_variable: Environment variable that holds the key.
        banned: Words that no prompt may hold.
    """

    model: str
    base_url: str | None = None
    per_category: int = 32
    per_request: int = 16
    concurrency: int = 8
    background: str = "in a white background"
    max_tokens: int = CLIP_TOKENS
    patience: int = 5
    timeout: float = 120.0
    retries: int = 6
    backoff: float = 0.5
    temperature: float | None = None
    seed: int = 0
    key_variable: str = "OPENAI_API_KEY"
    banned: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("per_category", "per_request", "concurrency", "max_tokens", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True)
class LlmEstimate:
    """What a run would take: `estimate_llm`."""

    categories: int
    prompts: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(frozen=True)
class LlmReport:
    """What a run came to.

    Attributes:
        accepted: Prompts accepted in this run.
        total: Prompts that the file now holds for the wanted categories.
        shortfalls: Category name -> why it has fewer prompts than wanted.
        account: Tokens and cost.
    """

    accepted: int
    total: int
    shortfalls: dict[str, str]
    account: Account


@dataclass
class _Job:
    """A category on its way to its prompts."""

    category: Category
    wanted: int
    said: list[str]
    seen: Seen
    asked: int = 0
    fruitless: int = 0
    rounds: int = 0
    refused: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_REFUSED_SHOWN))
    shortfall: str | None = None

    @property
    def missing(self) -> int:
        return 0 if self.shortfall else self.wanted - len(self.said)


def llm_prompts(
    categories: Sequence[Category],
    settings: LlmSettings,
    out: Path | str,
    *,
    account: Account | None = None,
    counter: TokenCounter | None = None,
) -> LlmReport:
    """Ask a language model for prompts; every accepted one is in the file at once.

    A file that exists is continued: only what it lacks is asked for. So a run that was killed loses nothing.

    Args:
        categories: The categories.
        settings: How to ask.
        out: The prompts file (JSON Lines); ``out.requests`` beside it logs the requests.
        account: Prices and cost limit.
        counter: Counts tokens of the target text encoder; None for an estimate, with a warning.

    Raises:
        EndpointError: If the endpoint is down or refuses for good. What was accepted is kept.
        ConfigError: If a setting is wrong or there is no key.
        RunLocked: If another process works on the file.
    """
    check_categories(categories)
    key = read_key(settings.key_variable, settings.base_url)
    counter = counter or build_counter(None)
    with Journal(Path(out)) as journal:
        account = account or Account()
        account.cost += journal.spent
        jobs = _jobs(categories, settings, journal.prompts)
        run = _Run(jobs, categories, settings, account, journal, counter)
        asyncio.run(run.run(key))
        return LlmReport(
            accepted=run.accepted,
            total=sum(len(job.said) for job in jobs),
            shortfalls={job.category.name: job.shortfall for job in jobs if job.shortfall},
            account=account,
        )


def _jobs(categories: Sequence[Category], settings: LlmSettings, prompts: Sequence[PromptRecord]) -> list[_Job]:
    jobs = {category.id: _Job(category, settings.per_category, [], Seen()) for category in categories}
    for prompt in prompts:
        job = jobs.get(prompt.category_id)
        if job is not None and job.category.name != prompt.category:
            raise ConfigError(
                f"the file's prompts for category {prompt.category_id} are of {prompt.category!r}, the categories say "
                f"{job.category.name!r}: choose another file"
            )
        if job is not None:
            job.said.append(prompt.text)
            job.seen.add(prompt.text)
    return list(jobs.values())


def estimate_llm(
    categories: Sequence[Category], settings: LlmSettings, account: Account, out: Path | str | None = None
) -> LlmEstimate:
    """What a run would take at least, without asking anything: answers that fail the checks cost more.

    Args:
        categories: The categories.
        settings: How to ask.
        account: Prices.
        out: The prompts file; what it holds needs no request.
    """
    check_categories(categories)
    existing: Sequence[PromptRecord] = ()
    if out is not None and Path(out).exists():
        with Journal(Path(out)) as journal:
            existing = journal.prompts
    jobs = [job for job in _jobs(categories, settings, existing) if job.missing > 0]
    requests = [request for job in jobs for request in _planned(job, settings)]
    sent, received = sum(r.tokens for r in requests), sum(r.answer_tokens for r in requests)
    prompts = sum(job.missing for job in jobs)
    return LlmEstimate(len(jobs), prompts, len(requests), sent, received, account.price(sent, received))


def _planned(job: _Job, settings: LlmSettings) -> list[Request]:
    """The requests of a category if every answer were good; the said ones stand in for those to come."""
    requests, said = [], list(job.said)
    while len(said) < job.wanted:
        count = min(settings.per_request, job.wanted - len(said))
        requests.append(_request(job, count, settings, said))
        said += [" ".join(["word"] * 15)] * count
    return requests


def _request(job: _Job, count: int, settings: LlmSettings, said: Sequence[str]) -> Request:
    return build_request(
        job.category,
        count,
        model=settings.model,
        background=settings.background,
        max_tokens=settings.max_tokens,
        said=said,
        refused=tuple(job.refused),
        seed=settings.seed + job.rounds,
    )


class _Run:
    """Workers that take turns at the categories; a category may have several requests in flight."""

    def __init__(
        self,
        jobs: Sequence[_Job],
        categories: Sequence[Category],
        settings: LlmSettings,
        account: Account,
        journal: Journal,
        counter: TokenCounter,
    ) -> None:
        self.settings, self.account, self.journal, self.counter = settings, account, journal, counter
        self.queue = deque(job for job in jobs if job.missing > 0)
        self.checker = Checker(
            categories,
            max_tokens=settings.max_tokens,
            counter=counter,
            banned=settings.banned,
            background=_required(settings.background),
        )
        self.accepted = 0

    async def run(self, key: str) -> None:
        """Ask until nothing is missing or every shortfall has its reason."""
        if not self.queue:
            return
        settings = self.settings
        self.changed = asyncio.Condition()
        self.endpoint = Endpoint(
            settings.model,
            base_url=settings.base_url,
            key=key,
            timeout=settings.timeout,
            retries=settings.retries,
            backoff=settings.backoff,
            temperature=settings.temperature,
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
            finally:
                async with self.changed:
                    job.asked -= count
                    if job.missing <= 0 and job in self.queue:
                        self.queue.remove(job)
                    self.changed.notify_all()

    def _next(self) -> _Job | None:
        """The next category that needs a request, brought to the front of the queue."""
        for _ in range(len(self.queue)):
            if self.queue[0].missing > self.queue[0].asked:
                return self.queue[0]
            self.queue.rotate(-1)
        return None

    def _open(self) -> bool:
        return any(job.missing > 0 for job in self.queue)

    async def _round(self, job: _Job, count: int) -> None:
        """One request and what comes of it."""
        request = _request(job, count, self.settings, job.said)
        job.rounds += 1
        reserved = self.account.reserve(request.tokens, request.answer_tokens)
        if reserved is None:
            job.shortfall = f"the cost limit of {self.account.max_cost:g} is reached"
            return
        try:
            candidates = await self.endpoint.ask(request, lambda completion: self._read(job, request, completion))
        except Transient as error:
            self._fruitless(job, f"no usable answer: {error}")
            return
        finally:
            self.account.release(reserved)
        await self._take(job, request, candidates)

    def _read(self, job: _Job, request: Request, completion: Completion) -> list[Candidate]:
        """The proposed prompts; an answer without any costs as well."""
        candidates = read_prompts_of(completion.content)
        sent = completion.prompt_tokens if completion.prompt_tokens is not None else request.tokens
        received = completion.completion_tokens
        received = received if received is not None else len(completion.content) // 4
        self.journal.note(
            category=job.category.name,
            request=request.hash,
            asked=request.count,
            answered=len(candidates),
            sent=sent,
            received=received,
            cost=self.account.spend(sent, received),
        )
        if not candidates:
            raise Transient(f"no prompts in the answer: {' '.join(completion.content[:80].split())!r}")
        return candidates

    async def _take(self, job: _Job, request: Request, candidates: Sequence[Candidate]) -> None:
        """Check the candidates, keep the good ones, remember why the others are not."""
        good = [candidate for candidate in candidates if self._check(job, candidate)]
        created = datetime.now(UTC).isoformat(timespec="seconds")
        records = [self._record(job.category, candidate, request, created) for candidate in good]
        await asyncio.to_thread(self.journal.accept, records)  # a disk may take milliseconds: the others go on
        self.accepted += len(good)
        self.progress.update(len(good), note=job.category.label)
        if good:
            job.fruitless = 0
        else:
            reason = job.refused[-1][1] if job.refused else "more than was asked for"
            self._fruitless(job, f"nothing new in the answers: {reason}")

    def _check(self, job: _Job, candidate: Candidate) -> bool:
        if job.missing <= 0:
            return False
        repeated = job.seen(candidate.text)
        problems = [repeated] if repeated else self.checker(candidate.text, job.category)
        if problems:
            job.refused.append((candidate.text, "; ".join(problems)))
            return False
        job.seen.add(candidate.text)
        job.said.append(candidate.text)
        return True

    def _fruitless(self, job: _Job, reason: str) -> None:
        job.fruitless += 1
        if job.fruitless >= self.settings.patience and job.shortfall is None:
            job.shortfall = (
                f"{len(job.said)} of {job.wanted}: {job.fruitless} requests in a row gave no prompt ({reason})"
            )

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


def _required(background: str) -> str | None:
    """What every prompt must hold: the clause without its opening, so that "on a white background" will do."""
    words = background.strip(" ,.").split()
    while words and words[0].lower() in ("in", "on", "with", "against", "a", "an", "the"):
        words = words[1:]
    return " ".join(words) or None
