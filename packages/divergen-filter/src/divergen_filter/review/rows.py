"""The instances of a table as the page lists them: light columns in memory, filtered and ordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from divergen_records import Config, ConfigError, InstanceTable
from divergen_records.schema import is_number_field
from numpy.typing import NDArray

from ..calibration import rule_thresholds
from ..decision import rule_limits
from ..known import check_rules
from ..references import References
from ..rules import Rule, RulesConfig
from .merging import COLUMNS
from .verdicts import KINDS, Verdict, VerdictLog

__all__ = ["NO_FREQUENCY", "Query", "ReviewRows"]

_LIGHT = ("id", "category", "category_id", "frequency", "prompt", "generator", "kept", "reject_reason")
_NO_SCORES = frozenset(["category_id", "rival_category_id", "seed", "width", "height", "kept", "rule_kept"])
_DECISIONS = {True: "kept", False: "rejected", None: "undecided"}
NO_FREQUENCY = "none"

Floats = NDArray[np.float64]


class Query(Config):
    """What the page shows; an empty list is no condition.

    Attributes:
        category: Names of categories.
        frequency: ``"r"``, ``"c"``, ``"f"``, or `NO_FREQUENCY`.
        generator: Names of generators.
        decision: ``"kept"``, ``"rejected"``, ``"undecided"``.
        review: ``"none"``, or kinds of verdicts.
        text: Is in the prompt or the reason, in any case of letters.
        score: The score that ``low`` and ``high`` bound, and that ``order`` may mean.
        low: Least score.
        high: Largest score.
        order: ``doubt``: those whose decision hangs by the least, by all rules. ``threshold``: those whose ``score``
            is nearest to its threshold. ``low``, ``high``: by ``score``. ``table``: as they were made.
    """

    category: tuple[str, ...] = ()
    frequency: tuple[str, ...] = ()
    generator: tuple[str, ...] = ()
    decision: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    text: str = ""
    score: str | None = None
    low: float | None = None
    high: float | None = None
    order: Literal["doubt", "threshold", "low", "high", "table"] = "doubt"


class ReviewRows:
    """Rows of a table that have a mask and did not fail.

    Args:
        table: The table.
        log: Its verdicts.
        rules: What decides; for thresholds.
        references: For calibrated thresholds.

    Raises:
        ConfigError: If there are no such rows, or a rule names an unknown column.
    """

    def __init__(
        self, table: InstanceTable, log: VerdictLog, rules: RulesConfig, references: References | None = None
    ) -> None:
        check_rules(rules, table)
        numbers = [field.name for field in table.schema if is_number_field(field) and field.name not in _NO_SCORES]
        reviews = [name for name in COLUMNS if name in table.columns]
        rows = table.select([*_LIGHT, *numbers, *reviews], "error IS NULL AND area_fraction IS NOT NULL")
        if not len(rows):
            raise ConfigError(f"{table.path} has no instance with a mask to look at; an annotator makes masks")
        self.log = log
        self._before = _said(rows) if "review" in table.columns else {}
        self.ids: list[str] = rows["id"].to_pylist()
        self.place = {key: place for place, key in enumerate(self.ids)}
        self.scores = {name: _numbers(rows, name) for name in numbers if rows[name].null_count < len(rows)}
        self._light = {name: rows[name].to_pylist() for name in _LIGHT if name != "id"}
        self._light["frequency"] = [value or NO_FREQUENCY for value in self._light["frequency"]]
        self._light["decision"] = [_DECISIONS[value] for value in self._light.pop("kept")]
        self._words = {name: np.array(self._light[name]) for name in ("category", "frequency", "generator", "decision")}
        self._rules = [rule for rule in rules.rules if rule.score in self.scores]
        self._limits = self._find_limits(rules, rule_thresholds(rules, references) or {})
        self._margins = [self._margin(rule, limit) for rule, limit in zip(self._rules, self._limits, strict=True)]

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, query: Query) -> NDArray[np.int64]:
        """Places of the rows that a query asks for, in its order.

        Raises:
            ConfigError: If it names a score that the table lacks, or none where it takes one.
        """
        chosen = np.ones(len(self), dtype=bool)
        for name, words in self._words.items():
            if wanted := getattr(query, name):
                chosen &= np.isin(words, wanted)
        if query.review:
            chosen &= np.isin([self._state(key).review or "none" for key in self.ids], query.review)
        if query.text.strip():
            chosen &= self._mentions(query.text.strip().casefold())
        if query.low is not None:
            chosen &= self._score(query) >= query.low
        if query.high is not None:
            chosen &= self._score(query) <= query.high
        places = np.flatnonzero(chosen)
        keys = self._keys(query)
        return places if keys is None else places[np.argsort(keys[places], kind="stable")]

    def describe(self, places: Iterable[int]) -> list[dict[str, Any]]:
        """What the page tells about rows."""
        return [self._describe(place) for place in places]

    def state(self, place: int) -> dict[str, Any]:
        """What people have said of a row, with the version of it."""
        found = self._state(self.ids[place])
        return {
            "row": place,
            "version": self.log.version(self.ids[place]),
            "review": found.review,
            "review_category": found.review_category,
            "reviewer": found.reviewer,
            "reviewed_at": found.reviewed_at,
        }

    def said(self, instance_id: str) -> Verdict | None:
        """The last verdict about an instance, also one that is taken back."""
        return self.log.last(instance_id) or self._before.get(instance_id)

    def reviewed(self) -> dict[str, int]:
        """Kind of verdict -> rows."""
        before = Counter(one.review for key, one in self._before.items() if not self.log.version(key))
        return {kind: self.log.counts[kind] + before[kind] for kind in KINDS}

    def facets(self) -> dict[str, Any]:
        """What can be filtered by, with counts, the rarest frequency first."""
        frequency = dict(zip(self._light["category"], self._light["frequency"], strict=True))
        return {
            "category": [
                {"name": name, "count": count, "frequency": frequency[name]}
                for name, count in sorted(Counter(self._light["category"]).items())
            ],
            **{name: dict(Counter(self._light[name]).most_common()) for name in ("frequency", "generator", "decision")},
            "score": {
                name: [float(np.nanmin(values)), float(np.nanmax(values))]
                for name, values in self.scores.items()
                if np.isfinite(values).any()
            },
            "thresholds": sorted({rule.score for rule in self._rules if rule.op != "=="}),
        }

    def _describe(self, place: int) -> dict[str, Any]:
        light = {name: values[place] for name, values in self._light.items()}
        scores = {name: _rounded(values[place]) for name, values in self.scores.items()}
        rules = [
            {"score": rule.score, "op": rule.op, "limit": _rounded(limit[place]), "passes": bool(margin[place] >= 0)}
            for rule, limit, margin in zip(self._rules, self._limits, self._margins, strict=True)
            if not np.isnan(margin[place])
        ]
        return {"id": self.ids[place], **light, "scores": scores, "rules": rules, **self.state(place)}

    def _state(self, key: str) -> Verdict:
        return self.said(key) or Verdict(key)

    def _mentions(self, text: str) -> NDArray[np.bool_]:
        pairs = zip(self._light["prompt"], self._light["reject_reason"], self.ids, strict=True)
        return np.array([text in f"{prompt}\n{reason or ''}\n{key}".casefold() for prompt, reason, key in pairs])

    def _score(self, query: Query) -> Floats:
        if query.score not in self.scores:
            raise ConfigError(f"there is no score {query.score!r}; there are {', '.join(self.scores)}")
        return self.scores[query.score]

    def _keys(self, query: Query) -> Floats | None:
        """What the order sorts by, ascending; not-a-number last."""
        if query.order == "table":
            return None
        if query.order == "doubt":
            return np.abs(_least(self._margins, len(self)))
        values = self._score(query)
        if query.order == "threshold":
            pairs = zip(self._rules, self._margins, strict=True)
            return np.abs(_least([margin for rule, margin in pairs if rule.score == query.score], len(self)))
        return np.where(np.isnan(values), np.inf, values if query.order == "low" else -values)

    def _find_limits(self, rules: RulesConfig, thresholds: dict[int, float]) -> list[Floats]:
        ids, categories = np.unique(np.array(self._light["category_id"], dtype=np.int64), return_inverse=True)
        open_rows = np.ones(len(self), dtype=bool)
        return [
            rule_limits(rule, self.scores[rule.score], ids, categories, open_rows, thresholds) for rule in self._rules
        ]

    def _margin(self, rule: Rule, limits: Floats) -> Floats:
        """By how many standard deviations of the score each row passes (N,); below 0 it fails, NaN is no rule."""
        values = self.scores[rule.score]
        spread = float(np.nanstd(values)) or 1.0
        if rule.op == "==":  # there is no nearly
            return np.where(np.isnan(values), np.nan, np.where(values == limits, np.inf, -1.0))
        above = (values - limits) / spread
        return above if rule.op in (">=", ">") else -above


def _least(margins: Sequence[Floats], count: int) -> Floats:
    """The smallest margin of each row; infinite where no rule has one."""
    least = np.full(count, np.inf)
    for margin in margins:
        least = np.fmin(least, margin)
    return least


def _numbers(rows: pa.Table, name: str) -> Floats:
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(zero_copy_only=False))


def _rounded(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _said(rows: pa.Table) -> dict[str, Verdict]:
    """What the table's columns hold, by id: a copied table comes without its log."""
    said = rows.filter(pc.is_valid(rows["review"])).select(["id", *COLUMNS])
    return {row["id"]: Verdict(**row) for row in said.to_pylist()}
