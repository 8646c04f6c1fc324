"""A category on its way to its prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from divergen_records import Category, ConfigError, PromptRecord

from ..checks import Checker, Seen
from .answers import Candidate
from .messages import Request, build_request
from .settings import LlmSettings

__all__ = ["Job", "make_jobs"]

_REFUSED_SHOWN = 8
_REFUSALS = 2
"""Refusals in a row, by the endpoint's filter or the model, after which a category is given up."""


@dataclass
class Job:
    """A category on its way to its prompts.

    Attributes:
        category: The category.
        wanted: Prompts wanted.
        said: The prompts that it has.
        seen: Tells what was said before.
        asked: Prompts asked for in the requests in flight.
        fruitless: Requests in a row without a new prompt.
        refusals: Requests in a row that were refused.
        rounds: Requests so far.
        refused: The candidates refused last, with reasons.
        shortfall: Why it is given up; None while it is not.
    """

    category: Category
    wanted: int
    said: list[str] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    asked: int = 0
    fruitless: int = 0
    refusals: int = 0
    rounds: int = 0
    refused: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_REFUSED_SHOWN))
    shortfall: str | None = None

    @property
    def missing(self) -> int:
        """Prompts still to come."""
        return 0 if self.shortfall else self.wanted - len(self.said)

    def add(self, text: str) -> None:
        """Take a prompt."""
        self.said.append(text)
        self.seen.add(text)

    def request(self, count: int, settings: LlmSettings, said: Sequence[str] | None = None) -> Request:
        """The next request, for ``count`` prompts."""
        return build_request(
            self.category,
            count,
            model=settings.model,
            background=settings.background,
            max_tokens=settings.max_tokens,
            said=self.said if said is None else said,
            refused=tuple(self.refused),
            seed=settings.seed + self.rounds,
        )

    def planned(self, settings: LlmSettings) -> list[Request]:
        """Its requests if every answer were good; the said ones stand in for those to come."""
        requests, said = [], list(self.said)
        while len(said) < self.wanted:
            count = min(settings.per_request, self.wanted - len(said))
            requests.append(self.request(count, settings, said))
            said += [" ".join(["word"] * 15)] * count
        return requests

    def check(self, candidate: Candidate, checker: Checker) -> bool:
        """Take a candidate if it is good; remember why if it is not."""
        if self.missing <= 0:
            return False
        repeated = self.seen(candidate.text)
        problems = [repeated] if repeated else checker(candidate.text, self.category)
        if problems:
            self.refused.append((candidate.text, "; ".join(problems)))
            return False
        self.add(candidate.text)
        return True

    def came_to(self, prompts: int, patience: int) -> None:
        """A request has brought so many new prompts."""
        self.refusals = 0
        if prompts:
            self.fruitless = 0
            return
        reason = self.refused[-1][1] if self.refused else "more than was asked for"
        self.failed(f"nothing new in the answers: {reason}", patience)

    def failed(self, reason: str, patience: int) -> None:
        """A request has brought nothing."""
        self.fruitless += 1
        if self.fruitless >= patience:
            self.give_up(f"{self.fruitless} requests in a row gave no prompt ({reason})")

    def was_refused(self, words: str, patience: int) -> None:
        """A request was refused, in these words."""
        self.refusals += 1
        if self.refusals >= min(_REFUSALS, patience):
            self.give_up(f"refused: {words}")

    def give_up(self, reason: str) -> None:
        """Ask no more for this category; the first reason stays."""
        if self.shortfall is None:
            self.shortfall = f"{len(self.said)} of {self.wanted}: {reason}"


def make_jobs(categories: Sequence[Category], wanted: int, prompts: Sequence[PromptRecord]) -> list[Job]:
    """A job for each category, with the prompts that it has.

    Raises:
        ConfigError: If the prompts are of other categories under the same ids.
    """
    jobs = {category.id: Job(category, wanted) for category in categories}
    for prompt in prompts:
        job = jobs.get(prompt.category_id)
        if job is not None and job.category.name != prompt.category:
            raise ConfigError(
                f"the file's prompts for category {prompt.category_id} are of {prompt.category!r}, the categories say "
                f"{job.category.name!r}: choose another file"
            )
        if job is not None:
            job.add(prompt.text)
    return list(jobs.values())
