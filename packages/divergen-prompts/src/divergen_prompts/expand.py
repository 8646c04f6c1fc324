"""Extra categories: what a detector is not asked for, but learns from (DiverGen, section 3.3, category diversity)."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from divergen_records import Category, ConfigError, derive_seed
from divergen_records.files import writing_text
from divergen_records.text import csv_cell

from .categories import check_categories
from .naming import names
from .similarity import Similarity

__all__ = ["Choice", "select_extra_categories", "write_categories", "write_choices"]


@dataclass(frozen=True)
class Choice:
    """The decision on a candidate.

    Attributes:
        candidate: The candidate.
        taken: Whether it is among the extra categories.
        reason: Why, or why not.
        nearest: The base category most like it; None where it could not be compared.
        similarity: To that category.
    """

    candidate: Category
    taken: bool
    reason: str
    nearest: Category | None = None
    similarity: float | None = None


def select_extra_categories(
    base: Sequence[Category],
    candidates: Sequence[Category],
    *,
    similarity: Similarity,
    count: int | None = 250,
    threshold: float = 0.4,
    seed: int = 0,
) -> list[Choice]:
    """Choose candidates unlike every base category.

    Args:
        base: The dataset's categories.
        candidates: Where to choose from, for example ImageNet-1K.
        similarity: How alike two categories are.
        count: How many to take (250 was best in the paper, all 566 were worse); None for all that fit.
        threshold: A candidate fits if its similarity to every base category is below this (0.4 in the paper).
        seed: Which of those that fit are taken. A candidate's draw depends on its name, not on the others.

    Returns:
        A decision for every candidate, in their order.

    Raises:
        ConfigError: If count or threshold is out of range.
        DatasetError: If categories lack names or share ids.
    """
    if count is not None and count < 1:
        raise ConfigError(f"count is {count}; it must be at least 1")
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold is {threshold}; it must be above 0 and at most 1")
    check_categories(base, where="base categories")
    check_categories(candidates, where="candidates")
    matrix = similarity(candidates, base)
    taken_names = {name.lower(): category for category in base for name in names(category)}
    judged = [_judge(c, row, base, taken_names, threshold) for c, row in zip(candidates, matrix, strict=True)]
    return _draw(judged, count, seed)


def _judge(
    candidate: Category, row: np.ndarray, base: Sequence[Category], own: dict[str, Category], threshold: float
) -> Choice:
    """Whether a candidate fits, before the draw."""
    namesake = next((category for category in base if category.name.lower() == candidate.name.lower()), None)
    if namesake is not None:
        return Choice(candidate, False, f"is called as {namesake.label!r} is", namesake)
    same = next((own[name.lower()] for name in names(candidate) if name.lower() in own), None)
    if np.isnan(row).any():
        if same is not None:
            return Choice(candidate, False, f"bears a name of {same.label!r}", same)
        return Choice(candidate, False, "cannot be placed: no synset of its name")
    place = int(row.argmax())
    nearest, value = base[place], float(row[place])
    if value >= threshold:
        return Choice(
            candidate, False, f"too like {nearest.label!r}: {value:.3f}, not below {threshold:g}", nearest, value
        )
    return Choice(candidate, True, f"unlike all: at most {value:.3f}, to {nearest.label!r}", nearest, value)


def _draw(judged: list[Choice], count: int | None, seed: int) -> list[Choice]:
    fitting = [choice for choice in judged if choice.taken]
    if count is None or len(fitting) <= count:
        return judged
    fitting.sort(key=lambda choice: derive_seed("extra", seed, choice.candidate.name, choice.candidate.synset))
    left_out = {choice.candidate.id for choice in fitting[count:]}
    reason = f"would fit, but is not among the {count} of {len(fitting)} drawn with seed {seed}"
    return [
        Choice(choice.candidate, False, f"{reason}; {choice.reason}", choice.nearest, choice.similarity)
        if choice.candidate.id in left_out
        else choice
        for choice in judged
    ]


def write_categories(path: Path, choices: Sequence[Choice], *, first_id: int, overwrite: bool = False) -> int:
    """Write the taken categories as a JSON list in LVIS terms, with ids from ``first_id`` on; returns their number."""
    taken = [choice.candidate for choice in choices if choice.taken]
    rows = [
        {
            "id": first_id + number,
            "name": category.name,
            "synonyms": list(category.synonyms),
            "synset": category.synset,
            "def": category.definition,
        }
        for number, category in enumerate(taken)
    ]
    with writing_text(path, overwrite=overwrite) as file:
        json.dump(rows, file, ensure_ascii=False, indent=1)
    return len(rows)


def write_choices(path: Path, choices: Sequence[Choice], *, overwrite: bool = False) -> None:
    """Write every decision as CSV: name, taken, similarity, nearest, reason."""
    with writing_text(path, overwrite=overwrite) as file:
        table = csv.writer(file)
        table.writerow(["name", "synset", "taken", "similarity", "nearest", "reason"])
        for choice in choices:
            value = "" if choice.similarity is None else f"{choice.similarity:.4f}"
            nearest = choice.nearest.name if choice.nearest else ""
            candidate = choice.candidate
            row = [candidate.name, candidate.synset or "", int(choice.taken), value, nearest, choice.reason]
            table.writerow(map(csv_cell, row))
