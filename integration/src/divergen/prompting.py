"""The prompts of a run: every source in a file of its own, so that what was paid for stays, and one file of all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_records import Category, ConfigError, PromptRecord
from divergen_records.command import echo
from divergen_records.files import read_json, write_text

if TYPE_CHECKING:
    from divergen_gen import Portion
    from divergen_prompts.config import PromptSourceConfig
    from divergen_prompts.llm.settings import LlmEstimate
    from divergen_prompts.sources import LlmSource

    from .run import Run

__all__ = [
    "PromptsStatus",
    "costs",
    "make_prompts",
    "paid_plans",
    "portions",
    "prompts_status",
    "sketch_prompts",
    "told_absent",
]


@dataclass(frozen=True)
class PromptsStatus:
    """One source of prompts at one moment.

    Attributes:
        source: Its kind, and what it asks.
        categories: That it is for.
        wanted: Prompts wanted; None where the source itself decides.
        prompts: Prompts that there are.
        cost: Paid for them, in the currency of the prices.
        shortfalls: Category name -> why it has fewer than wanted.
    """

    source: str
    categories: int
    wanted: int | None
    prompts: int
    cost: float
    shortfalls: dict[str, str]


@dataclass(frozen=True)
class _Part:
    """A source's prompts for the categories of a run."""

    config: PromptSourceConfig
    categories: list[Category]
    path: Path

    def read(self) -> Iterator[PromptRecord]:
        """Its prompts; a file that is continued may hold others too."""
        from divergen_prompts import read_prompts

        wanted = {category.name for category in self.categories}
        return (prompt for prompt in read_prompts(self.path) if prompt.category in wanted)

    @property
    def name(self) -> str:
        """For people."""
        of = [str(getattr(self.config, key)) for key in ("model", "template", "path") if hasattr(self.config, key)]
        return " ".join([str(getattr(self.config, "kind", "source")), *of])


def _parts(run: Run, categories: Sequence[Category]) -> list[_Part]:
    return [
        _Part(config, config.chosen(categories), run.prompt_parts / config.file_name())
        for config in run.config.prompt_sources
    ]


def make_prompts(run: Run, categories: Sequence[Category]) -> None:
    """Write the prompts of all sources, and one file of all; a source that was interrupted goes on.

    Raises:
        ConfigError: If a category has no prompt in the end; says why.
    """
    parts = _parts(run, categories)
    shortfalls: dict[str, dict[str, str]] = {}
    for part in parts:
        _note(run, parts, shortfalls)
        if absent := part.config.absent(categories):
            _say(f"{part.name}: {told_absent(absent)}")
        if part.categories:
            found = part.config.build().write(part.categories, part.path, seed=run.config.seed, say=_say)
            shortfalls[part.path.name] = dict(found)
            for name, reason in found.items():
                echo(f"{part.name}, {name}: {reason}", err=True)
    _note(run, parts, shortfalls)
    _join(run, parts, categories, shortfalls)


def told_absent(names: Sequence[str]) -> str:
    """That a source names categories which the run does not generate."""
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names)} of the categories that it names are not generated here ({shown})"


def sketch_prompts(run: Run, categories: Sequence[Category]) -> None:
    """Write prompts, or as many that stand in for them where to have them costs something."""
    from divergen_prompts import write_prompts

    parts = _parts(run, categories)
    for part in parts:
        prompts = part.config.build().sketch(part.categories, seed=run.config.seed)
        write_prompts(part.path, prompts, overwrite=True)
    _join(run, parts, categories, {})


def costs(run: Run, categories: Sequence[Category]) -> list[str]:
    """What is still to be paid for prompts, a line for each source that costs something."""
    found = ((part, part.config.build().estimate(part.categories, part.path)) for part in _parts(run, categories))
    return [f"{part.name}: {words}" for part, words in found if words]


def paid_plans(run: Run, categories: Sequence[Category]) -> Iterator[tuple[LlmSource, LlmEstimate, int]]:
    """Each language model that the run asks, what is still to be asked of it, and how many prompts are wanted."""
    from divergen_prompts.sources import LlmSource

    for part in _parts(run, categories):
        source = part.config.build()
        if isinstance(source, LlmSource):
            wanted = source.settings.per_category * len(part.categories)
            yield source, source.plan(part.categories, part.path), wanted


def portions(run: Run, categories: Sequence[Category]) -> tuple[list[PromptRecord], list[Portion]]:
    """The prompts that take turns at what is left, and those with a share or count of their own."""
    from divergen_gen import Portion
    from divergen_prompts import read_prompts

    configs = run.config.prompt_sources
    if all(config.share is None and config.count is None for config in configs):
        return read_prompts(run.prompts), []
    rest: list[PromptRecord] = []
    own: list[Portion] = []
    for part in _parts(run, categories):
        if part.config.share is None and part.config.count is None:
            rest += part.read()
        else:
            own.append(Portion(tuple(part.read()), part.config.share, part.config.count))
    return rest, own


def prompts_status(run: Run) -> tuple[PromptsStatus, ...]:
    """How far each source is; nothing before the first has begun."""
    path = run.prompt_parts / "sources.json"
    if not path.exists():
        return ()
    notes = read_json(path, "`divergen run` with --redo prompts makes it again")
    return tuple(_status(run.prompt_parts, note) for note in notes["sources"])


def _status(folder: Path, note: dict[str, Any]) -> PromptsStatus:
    from divergen_prompts.llm.journal import spent_on

    path = folder / note.pop("file")
    prompts = path.read_bytes().count(b"\n") if path.exists() else 0
    return PromptsStatus(**note, prompts=prompts, cost=spent_on(path))


def _note(run: Run, parts: Sequence[_Part], shortfalls: dict[str, dict[str, str]]) -> None:
    """Say what is wanted of each source, and what it could not give."""
    sources = []
    for part in parts:
        each = part.config.build().per_category
        sources.append(
            {
                "file": part.path.name,
                "source": part.name,
                "categories": len(part.categories),
                "wanted": None if each is None else each * len(part.categories),
                "shortfalls": shortfalls.get(part.path.name, {}),
            }
        )
    write_text(run.prompt_parts / "sources.json", json.dumps({"sources": sources}, indent=1), overwrite=True)


def _join(
    run: Run, parts: Sequence[_Part], categories: Sequence[Category], shortfalls: dict[str, dict[str, str]]
) -> None:
    from divergen_prompts import write_prompts

    prompts = [prompt for part in parts if part.categories for prompt in part.read()]
    having = {prompt.category for prompt in prompts}
    missing = [category.name for category in categories if category.name not in having]
    if missing and any(parts):
        reasons = {name: reason for found in shortfalls.values() for name, reason in found.items()}
        shown = "; ".join(f"{name} ({reasons[name]})" if name in reasons else name for name in missing[:5])
        raise ConfigError(
            f"prompts: {len(missing)} of {len(categories)} categories have none: {shown}. Add a source for them, for "
            "example {kind: template}, or leave them out (categories); what there is stays, and the same line goes on"
        )
    write_prompts(run.prompts, prompts, overwrite=True)


def _say(text: str) -> None:
    echo(f"prompts: {text}", err=True)
