"""What looks at all rows of a table at once: the decision, and how alike the generated instances are."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from divergen_records import InstanceTable, Progress, TableError
from divergen_records.storage import asked, reading, take_rows
from numpy.typing import NDArray

from .calibration import calibrate
from .decision import decide, needs_references, rule_columns
from .embedder import Embeddings
from .generated import GENERATED_SCORES, compare_generated
from .references import References
from .rules import Best, RulesConfig
from .similarity import bad_vectors

__all__ = ["DecisionReport", "decide_table", "score_generated"]


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What became of a table's rows.

    Attributes:
        kept: Rows that every rule holds for.
        rejected: Rows with a ``reject_reason``.
        not_ready: Rows without a decision, because they failed before, or a score that the rules look at is NULL.
        lacking: Of the rows that did not fail, those that lack a score: column -> rows.
    """

    kept: int
    rejected: int
    not_ready: int
    lacking: dict[str, int]


def decide_table(
    table: InstanceTable, rules: RulesConfig | None = None, references: References | None = None
) -> DecisionReport:
    """Decide about every row of a table, whatever was decided before; no picture is read.

    Args:
        table: Its columns ``kept`` and ``reject_reason`` are written in one commit.
        rules: What is kept.
        references: Real crops' embeddings; needed where a rule's threshold is calibrated.

    Raises:
        ConfigError: If a rule is calibrated and there are no references.
    """
    rules = rules or RulesConfig()
    thresholds = None
    if references is not None and needs_references(rules):
        thresholds = calibrate(references, **rules.calibration.model_dump()).thresholds()
    scores = rule_columns(rules)
    rows = _rows(table, ["id", "category_id", "error", *scores])
    good = pc.is_null(rows["error"])
    lacking = {name: pc.sum(pc.and_(good, pc.is_null(rows[name]))).as_py() or 0 for name in scores}
    ready = np.asarray(good)
    for name in scores:
        ready &= np.asarray(pc.is_valid(rows[name]))
    chosen = rows.filter(pa.array(ready))
    names = np.asarray(chosen["id"].to_numpy(zero_copy_only=False)) if _has_ties(rules) else None
    columns = {name: chosen[name].to_numpy() for name in ("category_id", *scores)}
    kept, reasons = decide(columns if names is None else {**columns, "id": names}, rules, thresholds=thresholds)
    positions = np.flatnonzero(ready)
    decisions = np.zeros(len(rows), dtype=bool)
    decisions[positions] = kept
    texts = np.full(len(rows), None, dtype=object)
    texts[positions] = reasons
    result = pa.table(
        {
            "id": rows["id"],
            "kept": pa.array(decisions, mask=~ready),
            "reject_reason": pa.array(texts, pa.string()),
        }
    )
    _write(table, rows, result)
    count = int(kept.sum())
    return DecisionReport(count, len(kept) - count, len(rows) - len(kept), {k: v for k, v in lacking.items() if v})


def score_generated(table: InstanceTable, *, again: bool = False, progress: bool = True) -> int:
    """Write how alike the generated instances of each category are: `GENERATED_SCORES`.

    Each category with a row that lacks them is done anew, since a new instance changes the scores of the others. Rows
    whose embedding is not of unit length are left out.

    Args:
        table: Rows with an embedding are compared.
        again: All categories, also those that are done.
        progress: Show progress.

    Returns:
        Number of rows written.

    Raises:
        TableError: If the embeddings are of several models.
    """
    if "embedding" not in table.columns:
        return 0
    rows = _rows(
        table, ["id", "category_id", "embedder", GENERATED_SCORES[0]], "error IS NULL AND embedder IS NOT NULL"
    )
    models = sorted(pc.unique(rows["embedder"]).to_pylist())
    if len(models) > 1:
        raise TableError(f"{table.path}: embeddings of two models cannot be compared: {models[0]} and {models[1]}")
    categories = rows["category_id"].to_numpy()
    pending = np.unique(categories[np.asarray(pc.is_null(rows[GENERATED_SCORES[0]])) | again])
    order = np.argsort(categories, kind="stable")
    starts = np.searchsorted(categories[order], pending)
    ends = np.searchsorted(categories[order], pending, side="right")
    snapshot, addresses = table.snapshot(), rows["_rowaddr"].to_numpy()
    names = np.asarray(rows["id"].to_numpy(zero_copy_only=False))
    parts = []
    with Progress("compare", len(pending), unit="categories") if progress and len(pending) else nullcontext() as bar:
        for start, end in zip(starts, ends, strict=True):
            mine = order[start:end]
            mine = mine[np.argsort(names[mine])]
            with reading(table.path, "embeddings"):
                vectors = take_rows(snapshot, addresses[mine].tolist(), ["embedding"])["embedding"]
            parts.append(_compared(rows, mine, _matrix(vectors)))
            if bar is not None:
                bar.update()
    if not parts:
        return 0
    result = pa.concat_tables(parts)
    _write(table, result, result.drop_columns(["_rowaddr"]))
    return len(result)


def _has_ties(rules: RulesConfig) -> bool:
    return any(isinstance(rule.threshold, Best) for rule in rules.rules)


def _rows(table: InstanceTable, columns: Iterable[str], where: str | None = None) -> pa.Table:
    """Light columns of the rows, with their addresses (fragment << 32 | row)."""
    names = list(dict.fromkeys(columns))
    with reading(table.path, asked(names, where)):
        return table.snapshot().scanner(columns=names, filter=where, with_row_address=True).to_table()


def _write(table: InstanceTable, rows: pa.Table, result: pa.Table) -> None:
    """Commit columns of rows whose addresses ``rows`` has, fragment by fragment, all at once."""
    fragments = rows["_rowaddr"].to_numpy() >> np.uint64(32)
    if (fragments[1:] < fragments[:-1]).any():
        order = np.argsort(fragments, kind="stable")
        fragments, result = fragments[order], result.take(order)
    ordered = result.combine_chunks()  # of many chunks, every slice would be looked for
    found, starts = np.unique(fragments, return_index=True)
    ends = np.append(starts[1:], len(fragments))
    table.update({int(number): ordered[start:end] for number, start, end in zip(found, starts, ends, strict=True)})


def _compared(rows: pa.Table, chosen: NDArray[np.int64], vectors: Embeddings) -> pa.Table:
    """The scores of a category's rows, sorted by id."""
    good = ~bad_vectors(vectors)
    scores = compare_generated(vectors[good])
    arrays = {"id": rows["id"].take(chosen), "_rowaddr": rows["_rowaddr"].take(chosen)}
    for name, values in scores.items():
        full = np.zeros(len(vectors), dtype=np.float32)
        full[good] = values
        arrays[name] = pa.array(full, mask=~good)
    return pa.table(arrays)


def _matrix(column: pa.ChunkedArray) -> Embeddings:
    flat = column.combine_chunks().flatten()
    return np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(len(column), -1)
