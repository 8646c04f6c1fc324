"""Sources of a run's prompts: what is composed here, what a file holds, what a language model is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from divergen_records import Category, PromptRecord

from .files import read_prompts, write_prompts
from .llm.settings import LlmEstimate, LlmSettings
from .tokens import TokenCounter, build_counter

__all__ = ["Composed", "LlmSource", "PromptSource", "prompts_of_file"]

Say = Callable[[str], None]


class PromptSource(Protocol):
    """Where prompts come from.

    Attributes:
        per_category: Prompts wanted per category; None where the source itself decides.
    """

    per_category: int | None

    def write(self, categories: Sequence[Category], out: Path, *, seed: int, say: Say) -> Mapping[str, str]:
        """Write the prompts as JSON Lines, whole or continued; what was paid for is never thrown away.

        Args:
            categories: What prompts are wanted for.
            out: The file; it may exist, and hold prompts of other categories too.
            seed: Of the run.
            say: Told of what the user should know.

        Returns:
            Category name -> why it has fewer prompts than wanted.
        """

    def sketch(self, categories: Sequence[Category], *, seed: int) -> Iterable[PromptRecord]:
        """The prompts, or as many that stand in for them where to have them costs something."""

    def estimate(self, categories: Sequence[Category], out: Path) -> str | None:
        """What is still to be paid, in words; None where nothing is."""


class Composed:
    """Prompts that cost nothing and are the same each time.

    Args:
        make: Makes them of categories and a seed.
    """

    def __init__(self, make: Callable[[Sequence[Category], int], Iterable[PromptRecord]]) -> None:
        self._make = make
        self.per_category: int | None = None

    def write(self, categories: Sequence[Category], out: Path, *, seed: int, say: Say) -> Mapping[str, str]:
        """Write them all, in place of what the file held."""
        write_prompts(out, self._make(categories, seed), overwrite=True)
        return {}

    def sketch(self, categories: Sequence[Category], *, seed: int) -> Iterable[PromptRecord]:
        """The prompts."""
        return self._make(categories, seed)

    def estimate(self, categories: Sequence[Category], out: Path) -> str | None:
        """Nothing."""
        return None


def prompts_of_file(path: Path, categories: Sequence[Category]) -> list[PromptRecord]:
    """The prompts of a file for some categories, which it names."""
    wanted = {category.name for category in categories}
    return [prompt for prompt in read_prompts(path) if prompt.category in wanted]


class LlmSource:
    """Prompts of a language model.

    Args:
        settings: How to ask.
        prices: Per million tokens sent and received.
        max_cost: Nothing is sent that could take the file's cost above this.
        tokenizer: Of the text encoder; None for an estimate.
    """

    def __init__(
        self,
        settings: LlmSettings,
        *,
        prices: tuple[float, float] = (0.0, 0.0),
        max_cost: float | None = None,
        tokenizer: str | None = None,
    ) -> None:
        self.settings, self.prices, self.max_cost, self.tokenizer = settings, prices, max_cost, tokenizer
        self.per_category: int | None = settings.per_category

    def write(self, categories: Sequence[Category], out: Path, *, seed: int, say: Say) -> Mapping[str, str]:
        """Ask for what the file lacks."""
        from divergen_records.endpoint import Account

        from .llm.run import llm_prompts

        report = llm_prompts(
            categories,
            replace(self.settings, seed=seed),
            out,
            account=Account(*self.prices, self.max_cost),
            counter=_counter(self.tokenizer, say),
            say=say,
        )
        return report.shortfalls

    def sketch(self, categories: Sequence[Category], *, seed: int) -> Iterable[PromptRecord]:
        """As many prompts as are wanted, of no content."""
        return (
            PromptRecord(
                text=f"{category.label}, prompt {number}",
                category_id=category.id,
                category=category.name,
                source="llm",
                model=self.settings.model,
            )
            for category in categories
            for number in range(self.settings.per_category)
        )

    def plan(self, categories: Sequence[Category], out: Path) -> LlmEstimate:
        """Requests, tokens and cost of what the file lacks."""
        from divergen_records.endpoint import Account

        from .llm.run import estimate_llm

        return estimate_llm(categories, self.settings, Account(*self.prices, self.max_cost), out)

    def estimate(self, categories: Sequence[Category], out: Path) -> str | None:
        """The same in words."""
        plan = self.plan(categories, out)
        cost = f"cost {plan.cost:.4g}" if any(self.prices) else "no price was said (price_in, price_out)"
        limit = "" if self.max_cost is None else f", at most {self.max_cost:g} with what the file cost so far"
        many = "1 category" if plan.categories == 1 else f"{plan.categories:,} categories"
        return (
            f"{plan.prompts:,} prompts of {self.settings.model} for {many}: at least "
            f"{plan.requests:,} requests, about {plan.prompt_tokens:,} tokens sent, {plan.completion_tokens:,} "
            f"received, {cost}{limit}"
        )


def _counter(tokenizer: str | None, say: Say) -> TokenCounter:
    """The token counter, its warning said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        counter = build_counter(tokenizer)
    for warning in caught:
        say(str(warning.message))
    return counter
