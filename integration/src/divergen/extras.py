"""Categories beside the data set's: chosen once, with a reason for each, and read by all that follows."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_records.command import echo

from .config import ExtraCategories
from .data import read_extra_categories

if TYPE_CHECKING:
    from .run import Run

__all__ = ["ExtraChoice", "choose_extra_categories", "extra_categories", "extra_choices", "reasons_in_short"]

_NAMES = {"embedding": "minilm"}
"""Similarity in a run's words -> in those of divergen-prompts."""


@dataclass(frozen=True)
class ExtraChoice:
    """Why a candidate was taken or not.

    Attributes:
        name: The candidate.
        taken: Whether it is among the extra categories.
        reason: Why, or why not.
    """

    name: str
    taken: bool
    reason: str


def choose_extra_categories(run: Run, dataset: Dataset) -> None:
    """Choose the extra categories, where the configuration says how; what was chosen before stays.

    Raises:
        ConfigError: If WordNet or the candidates cannot be had.
    """
    how = run.config.extra_categories
    if not isinstance(how, ExtraCategories) or run.extra_categories.exists():
        return
    from divergen_prompts import read_categories, select_extra_categories
    from divergen_prompts.expand import write_categories, write_choices
    from divergen_prompts.similarity import build_similarity

    choices = select_extra_categories(
        dataset.categories,
        read_categories(how.candidates),
        similarity=build_similarity(_NAMES.get(how.similarity, how.similarity), how.wordnet),
        count=how.take,
        threshold=how.below,
        seed=how.seed,
    )
    write_choices(run.extra_reasons, choices, overwrite=True)
    first = 1 + max(category.id for category in dataset.categories)
    taken = write_categories(run.extra_categories, choices, first_id=first, overwrite=True)
    echo(f"extra: {taken} of {len(choices)} candidates, reasons in {run.extra_reasons}", err=True)
    if how.take is not None and taken < how.take:
        echo(f"extra: only {taken} candidates fit, fewer than the {how.take} to take", err=True)


def extra_categories(run: Run, dataset: Dataset) -> list[Category]:
    """The extra categories with ids that follow the data set's own."""
    how = run.config.extra_categories
    if not how:
        return []
    return read_extra_categories(run.extra_categories if isinstance(how, ExtraCategories) else how, dataset)


def extra_choices(run: Run) -> list[ExtraChoice]:
    """Why each candidate was taken or not; empty where the extra categories were given."""
    if not run.extra_reasons.exists():
        return []
    with run.extra_reasons.open(encoding="utf-8", newline="") as file:
        return [ExtraChoice(row["name"], row["taken"] == "1", row["reason"]) for row in csv.DictReader(file)]


def reasons_in_short(choices: Sequence[ExtraChoice]) -> dict[str, int]:
    """Reasons without their names and figures -> candidates, the most frequent first."""
    return dict(Counter(re.split("[:,'\"]", choice.reason)[0].strip() for choice in choices).most_common())
