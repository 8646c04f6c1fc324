"""Why a row was kept or rejected: every rule with the row's value beside its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .config import Rule, RulesConfig
from .decision import decide

__all__ = ["Verdict", "explain"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says about one instance.

    Attributes:
        rule: The rule.
        value: The instance's score; NaN where it has none.
        threshold: The number it is compared with; NaN where the category has none.
        passed: Whether the rule holds, or does not apply.
    """

    rule: Rule
    value: float
    threshold: float
    passed: bool


def explain(
    row: Mapping[str, Any], rules: RulesConfig, *, thresholds: Mapping[int, float] | None = None
) -> list[Verdict]:
    """Apply each rule to one row by itself, also those after the first that fails.

    Args:
        row: ``category_id`` and the scores that the rules look at.
        rules: What is kept.
        thresholds: Category id -> calibrated threshold; see `divergen_filter.calibrate`.
    """
    verdicts = []
    for rule in rules.rules:
        value = row[rule.score]
        columns = {"category_id": [row["category_id"]], rule.score: [np.nan if value is None else value]}
        kept, _ = decide(columns, rules.model_copy(update={"rules": (rule,)}), thresholds=thresholds)
        limit = rule.threshold
        number = (thresholds or {}).get(row["category_id"], np.nan) if isinstance(limit, str) else limit
        verdicts.append(Verdict(rule, float(columns[rule.score][0]), float(number), bool(kept[0])))
    return verdicts
