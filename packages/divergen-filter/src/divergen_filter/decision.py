"""The decision: rules over scores, with a reason that a person can read."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from divergen_records import ConfigError
from numpy.typing import NDArray

from .config import Rule, RulesConfig

__all__ = ["decide", "needs_references", "rule_columns"]

_COMPARE: dict[str, Any] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_FAILED = {">=": "<", "<=": ">", ">": "<=", "<": ">=", "==": "!="}
_WHOLE = frozenset({"components"})


def rule_columns(rules: RulesConfig) -> tuple[str, ...]:
    """The columns that the rules look at, each once, in the rules' order."""
    return tuple(dict.fromkeys(rule.score for rule in rules.rules))


def needs_references(rules: RulesConfig) -> bool:
    """Whether a rule's threshold is calibrated on real crops."""
    return any(rule.threshold == "calibrated" for rule in rules.rules)


def decide(
    columns: Mapping[str, Any], rules: RulesConfig, *, thresholds: Mapping[int, float] | None = None
) -> tuple[NDArray[np.bool_], list[str | None]]:
    """Apply the rules to scores; pictures are not touched.

    Args:
        columns: ``category_id`` and the columns of the rules' scores, N values each. An inter-similarity that is not
            a number means that the category has no real crop.
        rules: What is kept.
        thresholds: Category id -> calibrated threshold; see `divergen_filter.calibrate`.

    Returns:
        kept (N,) bool, and for each row the first rule that failed, for example
        ``"inter_similarity 0.41 < 0.52"``; None where the row is kept.

    Raises:
        ConfigError: If a rule is calibrated and there are no thresholds.
    """
    if needs_references(rules) and thresholds is None:
        raise ConfigError(
            "a rule's threshold is 'calibrated', which takes the embeddings of real crops (references); "
            "give them, or a number as the threshold"
        )
    category_ids = np.asarray(columns["category_id"], dtype=np.int64)
    reasons: list[str | None] = [None] * len(category_ids)
    open_rows = np.ones(len(category_ids), dtype=bool)
    for rule in rules.rules:
        values = np.asarray(columns[rule.score], dtype=np.float64)
        limits = _limits(rule, category_ids, thresholds or {})
        failed = open_rows & ~_passes(rule, values, limits, rules.no_reference)
        for row in np.flatnonzero(failed):
            reasons[row] = _reason(rule, values[row], limits[row])
        open_rows &= ~failed
    return open_rows, reasons


def _limits(rule: Rule, category_ids: NDArray[np.int64], thresholds: Mapping[int, float]) -> NDArray[np.float64]:
    if rule.threshold != "calibrated":
        return np.full(len(category_ids), rule.threshold, dtype=np.float64)
    ids, inverse = np.unique(category_ids, return_inverse=True)
    return np.array([thresholds.get(int(id_), np.nan) for id_ in ids], dtype=np.float64)[inverse]


def _passes(
    rule: Rule, values: NDArray[np.float64], limits: NDArray[np.float64], no_reference: str
) -> NDArray[np.bool_]:
    passes: NDArray[np.bool_] = _COMPARE[rule.op](values, limits)  # False for NaN
    if rule.score == "inter_similarity" and no_reference == "ignore":
        passes = passes | np.isnan(values)
    return passes


def _reason(rule: Rule, value: float, limit: float) -> str:
    if np.isnan(value):
        missing = "the category has no real crops" if rule.score == "inter_similarity" else "not a number"
        return f"{rule.score}: {missing}"
    if np.isnan(limit):
        return f"{rule.score}: the references have no threshold for this category"
    return f"{rule.score} {_text(rule, value)} {_FAILED[rule.op]} {_text(rule, limit)}"


def _text(rule: Rule, number: float) -> str:
    return f"{number:.0f}" if rule.score in _WHOLE and number == int(number) else f"{number:.2f}"
