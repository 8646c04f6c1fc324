"""`llm_prompts`: ask until every category has its prompts, or honestly cannot get them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from divergen_records import Category, PromptRecord, require_extra
from divergen_records.endpoint import Account, EndpointError, read_key, run_to_end

from ..categories import check_categories
from ..checks import Checker
from ..tokens import TokenCounter, build_counter
from .asking import Asking
from .jobs import make_jobs
from .journal import Journal
from .settings import LlmEstimate, LlmReport, LlmSettings

__all__ = ["Account", "EndpointError", "estimate_llm", "llm_prompts"]


_LOG = logging.getLogger(__name__)


def llm_prompts(
    categories: Sequence[Category],
    settings: LlmSettings,
    out: Path | str,
    *,
    account: Account | None = None,
    counter: TokenCounter | None = None,
    say: Callable[[str], None] = _LOG.warning,
) -> LlmReport:
    """Ask a language model for prompts; every accepted one is in the file at once.

    A file that exists is continued: only what it lacks is asked for. So a run that was killed loses nothing.

    Args:
        categories: The categories.
        settings: How to ask.
        out: The prompts file (JSON Lines); ``out.requests`` beside it logs the requests.
        account: Prices and cost limit.
        counter: Counts tokens of the target text encoder; None for an estimate, with a warning.
        say: Told once of each thing that the endpoint refuses or does slowly; logged where left out.

    Raises:
        EndpointError: If the endpoint is down or refuses for good. What was accepted is kept.
        ConfigError: If a setting is wrong or there is no key.
        RunLocked: If another process works on the file.
    """
    _check_extra()
    check_categories(categories)
    key = read_key(settings.key_variable, settings.base_url)
    counter = counter or build_counter(None)
    checker = Checker(
        categories,
        max_tokens=settings.max_tokens,
        counter=counter,
        banned=settings.banned,
        background=_required(settings.background),
    )
    with Journal(Path(out)) as journal:
        account = account or Account()
        account.cost += journal.spent
        jobs = make_jobs(categories, settings.per_category, journal.prompts)
        asking = Asking(jobs, checker, settings, account, journal, counter, say)
        run_to_end(asking.run(key))
        return LlmReport(
            accepted=asking.accepted,
            total=sum(len(job.said) for job in jobs),
            shortfalls={job.category.name: job.shortfall for job in jobs if job.shortfall},
            account=account,
        )


def _check_extra() -> None:
    """All that is imported later, now: an answer is paid for before it is read."""
    with require_extra("divergen-prompts", "llm"):
        import json_repair
        import openai  # type: ignore[import-not-found, unused-ignore]
        import tenacity
    del json_repair, openai, tenacity


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
    jobs = [job for job in make_jobs(categories, settings.per_category, existing) if job.missing > 0]
    requests = [request for job in jobs for request in job.planned(settings)]
    sent, received = sum(r.tokens for r in requests), sum(r.answer_tokens for r in requests)
    prompts = sum(job.missing for job in jobs)
    return LlmEstimate(len(jobs), prompts, len(requests), sent, received, account.price(sent, received))


def _required(background: str) -> str | None:
    """What every prompt must hold: the clause without its opening, so that "on a white background" will do."""
    words = background.strip(" ,.").split()
    while words and words[0].lower() in ("in", "on", "with", "against", "a", "an", "the"):
        words = words[1:]
    return " ".join(words) or None
