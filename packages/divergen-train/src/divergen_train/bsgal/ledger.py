"""What every generated instance contributed: kept while training, written beside the checkpoint for the next round."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divergen_records import Category
from divergen_records.errors import DatasetError
from divergen_records.files import writing_text

__all__ = ["Contribution", "Ledger", "read_contributions"]


@dataclass(frozen=True)
class Contribution:
    """What one generated instance contributed to a training.

    Attributes:
        source: Its id (`InstanceRecord.id`).
        category_id: Category id in the dataset.
        category: Category name.
        frequency: The category's frequency group, where known.
        n: How often it was judged.
        accepted: How often it was accepted.
        mean: Mean contribution over the judgements that gave a number; None where none did.
    """

    source: str
    category_id: int
    category: str
    frequency: str | None
    n: int
    accepted: int
    mean: float | None


@dataclass(slots=True)
class _Entry:
    label: int
    n: int = 0
    accepted: int = 0
    numbers: int = 0
    total: float = 0.0
    last: bool = True


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
            yield Contribution(source, category.id, category.name, category.frequency, entry.n, entry.accepted, mean)

    def score(self, source: str, value: float) -> float:
        """Mean contribution of a source with a new one among them: the noise of single judgements averages out."""
        entry = self._entries.get(source)
        return value if entry is None else (entry.total + value) / (entry.numbers + 1)

    def remembered(self, source: str) -> bool:
        """The last verdict on a source; True where it was never judged."""
        entry = self._entries.get(source)
        return entry is None or entry.last

    def add(self, source: str, label: int, value: float, accepted: bool) -> None:
        """Take in a judgement; a value that is no number counts as judged only."""
        entry = self._entries.setdefault(source, _Entry(label))
        entry.n += 1
        entry.accepted += accepted
        entry.last = accepted
        if math.isfinite(value):
            entry.numbers += 1
            entry.total += value

    def write(self, path: Path) -> None:
        """Write a JSON line for each source, with the fields of `Contribution`, in place of an older file."""
        with writing_text(path, overwrite=True) as file:
            for row in self:
                file.write(json.dumps({name: getattr(row, name) for name in Contribution.__dataclass_fields__}) + "\n")

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: plain lists."""
        rows = self._entries.items()
        return {"rows": [(s, e.label, e.n, e.accepted, e.numbers, e.total, e.last) for s, e in rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._entries = {source: _Entry(*rest) for source, *rest in state["rows"]}


def read_contributions(path: Path | str) -> list[Contribution]:
    """The lines of a ``contributions.jsonl``.

    Raises:
        DatasetError: If a line is not one of `Ledger.write`.
    """
    found = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(Contribution(**json.loads(line)))
        except (json.JSONDecodeError, TypeError) as error:
            raise DatasetError(f"{path}, line {number}: not a line of contributions ({error})") from error
    return found
