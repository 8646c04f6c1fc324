"""What looks at all rows of a table at once: the decision, and how alike the generated instances are."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from divergen_records import CommitError, InstanceTable, Progress, TableError
from numpy.typing import NDArray

from .addressed import read_rows, write_rows
from .calibration import rule_thresholds
from .columns import GeneratedColumns
from .decision import decide, rule_columns
from .embedder import Embeddings
from .gathered import gather_embeddings
from .generated import GENERATED_SCORES, compare_generated
from .known import check_rules
from .references import References
from .review.merging import merge_reviews, overrule
from .rules import REAL_SCORES, Best, RulesConfig, idle_rules
from .similarity import bad_vectors

__all__ = ["DecisionReport", "decide_table", "score_generated"]

_DECISION = ("kept", "reject_reason")
_REVIEW = ("review", "review_category", "reviewer", "area_fraction")
_COMMIT_SECONDS = 30.0
_DOUBTFUL = 0.75
"""Share of what a similarity rule judges: from here on its rejections are doubted aloud."""


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What became of a table's rows.

    Attributes:
        kept: Rows that every rule holds for.
        rejected: Rows with a ``reject_reason``.
        not_ready: Rows without a decision, because they failed before, or a score that the rules look at is NULL.
        lacking: Of the rows that did not fail, those that lack a score: column -> rows.
        reviewed: Rows that a person decided about.
        overruled: Of these, those that the rules had decided otherwise.
        failed: Score of a rule -> rows that it rejected, which the rules before it had left.
        unknown: Score against real crops -> decided rows that have none, as there are no such crops.
        doubts: Sentences on rules that cannot do what they are for; see `divergen_filter.rules.idle_rules`.
    """

    kept: int
    rejected: int
    not_ready: int
    lacking: dict[str, int]
    reviewed: int = 0
    overruled: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What each rule rejected, what it could not judge, and a doubt where real crops' threshold rejects most."""
        found = [f"note: {doubt}" for doubt in self.doubts]
        found += [
            f"note: {count:,} have no {score}: the references lack real crops of their category, or of any other"
            for score, count in self.unknown.items()
        ]
        if not self.failed:
            return found
        if not self.kept:
            found.append("note: nothing is kept; divergen-filter sheet shows the pictures beside the rules' scores")
        found.append("rejected by " + ", ".join(f"{score}: {count:,}" for score, count in self.failed.items()))
        last = next(reversed(self.failed))
        left = self.kept + self.failed[last]
        if last == "inter_similarity" and self.failed[last] > _DOUBTFUL * left:
            found.append(
                f"note: inter_similarity rejects {self.failed[last] / left:.0%} of the {left:,} that the other rules "
                "keep. Generated pictures may be less like photographs than these are like each other: look at some "
                "(divergen-filter sheet, review); the default rule, rival_share <= 0.2, asks instead which categories "
                "are nearer"
            )
        return found


def decide_table(
    table: InstanceTable, rules: RulesConfig | None = None, references: References | None = None
) -> DecisionReport:
    """Decide about every row of a table, whatever was decided before; no picture is read.

    Verdicts of people, from the log beside the table, come into its columns first, and overrule the rules unless
    ``rules.reviews`` says otherwise.

    Args:
        table: Its columns ``kept`` and ``reject_reason`` are written in one commit, where they change.
        rules: What is kept.
        references: Real crops' embeddings; needed where a rule's threshold is calibrated.

    Raises:
        ConfigError: If a rule is calibrated and there are no references, or names an unknown column.
    """
    rules = rules or RulesConfig()
    check_rules(rules, table)
    thresholds = rule_thresholds(rules, references)
    merge_reviews(table)
    scores, have = rule_columns(rules), set(table.columns)
    extra = ("rule_kept", *_REVIEW) if "review" in have else ()
    rows = read_rows(
        table, ["id", "category_id", "error", *_DECISION, *extra, *(name for name in scores if name in have)]
    )
    for name in set(scores) - have:  # nothing has written it yet
        rows = rows.append_column(name, pa.nulls(len(rows), pa.float32()))
    good = pc.is_null(rows["error"])
    lacking = {name: pc.sum(pc.and_(good, pc.is_null(rows[name]))).as_py() or 0 for name in scores}
    kept, texts, ready = _by_rules(rows, rules, thresholds)
    columns, said, overruled = {}, np.zeros(len(rows), dtype=bool), 0
    if extra:
        alone, by_rules = kept.copy(), ready.copy()
        if rules.reviews != "ignore":
            said, overruled = overrule(kept, texts, ready, rows, require=rules.reviews == "require")
            ready = ready | said
        columns["rule_kept"] = pa.array(alone, mask=~(by_rules & np.asarray(pc.is_valid(rows["review"]))))
    columns |= {"kept": pa.array(kept, mask=~ready), "reject_reason": pa.array(texts, pa.string())}
    before = rows.select(list(columns)).combine_chunks()
    write_rows(table, rows["_rowaddr"], pa.table({"id": rows["id"], **columns}), before=before)
    count, decided = int(kept.sum()), int(ready.sum())
    return DecisionReport(
        count,
        decided - count,
        len(rows) - decided,
        {name: number for name, number in lacking.items() if number},
        int(said.sum()),
        overruled,
        _failed(columns["reject_reason"].filter(columns["kept"].is_valid()), rules),
        _unknown(rows.filter(pa.array(ready)), rules),
        idle_rules(rules),
    )


def _failed(reasons: pa.Array, rules: RulesConfig) -> dict[str, int]:
    """Score -> rows, in the rules' order: a reason begins with the score's name."""
    firsts = pc.list_element(pc.split_pattern(reasons.drop_null(), " ", max_splits=1), 0)
    counts = {row["values"]: row["counts"] for row in pc.value_counts(firsts).to_pylist()}
    return {score: counts[score] for score in rule_columns(rules) if score in counts}


def _unknown(rows: pa.Table, rules: RulesConfig) -> dict[str, int]:
    """Score against real crops -> rows where it is not a number."""
    counts = {name: pc.sum(pc.is_nan(rows[name])).as_py() or 0 for name in rule_columns(rules) if name in REAL_SCORES}
    return {name: count for name, count in counts.items() if count}


def _by_rules(
    rows: pa.Table, rules: RulesConfig, thresholds: dict[int, float] | None
) -> tuple[NDArray[np.bool_], NDArray[Any], NDArray[np.bool_]]:
    """What the rules alone say of all rows (N,): kept, why not, and whether they could decide."""
    scores = rule_columns(rules)
    ready = np.asarray(pc.is_null(rows["error"]))
    for name in scores:
        ready = ready & np.asarray(pc.is_valid(rows[name]))
    chosen = rows.filter(pa.array(ready))
    columns = {name: chosen[name].to_numpy() for name in ("category_id", *scores)}
    if any(isinstance(rule.threshold, Best) for rule in rules.rules):  # they may have ties
        columns["id"] = np.asarray(chosen["id"].to_numpy(zero_copy_only=False))
    found, reasons = decide(columns, rules, thresholds=thresholds)
    kept, texts = np.zeros(len(rows), dtype=bool), np.full(len(rows), None, dtype=object)
    kept[ready], texts[ready] = found, reasons
    return kept, texts, ready


def score_generated(table: InstanceTable, *, again: bool = False, progress: bool = True) -> int:
    """Write how alike the generated instances of each category are: `GENERATED_SCORES`.

    Each category with a row that lacks them is done anew, since a new instance changes the scores of the others; it
    is committed whole, every half minute and when the work is interrupted, so that the next call goes on. Rows whose
    embedding is not of unit length are left out. The embeddings are read in one scan.

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
    table.ensure_columns(GeneratedColumns)
    snapshot = table.snapshot()
    rows = read_rows(
        table,
        ["id", "category_id", "embedder", GENERATED_SCORES[0]],
        "error IS NULL AND embedder IS NOT NULL",
        snapshot,
    )
    models = sorted(pc.unique(rows["embedder"]).to_pylist())
    if len(models) > 1:
        raise TableError(f"{table.path}: embeddings of two models cannot be compared: {models[0]} and {models[1]}")
    categories = rows["category_id"].to_numpy()
    pending = np.unique(categories[np.asarray(pc.is_null(rows[GENERATED_SCORES[0]])) | again])
    if not len(pending):
        return 0
    order = pc.sort_indices(rows, [("category_id", "ascending"), ("id", "ascending")]).to_numpy()
    order = order[np.isin(categories[order], pending)]
    vectors = gather_embeddings(snapshot, table.path, rows["_rowaddr"].to_numpy()[order])
    starts = np.searchsorted(categories[order], pending)
    writer = _Writer(table)
    shown = Progress("compare", len(pending), unit="categories") if progress else nullcontext()
    with shown as bar, writer:
        for start, end in pairwise([*starts.tolist(), len(order)]):
            writer.add(_compared(rows, order[start:end], vectors[start:end]))
            if bar is not None:
                bar.update()
    return writer.rows


class _Writer:
    """Commits finished categories every `_COMMIT_SECONDS`, and on the way out, also when something was raised."""

    def __init__(self, table: InstanceTable) -> None:
        self.table, self.rows = table, 0
        self._parts: list[pa.Table] = []
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not issubclass(kind, CommitError):
            self._commit()

    def add(self, part: pa.Table) -> None:
        self._parts.append(part)
        if time.monotonic() - self._last >= _COMMIT_SECONDS:
            self._commit()

    def _commit(self) -> None:
        if self._parts:
            result = pa.concat_tables(self._parts)
            write_rows(self.table, result["_rowaddr"], result.drop_columns(["_rowaddr"]))
            self.rows += len(result)
        self._parts, self._last = [], time.monotonic()


def _compared(rows: pa.Table, chosen: NDArray[np.int64], vectors: Embeddings) -> pa.Table:
    """The scores of a category's rows, sorted by id."""
    good = ~bad_vectors(vectors)
    scores = compare_generated(vectors if good.all() else vectors[good])
    arrays = {"id": rows["id"].take(chosen), "_rowaddr": rows["_rowaddr"].take(chosen)}
    for name, values in scores.items():
        full = np.zeros(len(vectors), dtype=np.float32)
        full[good] = values
        arrays[name] = pa.array(full, mask=~good)
    return pa.table(arrays)
