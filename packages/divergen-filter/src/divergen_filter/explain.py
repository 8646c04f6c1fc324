"""Why a row was kept or rejected: every rule with the row's value beside its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .calibration import rule_thresholds
from .decision import decide, rule_columns
from .known import check_rules
from .rules import Rule, RulesConfig

if TYPE_CHECKING:
    from divergen_records import InstanceTable

    from .references import References

__all__ = ["Verdict", "explain", "explain_row"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says about one instance.

    Attributes:
        rule: The rule.
        value: The instance's score; NaN where it has none.
        threshold: The number it is compared with; NaN where the category has none, or it depends on the others.
        passed: Whether the rule holds, or does not apply; None where it depends on the other instances of the
            category.
    """

    rule: Rule
    value: float
    threshold: float
    passed: bool | None

    def __str__(self) -> str:
        mark = {True: "pass", False: "FAIL", None: "  – "}[self.passed]
        if self.passed is None:
            return f"{mark}  {self.rule.score} {self.value:.4g} {self.rule.op} {self.rule.threshold}"
        return f"{mark}  {self.rule.score} {self.value:.4g} {self.rule.op} {self.threshold:.4g}"


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
        value = np.nan if row[rule.score] is None else float(row[rule.score])
        if rule.within_category:
            verdicts.append(Verdict(rule, value, np.nan, None))
            continue
        columns = {"category_id": [row["category_id"]], rule.score: [value]}
        kept, _ = decide(columns, rules.model_copy(update={"rules": (rule,)}), thresholds=thresholds)
        limit = rule.threshold
        number = (thresholds or {}).get(row["category_id"], np.nan) if limit == "calibrated" else limit
        verdicts.append(Verdict(rule, value, float(number), bool(kept[0])))  # type: ignore[arg-type]  # a number here
    return verdicts


def explain_row(table: InstanceTable, instance_id: str, rules: RulesConfig, references: References | None) -> str:
    """What is known about a row's decision, as text.

    Raises:
        TableError: If there is no such row.
        ConfigError: If a rule is calibrated and there are no references, or names an unknown column.
    """
    check_rules(rules, table)
    thresholds, have = rule_thresholds(rules, references), table.columns
    scores = [name for name in rule_columns(rules) if name in have]
    columns = ["category", "category_id", "prompt", "error", "kept", "reject_reason", *scores]
    row = dict.fromkeys(rule_columns(rules)) | table.take([instance_id], columns).to_pylist()[0]
    state = {True: "kept", False: f"rejected: {row['reject_reason']}", None: "not decided"}[row["kept"]]
    lines = [
        f"{row['category']}: {row['prompt']}",
        f"failed: {row['error']}" if row["error"] else f"in the table: {state}",
    ]
    return "\n".join([*lines, *map(str, explain(row, rules, thresholds=thresholds))])
