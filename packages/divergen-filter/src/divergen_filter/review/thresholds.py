"""Rules from verdicts: which scores, and which thresholds, tell what people keep from what they reject.

One rule after another is chosen, the one that parts the two best first: it maximises the share of the bad that is
rejected less the share of the good that is rejected with it. The rules in force are candidates as they are. What the
proposal is worth is measured on verdicts that it has not seen (folds), since a threshold flatters its own examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from divergen_records import ConfigError, InstanceTable
from divergen_records.schema import is_number_field
from numpy.typing import NDArray

from ..calibration import rule_thresholds
from ..decision import decide, rule_columns
from ..known import check_rules
from ..references import References
from ..rules import REAL_SCORES, Rule, RulesConfig
from .merging import merge_reviews

__all__ = ["Proposal", "Quality", "propose_rules"]

_NO_SCORES = frozenset(["category_id", "rival_category_id", "seed", "width", "height", "kept", "rule_kept"])
_LEAST, _FOLDS, _MOST_RULES, _LEAST_GAIN, _CUTS = 10, 5, 8, 0.02, 200

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Quality:
    """What rules do to reviewed instances, as shares; NaN where there are none.

    Attributes:
        good_kept: Of what people keep, that is kept.
        recall: Of what people reject, that is rejected.
        precision: Of what is rejected, that people reject.
    """

    good_kept: float
    recall: float
    precision: float

    @classmethod
    def of(cls, kept: Bools, good: Bools) -> Quality:
        """Of a decision (N,) and people's (N,)."""
        return cls(_share(kept[good]), _share(~kept[~good]), _share(~good[~kept]))

    def __str__(self) -> str:
        return (
            f"keep {self.good_kept:.0%} of the good, reject {self.recall:.0%} of the bad; "
            f"{self.precision:.0%} of what they reject is bad"
        )


@dataclass(frozen=True)
class Proposal:
    """Rules that verdicts speak for.

    Attributes:
        rules: The proposed ones.
        good: Instances that people keep.
        bad: Instances that they reject.
        before: What the rules in force do to them.
        after: What rules proposed in the same way do to verdicts that they have not seen.
    """

    rules: RulesConfig
    good: int
    bad: int
    before: Quality
    after: Quality

    def __str__(self) -> str:
        lines = [
            f"{self.good + self.bad} reviewed: {self.good} good, {self.bad} bad",
            f"rules in force  {self.before}",
            f"proposed rules  {self.after} (on verdicts that they have not seen)",
            *(f"  {rule}" for rule in self.rules.rules),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Candidate:
    """A score with a direction, or a rule in force as it is: its pass or fail is then its value; NaN always passes."""

    values: Floats
    low_is_bad: bool
    score: str
    rule: Rule | None = None


def propose_rules(table: InstanceTable, rules: RulesConfig, references: References | None = None) -> Proposal:
    """Find rules that decide as people do.

    Args:
        table: A table with verdicts; those of the log beside it come into it first.
        rules: The rules in force.
        references: Needed where one of them is calibrated.

    Raises:
        ConfigError: If there are too few verdicts of either kind, or the table lacks a score of the rules.
    """
    check_rules(rules, table)
    merge_reviews(table)
    columns, good = _reviewed(table, rules)
    if min(good.sum(), (~good).sum()) < _LEAST:
        raise ConfigError(
            f"{table.path}: people keep {good.sum()} reviewed instances and reject {(~good).sum()}; thresholds from "
            f"them take at least {_LEAST} of each: divergen-filter review"
        )
    thresholds = rule_thresholds(rules, references)
    candidates = _candidates(columns, rules, thresholds)
    chosen, _ = _choose(candidates, good, np.ones(len(good), dtype=bool))
    unseen = np.ones(len(good), dtype=bool)
    fold = np.random.default_rng(0).permutation(len(good)) % _FOLDS
    for number in range(_FOLDS):
        unseen[fold == number] = _choose(candidates, good, fold != number)[1][fold == number]
    alone = [rule for rule in rules.rules if not rule.within_category]
    before, _ = decide(columns, rules.model_copy(update={"rules": tuple(alone)}), thresholds=thresholds)
    within = [rule for rule in rules.rules if rule.within_category]  # about the whole table, not about its instances
    found = rules.model_copy(update={"rules": (*chosen, *within)})
    counts = int(good.sum()), int((~good).sum())
    return Proposal(found, *counts, Quality.of(before, good), Quality.of(unseen, good))


def _reviewed(table: InstanceTable, rules: RulesConfig) -> tuple[dict[str, Any], Bools]:
    """Scores of the reviewed rows that have all that the rules look at, and whether people keep each."""
    if "review" not in table.columns:
        raise ConfigError(f"{table.path} has no reviews; divergen-filter review makes them")
    if lacking := [name for name in rule_columns(rules) if name not in table.columns]:
        raise ConfigError(f"{table.path} has no {', '.join(lacking)}, which the rules look at: divergen-filter score")
    names = [field.name for field in table.schema if is_number_field(field) and field.name not in _NO_SCORES]
    needed = "".join(f" AND {name} IS NOT NULL" for name in rule_columns(rules))
    rows = table.select(["id", "category_id", "review", *names], f"review IS NOT NULL AND error IS NULL{needed}")
    full = [name for name in names if not rows[name].null_count]
    columns = {name: rows[name].to_numpy() for name in ("category_id", *full)}
    columns["id"] = np.asarray(rows["id"].to_pylist(), dtype=object)
    return columns, np.array([verdict == "keep" for verdict in rows["review"].to_pylist()], dtype=bool)


def _candidates(
    columns: Mapping[str, Any], rules: RulesConfig, thresholds: Mapping[int, float] | None
) -> list[_Candidate]:
    found = []
    for rule in rules.rules:
        if not rule.within_category:  # of a part of the table, that would be another threshold
            alone = rules.model_copy(update={"rules": (rule,)})
            passes = decide(columns, alone, thresholds=thresholds)[0].astype(np.float64)
            found.append(_Candidate(passes, True, rule.score, rule))
    for name, values in columns.items():
        if name not in ("id", "category_id"):
            numbers = np.asarray(values, dtype=np.float64)
            ignored = name in REAL_SCORES and rules.no_reference == "ignore"
            for low_is_bad, worst in ((True, -np.inf), (False, np.inf)):  # what is not a number fails, as in `decide`
                filled = numbers if ignored else np.where(np.isnan(numbers), worst, numbers)
                found.append(_Candidate(filled, low_is_bad, name))
    return found


def _choose(candidates: Sequence[_Candidate], good: Bools, seen: Bools) -> tuple[list[Rule], Bools]:
    """Rules from the seen rows, and what they keep of all rows (N,)."""
    kept = np.ones(len(good), dtype=bool)
    rules: list[Rule] = []
    while len(rules) < _MOST_RULES:
        gain, rule, passes = max(
            (_best_cut(one, good, kept & seen, seen) for one in candidates), key=lambda found: found[0]
        )
        if gain < _LEAST_GAIN or rule is None:
            break
        rules.append(rule)
        kept &= passes
    return rules, kept


def _best_cut(one: _Candidate, good: Bools, open_rows: Bools, seen: Bools) -> tuple[float, Rule | None, Bools]:
    """The threshold of a candidate that gains most on open rows, the gain, and which rows pass (N,)."""
    levels = np.unique(one.values[open_rows & np.isfinite(one.values)])
    if len(levels) < 2:
        return 0.0, None, open_rows
    places = np.unique(np.linspace(0, len(levels) - 2, min(_CUTS, len(levels) - 1)).astype(int))
    cuts = (levels[places] + levels[places + 1]) / 2
    known = open_rows & ~np.isnan(one.values)
    fails = one.values[known] < cuts[:, None] if one.low_is_bad else one.values[known] > cuts[:, None]
    truth = good[known]
    gains = fails[:, ~truth].sum(axis=1) / (~good & seen).sum() - fails[:, truth].sum(axis=1) / (good & seen).sum()
    best = int(np.argmax(gains))
    number = _between(*levels[places[best] : places[best] + 2].tolist())
    op: Literal[">=", "<="] = ">=" if one.low_is_bad else "<="
    rule = one.rule or Rule(score=one.score, op=op, threshold=number)
    passes = (one.values >= number if one.low_is_bad else one.values <= number) | np.isnan(one.values)
    return float(gains[best]), rule, passes


def _between(low: float, high: float) -> float:
    """The middle of two numbers, with as few digits, from four on, as lie between them once `decide` rounds them."""
    middle = (low + high) / 2
    rounded = (float(f"{middle:.{digits}g}") for digits in range(4, 18))
    return next((number for number in rounded if low < float(np.float32(number)) < high), middle)


def _share(values: Bools) -> float:
    return float(values.mean()) if len(values) else float("nan")
