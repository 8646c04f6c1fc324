"""What every generated instance contributed: kept while training, written beside the checkpoint for the next round."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from divergen_records import Category
from divergen_records.errors import DatasetError
from divergen_records.files import parse_json, read_text, writing_text

__all__ = ["Contribution", "Ledger", "read_contributions", "write_contributions"]


@dataclass(frozen=True)
class Contribution:
    """What a training thinks of a generated instance.

    Attributes:
        source: Its id (`InstanceRecord.id`).
        category_id: Category id in the dataset.
        category: Category name.
        frequency: The category's frequency group, where known.
        n: How often it was judged.
        mean: Mean contribution over the judgements that gave a number; None where none did.
        accepted: How often it was accepted, where instances are accepted or rejected.
        belief: What it is believed to contribute beside the average of its category, where beliefs are kept.
        weight: How often it was drawn at the end, 1 on average in its category, where beliefs are kept.
    """

    source: str
    category_id: int
    category: str
    frequency: str | None
    n: int
    mean: float | None
    accepted: int | None = None
    belief: float | None = None
    weight: float | None = None


@dataclass(slots=True)
class _Entry:
    label: int
    n: int = 0
    accepted: int = 0
    numbers: int = 0
    total: float = 0.0


class Ledger:
    """The contributions of all sources so far.

    Args:
        categories: What the labels 1, 2, … mean.
    """

    def __init__(self, categories: Sequence[Category]) -> None:
        self._categories = tuple(categories)
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Contribution]:
        for source, entry in sorted(self._entries.items()):
            category = self._categories[entry.label - 1]
            mean = entry.total / entry.numbers if entry.numbers else None
            yield Contribution(source, category.id, category.name, category.frequency, entry.n, mean, entry.accepted)

    def add(self, source: str, label: int, value: float, accepted: bool) -> None:
        """Take in a judgement; a value that is no number counts as judged only."""
        entry = self._entries.setdefault(source, _Entry(label))
        entry.n += 1
        entry.accepted += accepted
        if math.isfinite(value):
            entry.numbers += 1
            entry.total += value

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: plain lists."""
        rows = self._entries.items()
        return {"rows": [(s, e.label, e.n, e.accepted, e.numbers, e.total) for s, e in rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._entries = {source: _Entry(*rest) for source, *rest in state["rows"]}


def write_contributions(path: Path, rows: Iterable[Contribution]) -> None:
    """Write a JSON line for each instance, with the fields of `Contribution`, in place of an older file."""
    with writing_text(path, overwrite=True) as file:
        for row in rows:
            file.write(json.dumps(asdict(row)) + "\n")


def read_contributions(path: Path | str) -> list[Contribution]:
    """The lines of a ``contributions.jsonl``.

    Raises:
        DatasetError: If a line is not one of `write_contributions`.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            found.append(Contribution(**parse_json(line, f"{path}, line {number}")))
        except TypeError as error:
            raise DatasetError(f"{path}, line {number}: not a line of contributions ({error})") from error
    return found
