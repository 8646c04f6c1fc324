"""The figure of the offline study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from divergen_records.errors import require_extra
from divergen_records.figures import drawing, short
from divergen_records.files import writing

from .study import StudyReport

__all__ = ["draw_study"]

_COLOURS = ("#33658a", "#2f9e77", "#e09f3e", "#b23a48")


def draw_study(report: StudyReport, path: Path) -> None:
    """The distributions of the contributions, a row for each noise, with their means; the suffix decides the format."""
    with require_extra("divergen-train", "study"):
        from matplotlib.figure import Figure
    values = np.concatenate([split.values for split in report.splits])
    low, high = np.quantile(values, [0.02, 0.98])
    bins = np.linspace(low, high, 61)
    figure = Figure(figsize=(6.4, 1.25 * len(report.splits) + 0.6), layout="constrained")
    axes = figure.subplots(len(report.splits), 1, sharex=True, squeeze=False)[:, 0]
    for index, (axis, split) in enumerate(zip(axes, report.splits, strict=True)):
        colour = _COLOURS[index % len(_COLOURS)]
        axis.hist(np.clip(split.values, low, high), bins, color=colour, alpha=0.8)
        axis.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        axis.axvline(split.mean, color="0.1", linewidth=1.4)
        side = "right" if split.mean > (low + high) / 2 else "left"
        axis.text(
            0.015 if side == "right" else 0.985,
            0.9,
            f"noise {split.noise:g}\nmean {split.mean:.2g}",
            transform=axis.transAxes,
            va="top",
            ha="left" if side == "right" else "right",
            fontsize=9,
        )
        axis.set_yticks([])
        for edge in ("top", "right", "left"):
            axis.spines[edge].set_visible(False)
    relative = " per unit of its loss" if report.config.normalize == "loss" else ""
    axes[-1].set_xlabel(f"contribution of an image{relative} (black: mean; the outermost 2 % at the edges)")
    figure.suptitle(f"{short(report.config.dataset)}: contributions of training images under noise", fontsize=10)
    with drawing(), writing(path, overwrite=True) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=160)
