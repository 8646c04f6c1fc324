"""The decision: rules over scores, with a reason that a person can read."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from divergen_records import ConfigError
from numpy.typing import NDArray

from .rules import REAL_SCORES, Best, Quantile, Rule, RulesConfig, Tolerant

__all__ = ["decide", "needs_references", "rule_columns", "rule_limits"]

_COMPARE: dict[str, Any] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_FAILED = {">=": "<", "<=": ">", ">": "<=", "<": ">=", "==": "!="}
_MOST_DIGITS = 8

Floats = NDArray[np.float64]


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
        columns: ``category_id`` and the columns of the rules' scores, N values each; ``id`` where rules keep the best
            of a category, to tell instances of one score apart. Rules that look at the other instances of the
            category need all of these here. A score against real crops that is not a number means that the category
            has none.
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
    ids, categories = np.unique(np.asarray(columns["category_id"], dtype=np.int64), return_inverse=True)
    reasons = np.full(len(categories), None, dtype=object)
    open_rows = np.ones(len(categories), dtype=bool)
    for rule in rules.rules:
        whole = np.asarray(columns[rule.score]).dtype.kind in "biu"
        values = _as_stored(columns[rule.score])
        limits = _as_stored(rule_limits(rule, values, ids, categories, open_rows, thresholds or {}))
        passes = _passes(rule, values, limits, rules.no_reference)
        if isinstance(rule.threshold, Best):
            strictly = operator.gt if rule.op in (">=", ">") else operator.lt
            better, tied = open_rows & strictly(values, limits), open_rows & (values == limits)
            passes &= ~_beyond(rule.threshold.best, better, tied, categories, columns.get("id"))
        failed = np.flatnonzero(open_rows & ~passes)
        reasons[failed] = _reasons(rule, values[failed], limits[failed], whole)
        open_rows[failed] = False
    return open_rows, reasons.tolist()


def _as_stored(numbers: Any) -> Floats:
    """Rounded to float32. 0.1 stored is 0.100000001, more than 0.1: both sides rounded, what was equal stays equal."""
    return np.asarray(numbers, dtype=np.float32).astype(np.float64)


def rule_limits(
    rule: Rule,
    values: Floats,
    ids: NDArray[np.int64],
    categories: NDArray[np.int64],
    open_rows: NDArray[np.bool_],
    thresholds: Mapping[int, float],
) -> Floats:
    """The number that each row's score is compared with (N,).

    Args:
        rule: The rule.
        values: (N,), the score.
        ids: (C,), ids of the categories.
        categories: (N,), each row's index in ``ids``.
        open_rows: (N,), rows that the rules before have left.
        thresholds: Category id -> calibrated threshold.
    """
    threshold = rule.threshold
    if isinstance(threshold, (float, int)):
        return np.full(len(values), float(threshold))
    if threshold == "calibrated":
        return np.array([thresholds.get(int(id_), np.nan) for id_ in ids], dtype=np.float64)[categories]
    low_is_bad = rule.op in (">=", ">")
    limits = np.full(len(ids), np.nan)
    for index, scores in _by_category(values, categories, open_rows & ~np.isnan(values)):
        if isinstance(threshold, Quantile):
            limits[index] = np.quantile(scores, threshold.quantile)
        elif isinstance(threshold, Best):
            rank = min(threshold.best, len(scores)) - 1
            limits[index] = np.partition(scores, len(scores) - 1 - rank if low_is_bad else rank)[
                len(scores) - 1 - rank if low_is_bad else rank
            ]
        elif isinstance(threshold, Tolerant):
            limits[index] = min(threshold.at_least, scores.max() - threshold.tolerance)
    return limits[categories]


def _by_category(values: Floats, categories: NDArray[np.int64], rows: NDArray[np.bool_]) -> list[tuple[int, Floats]]:
    """The values of the chosen rows, category by category that has any."""
    chosen = np.flatnonzero(rows)
    order = chosen[np.argsort(categories[chosen], kind="stable")]
    found, starts = np.unique(categories[order], return_index=True)
    return list(zip(found.tolist(), np.split(values[order], starts[1:]), strict=True)) if len(found) else []


def _beyond(
    best: int,
    better: NDArray[np.bool_],
    tied: NDArray[np.bool_],
    categories: NDArray[np.int64],
    names: Any,
) -> NDArray[np.bool_]:
    """Rows that tie with the last of the ``best`` of their category, and come after it: the smaller id is first.

    Args:
        best: So many are kept of each category.
        better: (N,), rows with a better score than the last of these.
        tied: (N,), rows with the same score.
        categories: (N,), each row's category.
        names: (N,), ids; the rows' order decides where None.
    """
    rows = np.flatnonzero(tied)
    places = np.argsort(rows if names is None else np.asarray(names)[rows], kind="stable")
    rows = rows[places[np.argsort(categories[rows[places]], kind="stable")]]
    mine = categories[rows]
    ranks = np.arange(len(rows)) - np.searchsorted(mine, mine)
    ahead = np.bincount(categories[better], minlength=int(categories.max(initial=0)) + 1)
    beyond = np.zeros(len(tied), dtype=bool)
    beyond[rows[ranks >= best - ahead[mine]]] = True
    return beyond


def _passes(rule: Rule, values: Floats, limits: Floats, no_reference: str) -> NDArray[np.bool_]:
    compare = _COMPARE[rule.op]
    if isinstance(rule.threshold, Best):  # the last of the best passes, whatever the comparison says of equality
        compare = operator.ge if rule.op in (">=", ">") else operator.le
    passes: NDArray[np.bool_] = compare(values, limits)  # False for NaN
    if rule.score in REAL_SCORES and no_reference == "ignore":
        passes = passes | np.isnan(values)
    return passes


def _reasons(rule: Rule, values: Floats, limits: Floats, whole: bool) -> NDArray[Any]:
    """For each row ``inter_similarity 0.41 < 0.52``, with as many digits as tell the two numbers apart."""
    texts = np.full(len(values), None, dtype=object)
    texts[np.isnan(limits)] = f"{rule.score}: the references have no threshold for this category"
    missing = "the category has no real crops" if rule.score in REAL_SCORES else "not a number"
    texts[np.isnan(values)] = f"{rule.score}: {missing}"
    equal = values == limits
    last = "ties with the last," if isinstance(rule.threshold, Best) else _FAILED[rule.op]
    texts[equal] = _texts(rule, last, values[equal], limits[equal], 2, whole)
    rows = np.flatnonzero(~(equal | np.isnan(values) | np.isnan(limits)))
    for digits in range(2, _MOST_DIGITS + 1):
        left, right = values[rows] * 10**digits, limits[rows] * 10**digits
        told = (np.rint(left) != np.rint(right)) | (digits == _MOST_DIGITS)
        texts[rows[told]] = _texts(rule, _FAILED[rule.op], values[rows[told]], limits[rows[told]], digits, whole)
        rows = rows[~told]
    return texts


def _texts(rule: Rule, sign: str, values: Floats, limits: Floats, digits: int, whole: bool) -> NDArray[Any]:
    """Rows that read the same share one text: a million rows have a few thousand. Whole numbers have no decimals."""
    scale = 10**digits
    pairs, which = np.unique(np.rint(values * scale) + 1j * np.rint(limits * scale), return_inverse=True)
    after = f" ({rule.threshold})" if rule.within_category else ""
    shared = np.empty(len(pairs), dtype=object)
    for index, (value, limit) in enumerate(zip(pairs.real / scale, pairs.imag / scale, strict=True)):
        places = 0 if whole and value == int(value) and limit == int(limit) else digits
        shared[index] = f"{rule.score} {value:z.{places}f} {sign} {limit:z.{places}f}{after}"
    return shared[which]
