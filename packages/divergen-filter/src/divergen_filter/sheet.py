"""A page to look at: what was kept, what was not, and what it looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from divergen_records import ConfigError, DivergenError, InstanceTable
from divergen_records.files import refuse_existing, write_text
from divergen_records.images import encode_image, read_image
from divergen_records.masks import decode_counts
from divergen_records.pages import data_uri, page_end, page_start
from markupsafe import Markup
from numpy.typing import NDArray

from .calibration import rule_thresholds
from .charts import COLOURS, bars, histogram, scatter
from .decision import rule_columns, rule_limits
from .embedder import Image
from .projection import Projection, project
from .references import References
from .rules import RulesConfig
from .scoring import OPTIONAL_SCORES

__all__ = ["write_sheet"]

_THUMB = 112
_POINTS = 1500
"""Real and generated instances in the scatter, at most so many each."""

_SHOWN = ("area_fraction", "border_contact", "components", "mask_score")
_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:24px;color:#222;background:#fff;max-width:1280px}
h1{font-size:22px}h2{font-size:17px;margin:28px 0 8px}h3{font-size:14px;margin:16px 0 4px}
figure{display:inline-block;margin:0 16px 12px 0;vertical-align:top}figcaption{font-size:12px;color:#555}
svg text{font-size:11px;fill:#555}table{border-spacing:8px 1px}td{font-size:12px;white-space:nowrap}
.bar{width:240px;height:10px;background:#eee}.bar div{height:10px;background:#0072b2}
.strip{display:flex;flex-wrap:wrap;gap:6px;align-items:flex-start;margin:4px 0}
.strip b{width:76px;font-size:12px;font-weight:500;color:#555}
.thumb{width:118px;font-size:11px;line-height:1.25;overflow-wrap:anywhere}.thumb img{display:block}
.kept img{border:3px solid #0072b2}.rejected img{border:3px solid #d55e00}.undecided img{border:3px solid #999}
.key span{margin-right:16px}.key i{display:inline-block;width:10px;height:10px;margin-right:4px}
"""


@dataclass(frozen=True)
class _Rows:
    """Light columns of the decided and undecided rows that did not fail."""

    table: pa.Table
    states: list[str]
    limits: dict[str, NDArray[np.float64]]
    score: str

    def numbers(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.table[name].to_numpy(zero_copy_only=False), dtype=np.float64)


_STATES = {True: "kept", False: "rejected", None: "undecided"}


def write_sheet(
    table: InstanceTable,
    path: Path | str,
    *,
    references: References | None = None,
    rules: RulesConfig | None = None,
    score: str = "inter_similarity",
    categories: Sequence[str] = (),
    max_categories: int = 24,
    each: int = 8,
    projection: Projection = "pca",
    overwrite: bool = False,
) -> None:
    """Write one HTML page that stands alone: histograms, shares, a scatter, and pictures of each category.

    Args:
        table: A decided table.
        path: The page.
        references: Real crops' embeddings, for the scatter and calibrated thresholds.
        rules: The rules that decided, for the thresholds.
        score: The score that best, worst and borderline mean.
        categories: Names of the categories to show; where empty, ``max_categories`` from the least to the most kept.
        max_categories: See above.
        each: Pictures of each strip.
        projection: ``"pca"``, or ``"umap"`` with the extra.
        overwrite: Replace the page.

    Raises:
        ConfigError: If the page is there, the score is not in the table, or there is no such category.
    """
    path = Path(path)
    refuse_existing(path, overwrite=overwrite)
    rows = _read(table, references, rules or RulesConfig(), score)
    names = np.array(rows.table["category"].to_pylist(), dtype=object)
    if unknown := sorted(set(categories) - set(names)):
        raise ConfigError(f"{table.path} has no instance of the category {unknown[0]!r}")
    kept = np.array([state == "kept" for state in rows.states])
    chosen = list(categories) or _spread(names, kept, max_categories)
    parts = [
        _head(table, rows),
        Markup("<h2>Scores</h2>"),
        *_histograms(rows),
        Markup("<h2>Kept, by frequency</h2>"),
        bars(_shares(np.array([value or "none" for value in rows.table["frequency"].to_pylist()], dtype=object), kept)),
        Markup("<h2>Real and generated ({})</h2>").format(projection.upper()),
        _scatter(table, rows, references, projection),
        Markup(
            "<h2>Categories</h2><p>The outline is the mask. "
            "Best, borderline and worst by {}; borderline is what lies next to the threshold.</p>"
        ).format(score),
        *(_category(table, rows, name, names == name, each) for name in chosen),
        Markup("<h2>Kept, by category</h2>"),
        bars(_shares(names, kept)),
    ]
    body = Markup("\n").join(parts)
    write_text(path, f"{page_start(table.path.name, _STYLE)}{body}{page_end()}", overwrite=overwrite)


def _read(table: InstanceTable, references: References | None, rules: RulesConfig, score: str) -> _Rows:
    light = ["id", "category", "category_id", "frequency", "kept", "reject_reason"]
    have = table.columns
    asked = dict.fromkeys((score, *rule_columns(rules), *_SHOWN, *OPTIONAL_SCORES))
    scores = [name for name in asked if name in have and name not in light]
    found = table.select([*light, *scores], "error IS NULL")
    if not len(found):
        raise ConfigError(f"{table.path} has no rows to show")
    if score not in scores or found[score].null_count == len(found):
        raise ConfigError(f"no row of {table.path} has the score {score!r}; divergen-filter score writes it")
    thresholds = rule_thresholds(rules, references) or {}
    found = found.select([*light, *(name for name in scores if found[name].null_count < len(found))])
    states = [_STATES[value] for value in found["kept"].to_pylist()]
    return _Rows(found, states, _limits(found, rules, thresholds), score)


def _limits(found: pa.Table, rules: RulesConfig, thresholds: dict[int, float]) -> dict[str, NDArray[np.float64]]:
    """The last rule's threshold of each score, for each row."""
    ids, categories = np.unique(found["category_id"].to_numpy(), return_inverse=True)
    limits = {}
    for rule in rules.rules:
        if rule.score in found.column_names and rule.op != "==":
            values = np.asarray(found[rule.score].to_numpy(zero_copy_only=False), dtype=np.float64)
            everywhere = np.ones(len(values), dtype=bool)
            limits[f"{rule.score} {rule.op}"] = rule_limits(rule, values, ids, categories, everywhere, thresholds)
    return limits


def _head(table: InstanceTable, rows: _Rows) -> Markup:
    states = Counter(rows.states)
    failed = table.count("error IS NOT NULL")
    reasons = Counter(
        (reason.split(":")[0] if ":" in reason else " ".join(reason.split()[:1]))
        for reason in rows.table["reject_reason"].to_pylist()
        if reason
    )
    rejected = max(states["rejected"], 1)
    span = Markup('<span><i style="background:{}"></i>{}</span>')
    return Markup(
        "<h1>{name}: {kept:,} kept of {decided:,}</h1><p>{undecided:,} undecided, {failed:,} failed</p>"
        "<p class=key>{key}</p><h2>Why not</h2>{reasons}"
    ).format(
        name=table.path.name,
        kept=states["kept"],
        decided=states["kept"] + states["rejected"],
        undecided=states["undecided"],
        failed=failed,
        key=Markup().join(span.format(colour, name) for name, colour in COLOURS.items()),
        reasons=bars([(name, count, rejected) for name, count in reasons.most_common()]),
    )


def _histograms(rows: _Rows) -> list[Markup]:
    states = np.array(rows.states)
    charts = []
    for name in rows.table.column_names:
        if not pa.types.is_floating(rows.table[name].type):
            continue
        values = rows.numbers(name)
        groups = {state: values[states == state] for state in ("kept", "rejected", "undecided")}
        shown = {state: found for state, found in groups.items() if len(found)}
        limits = [np.unique(found) for key, found in rows.limits.items() if key.split()[0] == name]
        charts.append(histogram(name, shown, [found.tolist() for found in limits]))
    return charts


def _shares(groups: NDArray[Any], kept: NDArray[np.bool_]) -> list[tuple[str, int, int]]:
    """Name of each group, how many of it are kept, of how many; the least kept first."""
    whole, part = Counter(groups.tolist()), Counter(groups[kept].tolist())
    rows = ((str(name), part[name], count) for name, count in whole.items())
    return sorted(rows, key=lambda row: (row[1] / row[2], row[0]))


def _spread(names: NDArray[Any], kept: NDArray[np.bool_], count: int) -> list[str]:
    """So many categories, evenly from the least to the most kept."""
    found = [name for name, *_ in _shares(names, kept)]
    places = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return [found[place] for place in places]


def _scatter(table: InstanceTable, rows: _Rows, references: References | None, projection: Projection) -> Markup:
    if "embedding" not in table.columns:
        return Markup()
    random = np.random.default_rng(0)
    chosen = np.sort(random.permutation(len(rows.table))[:_POINTS])
    found = table.take([rows.table["id"][int(row)].as_py() for row in chosen], ["embedding"])["embedding"].to_pylist()
    have = [(row, vector) for row, vector in zip(chosen, found, strict=True) if vector is not None]
    vectors = [np.asarray(vector, dtype=np.float32) for _, vector in have]
    groups = [rows.states[int(row)] for row, _ in have]
    names = [str(rows.table["category"][int(row)]) for row, _ in have]
    if references is not None and vectors and references.embeddings.shape[1] == len(vectors[0]):
        labels = dict(zip(rows.table["category_id"].to_pylist(), rows.table["category"].to_pylist(), strict=True))
        some = np.sort(random.permutation(len(references.embeddings))[:_POINTS])
        vectors = [*references.embeddings[some], *vectors]
        groups = ["real"] * len(some) + groups
        ids = references.category_ids[some].tolist()
        names = [f"real {labels.get(key, key)}" for key in ids] + names
    return scatter(project(np.stack(vectors), projection), groups, names) if len(vectors) > 2 else Markup()


def _category(table: InstanceTable, rows: _Rows, name: str, mine: NDArray[np.bool_], each: int) -> Markup:
    values, where = rows.numbers(rows.score), np.flatnonzero(mine)
    where = where[~np.isnan(values[where])] if not np.isnan(values[where]).all() else where
    order = where[np.argsort(-np.nan_to_num(values[where]), kind="stable")]
    limit = next((found for key, found in rows.limits.items() if key.split()[0] == rows.score), None)
    middles = values[order] if limit is None or np.isnan(limit[order]).all() else limit[order]
    middle = float(np.median(middles[~np.isnan(middles)])) if not np.isnan(middles).all() else np.nan
    if len(order) <= 2 * each:
        strips = {"all": order}
    else:
        rest = order[each:-each]
        near = rest[np.argsort(np.abs(values[rest] - middle), kind="stable")][:each]
        strips = {"best": order[:each], "borderline": near[np.argsort(-values[near])], "worst": order[-each:]}
    kept = sum(rows.states[int(row)] == "kept" for row in np.flatnonzero(mine))
    strip = Markup('<div class="strip"><b>{}</b>{}</div>')
    shown = [strip.format(title, _thumbs(table, rows, chosen)) for title, chosen in strips.items()]
    return Markup("<h3>{}: {} of {} kept</h3>{}").format(name, kept, int(mine.sum()), Markup().join(shown))


def _thumbs(table: InstanceTable, rows: _Rows, chosen: NDArray[np.int64]) -> Markup:
    ids = [rows.table["id"][int(row)].as_py() for row in chosen]
    if not ids:
        return Markup()
    thumb = Markup('<div class="thumb {}" title="{}"><img width={side} height={side} src="{}" alt="">{}<br>{}</div>')
    parts = []
    for row, found in zip(chosen.tolist(), table.take(ids, ["id", "image", "mask"]).to_pylist(), strict=True):
        value = rows.table[rows.score][row].as_py()
        reason = rows.table["reject_reason"][row].as_py() or ""
        picture = data_uri(encode_image(_thumb(found), "jpeg", 80), "jpeg")
        number = "" if value is None else f"{value:.3f}"
        parts.append(thumb.format(rows.states[row], found["id"], picture, number, reason, side=_THUMB))
    return Markup().join(parts)


def _thumb(row: dict[str, Any]) -> Image:
    """A small picture with the mask's outline; grey where it cannot be read."""
    square = np.full((_THUMB, _THUMB, 3), 235, dtype=np.uint8)
    try:
        picture = read_image(row["image"])
        mask = decode_counts(row["mask"], *picture.shape[:2])
    except DivergenError:
        return square
    scale = _THUMB / max(picture.shape)
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    outline, _ = cv2.findContours(
        cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(small, outline, -1, (255, 0, 160), 1)
    square[: size[1], : size[0]] = small
    return square
