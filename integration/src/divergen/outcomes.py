"""What the arms of an ablation reached: AP by seed, gains paired by seed, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["METRICS", "REAL", "Outcome", "mean_and_interval", "outcome_of", "print_outcomes"]

REAL = "real only"
"""The arm that every ablation has: the same detector without generated instances."""

METRICS = (("mask", "AP"), ("mask", "APr"), ("mask", "APc"), ("mask", "APf"), ("box", "AP"))


@dataclass(frozen=True)
class Outcome:
    """What an arm reached.

    Attributes:
        arm: Its name.
        values: Metric, for example ``"mask APr"`` -> seed -> AP, 0 to 1.
        gains: The same, minus the arm `REAL` of the same seed.
    """

    arm: str
    values: Mapping[str, Mapping[int, float]]
    gains: Mapping[str, Mapping[int, float]]


def outcome_of(
    arm: str, found: Mapping[int, dict[str, Any] | None], real: Mapping[int, dict[str, Any] | None]
) -> Outcome:
    """What the metrics of an arm, by seed, say beside those of the arm `REAL`."""
    values: dict[str, dict[int, float]] = {}
    gains: dict[str, dict[int, float]] = {}
    for kind, metric in METRICS:
        name = f"{kind} {metric}"
        values[name], gains[name] = {}, {}
        for seed, metrics in found.items():
            value = metrics[kind][metric] if metrics else None
            before = real[seed]
            base = before[kind][metric] if before else None
            if value is not None:
                values[name][seed] = value
                if base is not None and arm != REAL:
                    gains[name][seed] = value - base
    return Outcome(arm, values, gains)


def mean_and_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and half the width of its 95 % interval over seeds (Student's t); None for fewer than two."""
    if len(values) < 2:
        return fmean(values), None
    from scipy.stats import t  # takes a second to load

    quantile = float(t.ppf(0.975, len(values) - 1))
    return fmean(values), quantile * stdev(values) / math.sqrt(len(values))


def print_outcomes(found: Sequence[Outcome], console: Console) -> None:
    """As tables: AP in percent, and the gain over the real images alone, paired by seed."""
    for title, attribute in (("LVIS, %", "values"), (f"gain over {REAL}, points", "gains")):
        names = [f"{kind} {metric}" for kind, metric in METRICS]
        table = Table(title, *names, "seeds")
        for outcome in found:
            cells = getattr(outcome, attribute)
            if any(cells.values()):
                seeds = max(len(cell) for cell in cells.values())
                table.add_row(outcome.arm, *(_cell(list(cells[name].values())) for name in names), str(seeds))
        for column in table.columns[1:]:
            column.justify = "right"
        if table.row_count:
            console.print(table)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    mean, half = mean_and_interval([100 * value for value in values])
    return f"{mean:.1f}" + (f" ± {half:.1f}" if half is not None else "")
