"""The figures of the analysis; the file's suffix, .png or .svg, decides the format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records.errors import require_extra
from divergen_records.figures import drawing, short
from divergen_records.files import writing

from .curve import CurveReport
from .energy import EnergyReport
from .gap import GROUPS, GapReport
from .maps import EmbeddingMap

__all__ = ["draw_curves", "draw_energies", "draw_gaps", "draw_map"]

_COLOURS = ("#33658a", "#e09f3e", "#2f9e77", "#b23a48", "#7a5195", "#5c6b73")
_GROUP_NAMES = ("all", "rare", "common", "frequent")


def draw_energies(report: EnergyReport, path: Path) -> None:
    """A histogram of each data set, as share of its objects, with its mean."""
    with _figure(path, 7.0, 3.8) as figure:
        axis = figure.subplots()
        edges = np.array(report.edges)
        for index, group in enumerate(report.groups):
            colour = _COLOURS[index % len(_COLOURS)]
            share = np.array(group.histogram) / group.objects
            label = f"{group.name} ({group.objects:,} objects, mean {group.mean:.2f})"
            axis.stairs(share, edges, fill=True, color=colour, alpha=0.25)
            axis.stairs(share, edges, color=colour, linewidth=1.4, label=label)
            axis.axvline(group.mean, color=colour, linestyle="--", linewidth=1.2)
        axis.set_xlabel(f"free energy of the logits, t = {report.temperature:g}   (left: familiar)")
        axis.set_ylabel("share of objects")
        axis.legend(frameon=False, fontsize=9)
        _finish(axis)


def draw_gaps(report: GapReport, path: Path) -> None:
    """A group of bars for each frequency, with three standard deviations of single models as whiskers."""
    with _figure(path, 7.0, 3.6) as figure:
        axis = figure.subplots()
        width = 0.8 / len(report.sets)
        for index, one in enumerate(report.sets):
            colour = _COLOURS[index % len(_COLOURS)]
            places = np.arange(len(GROUPS)) + (index - (len(report.sets) - 1) / 2) * width
            means = [100 * (one.mean[group] or 0) for group in GROUPS]
            label = f"{short(one.name)} (n = {len(one.gaps['AP'])})"
            axis.bar(places, means, width * 0.92, color=colour, alpha=0.85, label=label)
            for place, group in zip(places, GROUPS, strict=True):
                mean, std = one.mean[group], one.std[group]
                if mean is None:
                    axis.annotate("–", (place, 0), ha="center", va="bottom")
                    continue
                if std is not None:
                    axis.errorbar(place, 100 * mean, 300 * std, color="0.25", capsize=3, linewidth=1)
                if one.clear(group):
                    top = 100 * (mean + 3 * (std or 0))
                    axis.annotate("*", (place, top), ha="center", va="bottom", fontsize=13)
        axis.axhline(0, color="0.4", linewidth=0.8)
        axis.set_xticks(range(len(GROUPS)), _GROUP_NAMES)
        axis.set_ylabel(f"train–val gap, {report.kind} AP points")
        axis.margins(y=0.12)
        axis.legend(frameon=False, fontsize=9)
        _finish(axis)


def draw_curves(report: CurveReport, path: Path) -> None:
    """A panel for each training, a line for each frequency."""
    with _figure(path, 1.2 + 4.2 * len(report.curves), 3.6) as figure:
        panels = figure.subplots(1, len(report.curves), sharey=True, squeeze=False)[0]
        for axis, curve in zip(panels, report.curves, strict=True):
            for index, (group, label) in enumerate(zip(GROUPS, _GROUP_NAMES, strict=True)):
                values = [np.nan if value is None else 100 * value for value in curve.values[group]]
                axis.plot(curve.iterations, values, "o-", color=_COLOURS[index], label=label, markersize=3)
            axis.set_title(short(curve.name), fontsize=10)
            axis.set_xlabel("iteration")
            _finish(axis)
        panels[0].set_ylabel(f"{report.kind} AP on validation images, %")
        lines, labels = panels[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside right center", frameon=False, fontsize=9)


def draw_map(report: EmbeddingMap, path: Path) -> None:
    """The points of each data set, and its mean."""
    with _figure(path, 6.4, 5.2) as figure:
        axis = figure.subplots()
        size = float(np.clip(4000 / max(sum(len(one.points) for one in report.sets), 1), 3, 22))
        for index, one in enumerate(report.sets):
            colour, points = _COLOURS[index % len(_COLOURS)], np.array(one.points)
            label = f"{short(one.name)} ({len(points):,}, spread {one.spread:.2f})"
            axis.scatter(points[:, 0], points[:, 1], size, color=colour, alpha=0.5, linewidths=0, label=label)
        for index, one in enumerate(report.sets):
            x, y = np.array(one.points).mean(axis=0)
            colour = _COLOURS[index % len(_COLOURS)]
            axis.scatter(x, y, 130, marker="X", color=colour, edgecolors="white", linewidths=1.5)
        shown = "" if report.explained is None else f", {100 * report.explained:.0f} % of the variance"
        axis.set_title(f"{report.method.upper()}{shown}", fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.legend(frameon=False, fontsize=9, markerscale=1.6)
        _finish(axis)


@contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """A figure to draw on, in inches; it is written when the block ends."""
    with require_extra("divergen-train", "analysis"):
        from matplotlib.figure import Figure
    with drawing():
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with writing(path, overwrite=True) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=150)


def _finish(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
