"""The report's plots, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records.figures import drawing, short

from ..feedback import group_feedback

if TYPE_CHECKING:
    from divergen_records import InstanceTable
    from matplotlib.axes import Axes

    from ..feedback import GroupFeedback

__all__ = [
    "acceptance_per_category",
    "choice_per_group",
    "kept_per_category",
    "loss_curves",
    "similarity_histogram",
    "without_similarity",
]

_METADATA = ("Creator", "Date", "Format", "Type")
"""What Matplotlib would write into the SVG, with links; the report has none."""

KEPT, REJECTED, GREY = "#22a054", "#d64541", "#667085"
_FREQUENCIES = {"r": "#f26430", "c": "#5b8def", "f": GREY}


def similarity_histogram(table: InstanceTable) -> str | None:
    """Inter-similarity of accepted and rejected instances; None where nothing is scored."""
    if "inter_similarity" not in table.columns:
        return None
    rows = table.select(["inter_similarity", "kept"], where="inter_similarity IS NOT NULL AND kept IS NOT NULL")
    if not len(rows):
        return None
    scores, kept = rows["inter_similarity"].to_numpy(), rows["kept"].to_numpy()
    scores, kept = scores[~np.isnan(scores)], kept[~np.isnan(scores)]  # categories without real crops
    with _figure(7, 2.6) as (axes, done):
        edges = 40
        axes.hist([scores[kept], scores[~kept]], bins=edges, stacked=True, color=[KEPT, REJECTED], rwidth=0.92)
        axes.legend([f"kept ({kept.sum():,})", f"rejected ({(~kept).sum():,})"], frameon=False)
        axes.set_xlabel("inter-similarity: mean cosine to the category's real crops")
        axes.set_ylabel("instances")
    return done[0]


def without_similarity(table: InstanceTable) -> tuple[int, int]:
    """Kept and rejected instances that the histogram does not show: of categories without real crops, or not scored."""
    if "inter_similarity" not in table.columns:
        return 0, 0
    kinds = table.group_counts(
        {"kept": "kept", "shown": "inter_similarity IS NOT NULL AND NOT isnan(inter_similarity)"}, "kept IS NOT NULL"
    )
    missing = {group["kept"]: group["count"] for group in kinds if not group["shown"]}
    return missing.get(True, 0), missing.get(False, 0)


def kept_per_category(table: InstanceTable) -> str | None:
    """Share of instances kept, per category; None where nothing is decided."""
    groups = table.group_counts(["category", "kept"], where="kept IS NOT NULL")
    totals: dict[str, list[int]] = {}
    for group in groups:
        totals.setdefault(group["category"], [0, 0])[bool(group["kept"])] += group["count"]
    if not totals:
        return None
    shares = {name: kept / (kept + rejected) for name, (rejected, kept) in totals.items()}
    return _bar_per_category(shares, dict.fromkeys(shares, KEPT), "share kept")


def choice_per_group(feedback: Sequence[GroupFeedback]) -> str | None:
    """How often a training drew each group, or which share of judgements it accepted; None where nothing was judged."""
    drawn = [row.drawn for row in feedback if row.drawn is not None]
    accepted = [100 * row.acceptance for row in feedback if row.acceptance is not None]
    if not drawn and not accepted:
        return None
    with _figure(7, 0.6 + 0.24 * len(feedback)) as (axes, done):
        axes.barh(range(len(feedback)), drawn or accepted, color=KEPT, height=0.7)
        axes.set_yticks(range(len(feedback)), [short(row.group) for row in feedback])
        axes.invert_yaxis()
        axes.set_xlabel("drawn at the end, 1 = average of the category" if drawn else "accepted, % of judgements")
    return done[0]


def acceptance_per_category(table: InstanceTable) -> str | None:
    """Share accepted of each category, coloured by frequency; None where nothing was accepted or rejected."""
    rows = [row for row in group_feedback(table, ["category"]) if row.acceptance is not None]
    if not rows:
        return None
    frequencies = {row["category"]: row["frequency"] for row in table.group_counts(["category", "frequency"])}
    shares = {row.group.removeprefix("category "): row.acceptance or 0.0 for row in rows}
    colours = {name: _FREQUENCIES.get(frequencies[name], GREY) for name in shares}
    legend = {colour: name for name, colour in _FREQUENCIES.items() if colour in colours.values()}
    return _bar_per_category(shares, colours, "share accepted", legend)


def _bar_per_category(
    shares: Mapping[str, float], colours: Mapping[str, str], label: str, legend: Mapping[str, str] | None = None
) -> str:
    names = sorted(shares, key=lambda name: shares[name])
    with _figure(max(5.0, 0.2 * len(names)), 2.6) as (axes, done):
        bars = axes.bar(range(len(names)), [shares[name] for name in names], width=0.8)
        for bar, name in zip(bars, names, strict=True):
            bar.set_color(colours[name])
        axes.set_xticks(
            range(len(names)), [short(name.replace("_", " "), 28) for name in names], rotation=90, fontsize=7
        )
        axes.set_ylim(0, 1)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_ylabel(label)
        if legend:
            first = {colours[name]: bar for bar, name in zip(bars, names, strict=True)}
            axes.legend([first[colour] for colour in legend], list(legend.values()), frameon=False, ncols=3)
    return done[0]


def loss_curves(logs: dict[str, Sequence[dict[str, Any]]], smooth: int = 10) -> str | None:
    """Training loss over iterations, one line per training; None where there is no log."""
    if not any(logs.values()):
        return None
    with _figure(7, 2.4) as (axes, done):
        for (name, log), colour in zip(logs.items(), (GREY, "#3a86c8", "#f26430"), strict=False):
            losses = [row["loss"] for row in log]
            means = [sum(losses[max(i - smooth + 1, 0) : i + 1]) / min(i + 1, smooth) for i in range(len(losses))]
            axes.plot([row["iteration"] for row in log], means, label=name, color=colour, linewidth=1.6)
        axes.legend(frameon=False)
        axes.set_xlabel("iteration")
        axes.set_ylabel("loss")
    return done[0]


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on, and a list that holds the SVG afterwards."""
    from matplotlib.figure import Figure

    done: list[str] = []
    with drawing(svg_fonttype="none", svg_hashsalt="divergen", font_family="sans-serif", font_size=9):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        yield axes, done
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    done.append(text.getvalue()[text.getvalue().index("<svg") :])
