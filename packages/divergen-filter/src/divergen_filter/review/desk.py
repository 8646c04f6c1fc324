"""What a reviewer does to rows: say a verdict about many at once, and take the last one back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Self

from divergen_records import Config, ConfigError
from pydantic import Field, model_validator

from .rows import ReviewRows
from .verdicts import Kind, Verdict, now

__all__ = ["Desk", "Judgement", "Outcome"]

_UNDO = 200
"""Steps that each reviewer can take back."""


class Judgement(Config):
    """A verdict about rows, as the page sends it.

    Attributes:
        rows: Places of the rows.
        versions: The version of each that the page showed.
        review: The verdict; None takes back what was said.
        review_category: The right category, where the verdict is ``category``.
        reviewer: Who says it.
    """

    rows: tuple[int, ...] = Field(min_length=1)
    versions: tuple[int, ...]
    review: Kind | None
    review_category: str | None = Field(default=None, min_length=1, max_length=200)
    reviewer: str = Field(min_length=1, max_length=80, pattern=r"^\S(.*\S)?$")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.rows) != len(self.versions):
            raise ValueError("each row has one version")
        if (self.review == "category") != (self.review_category is not None):
            raise ValueError("a right category goes with the verdict 'category', and with no other")
        return self


@dataclass(frozen=True)
class Outcome:
    """What became of a judgement.

    Attributes:
        done: Places of rows that it holds for.
        refused: Places of rows about which somebody else has said something that the page did not show.
    """

    done: list[int]
    refused: list[int]


class Desk:
    """Writes judgements to the log of `ReviewRows`; safe among threads."""

    def __init__(self, rows: ReviewRows) -> None:
        self.rows = rows
        self._undo: defaultdict[str, list[list[tuple[int, Verdict]]]] = defaultdict(list)
        self._lock = Lock()

    def judge(self, said: Judgement) -> Outcome:
        """Write a judgement; on the disk when this returns.

        Raises:
            ConfigError: If there is no such row.
        """
        if wrong := [row for row in said.rows if not 0 <= row < len(self.rows)]:
            raise ConfigError(f"there is no row {wrong[0]}; there are {len(self.rows)}")
        ids = [self.rows.ids[row] for row in said.rows]
        time, log = now(), self.rows.log
        made = [Verdict(key, said.review, said.reviewer, time, said.review_category) for key in ids]
        with self._lock:
            before = [self.rows.said(key) or Verdict(key, None, said.reviewer, time) for key in ids]
            refused = {verdict.id for verdict in log.append(made, dict(zip(ids, said.versions, strict=True)))}
            pairs = zip(said.rows, ids, before, strict=True)
            done = [(row, old) for row, key, old in pairs if key not in refused]
            if done:
                self._undo[said.reviewer] = [*self._undo[said.reviewer], done][-_UNDO:]
        return Outcome([row for row, _ in done], [self.rows.place[key] for key in refused])

    def undo(self, reviewer: str) -> Outcome:
        """Take back a reviewer's last judgement, but not of rows about which somebody has said something since."""
        log = self.rows.log
        with self._lock:
            if not self._undo[reviewer]:
                return Outcome([], [])
            batch = self._undo[reviewer].pop()
            log.catch_up()
            mine = [(row, old) for row, old in batch if self._is_last(row, reviewer)]
            log.append([old for _, old in mine])
        done = [row for row, _ in mine]
        return Outcome(done, [row for row, _ in batch if row not in done])

    def changes(self, since: int) -> dict[str, Any]:
        """Rows about which something was said after the first ``since`` entries of the log."""
        log = self.rows.log
        count = log.catch_up()
        places = {self.rows.place[one.id] for one in log.entries[since:count] if one.id in self.rows.place}
        return {"entries": count, "rows": self.states(sorted(places)), "reviewed": self.rows.reviewed()}

    def states(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """What people have said of rows."""
        return [self.rows.state(place) for place in places]

    def _is_last(self, row: int, reviewer: str) -> bool:
        last = self.rows.log.last(self.rows.ids[row])
        return last is not None and last.reviewer == reviewer
