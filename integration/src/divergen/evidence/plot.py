"""What the arms of an ablation reached, as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records.figures import drawing, short

from ..report.figures import GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .outcomes import Outcome

__all__ = ["ablation_plot", "findings_plot"]


def ablation_plot(question: str, outcomes: Sequence[Outcome]) -> bytes:
    """AP and APr of each arm as PNG: a dot per seed, a bar at the mean."""
    data = io.BytesIO()
    with drawing():
        figure = _draw(question, [outcome for outcome in outcomes if any(outcome.values.values())])
        figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()


def findings_plot(asked: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Difference of each finding in mask AP as PNG: thick over paired seeds, thin over images; grey where it is open.

    Args:
        asked: As `divergen.evidence.results.asked` gives it.
    """
    from matplotlib.figure import Figure

    data = io.BytesIO()
    with drawing():
        figure = Figure(figsize=(8, 1.2 + 0.4 * len(asked)), layout="constrained", dpi=120)
        axes = figure.subplots()
        for place, pair in enumerate(asked.values()):
            middle, half = 100 * pair["difference"], 100 * pair["paired"]
            colour = {"better": "#22a054", "worse": "#d64541"}.get(pair["verdict"], GREY)
            axes.plot([middle - half, middle + half], [place, place], color=colour, linewidth=4, alpha=0.5)
            if pair["images"] is not None:
                axes.plot([100 * end for end in pair["images"]], [place, place], color=colour, linewidth=1.2)
            axes.plot(middle, place, "o", color=colour, markersize=6)
        axes.axvline(0, color="0.4", linewidth=0.8)
        told = [pair for pair in asked.values() if len(pair["seeds"]) > 2] or [*asked.values()]
        reach = 110 * max((abs(pair["difference"]) + pair["paired"] for pair in told), default=0) or 1
        axes.set_xlim(-reach, reach)  # that of two seeds may be any length, and leaves the figure
        axes.margins(y=1 / (len(asked) + 1))
        axes.set_yticks(range(len(asked)), [f"{short(name)} (n = {len(row['seeds'])})" for name, row in asked.items()])
        axes.invert_yaxis()
        axes.set_xlabel("mask AP, points")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()


def _draw(question: str, shown: Sequence[Outcome]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.4 + 0.42 * len(shown)), layout="constrained", dpi=120)
    figure.suptitle(short(question, 100), fontsize=11)
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("mask AP", "mask APr"), strict=True):
        for place, outcome in enumerate(shown):
            values = [100 * value for value in outcome.values[metric].values()]
            axes.barh(place, np.mean(values) if values else 0, color="#dfe4ec", height=0.62)
            axes.plot(values, [place] * len(values), "o", color="#f26430" if place else GREY, markersize=5, alpha=0.8)
        axes.set_yticks(range(len(shown)), [short(outcome.arm) for outcome in shown])
        axes.invert_yaxis() if metric == "mask AP" else None
        axes.set_xlabel(f"LVIS {metric}, %")
        axes.spines[["top", "right"]].set_visible(False)
    return figure
