"""Verdicts from the log into the table, and what they do to a decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from divergen_records import InstanceTable
from numpy.typing import NDArray

from ..addressed import read_rows, write_rows
from ..columns import ReviewColumns
from .verdicts import Verdict, VerdictLog, log_path

__all__ = ["COLUMNS", "merge_reviews", "overrule", "review_reasons"]

COLUMNS = ("review", "review_category", "reviewer", "reviewed_at")


def merge_reviews(table: InstanceTable, log: VerdictLog | None = None) -> int:
    """Write the verdicts of the log beside a table into its columns, in one commit, where they differ.

    Args:
        table: The table; the columns are added with the first verdict.
        log: Its log; opened where left out.

    Returns:
        Number of rows written.
    """
    log = log or VerdictLog(log_path(table.path))
    log.catch_up()
    state = log.state()
    if not state:
        return 0
    table.ensure_columns(ReviewColumns)
    rows = read_rows(table, ["id", *COLUMNS])
    rows = rows.filter(pc.is_in(rows["id"], value_set=pa.array(list(state))))
    before = list(zip(*(rows[name].to_pylist() for name in COLUMNS), strict=True))
    said = [state[key] for key in rows["id"].to_pylist()]
    changed = np.array([_values(verdict) != old for verdict, old in zip(said, before, strict=True)], dtype=bool)
    if not changed.any():
        return 0
    chosen = np.flatnonzero(changed)
    values = [_values(said[row]) for row in chosen.tolist()]
    arrays = {name: pa.array([value[place] for value in values], pa.string()) for place, name in enumerate(COLUMNS)}
    write_rows(table, rows["_rowaddr"].take(chosen), pa.table({"id": rows["id"].take(chosen), **arrays}))
    return len(chosen)


def overrule(
    kept: NDArray[np.bool_], reasons: NDArray[Any], ready: NDArray[np.bool_], rows: pa.Table, *, require: bool
) -> tuple[NDArray[np.bool_], int]:
    """Let people overrule the rules, in place.

    Args:
        kept: (N,), what the rules keep; becomes what is kept.
        reasons: (N,), why not; becomes the person's where one decided.
        ready: (N,), rows that the rules decided about.
        rows: ``review``, ``review_category``, ``reviewer``, ``error`` and ``area_fraction`` of the rows.
        require: Also reject what no person has kept.

    Returns:
        Rows that a person decided about (N,), and for how many of them the rules had decided otherwise.
    """
    possible = np.asarray(pc.and_(pc.is_null(rows["error"]), pc.is_valid(rows["area_fraction"])))
    said = np.asarray(pc.is_valid(rows["review"])) & possible
    places = np.flatnonzero(said)
    verdicts = rows.select(["review", "review_category", "reviewer"]).take(places).to_pylist()
    wanted = np.array([verdict["review"] == "keep" for verdict in verdicts], dtype=bool)
    overruled = int(np.count_nonzero((kept[places] != wanted) & ready[places]))
    kept[places] = wanted
    reasons[places] = review_reasons(verdicts)
    if require:
        silent = np.flatnonzero(ready & ~said & kept)
        kept[silent] = False
        reasons[silent] = "review: no person has kept it"
    return said, overruled


def review_reasons(verdicts: Sequence[dict[str, Any]]) -> list[str | None]:
    """Why a person's verdicts reject, as ``reject_reason`` holds it; None for those that keep."""
    return [_reason(**verdict) for verdict in verdicts]


def _reason(review: str, review_category: str | None, reviewer: str | None) -> str | None:
    texts = {"keep": None, "reject": "rejected", "mask": "the mask is wrong"}
    text = texts.get(review, f"this is {review_category or 'another category'}")
    return None if text is None else f"review: {text} ({reviewer})"


def _values(verdict: Verdict) -> tuple[str | None, ...]:
    return tuple(getattr(verdict, name) for name in COLUMNS)
