"""What the arms of an ablation reached: AP by seed, gains paired by seed, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from .statistics import mean_and_interval

__all__ = ["CONTROL", "METRICS", "REAL", "BySeed", "Outcome", "outcome_of", "print_outcomes"]

REAL = "real only"
"""The arm that every ablation has: the same detector without generated instances."""

CONTROL = "copy-paste"
"""The other arm that every ablation has: copies of the training images' own objects, pasted alike."""

METRICS = (("mask", "AP"), ("mask", "APr"), ("mask", "APc"), ("mask", "APf"), ("box", "AP"))


@dataclass(frozen=True)
class Outcome:
    """What an arm reached.

    Attributes:
        arm: Its name.
        values: Metric, for example ``"mask APr"`` -> seed -> AP, 0 to 1.
        gains: The same, minus the arm `REAL` of the same seed.
        beyond: The same, minus the arm `CONTROL` of the same seed.
    """

    arm: str
    values: Mapping[str, Mapping[int, float]]
    gains: Mapping[str, Mapping[int, float]]
    beyond: Mapping[str, Mapping[int, float]]


BySeed = Mapping[int, dict[str, Any] | None]


def outcome_of(arm: str, found: BySeed, real: BySeed, control: BySeed) -> Outcome:
    """What the metrics of an arm, by seed, say beside those of the arms `REAL` and `CONTROL`."""
    values = _values(found)
    return Outcome(
        arm,
        values,
        {} if arm == REAL else _differences(values, _values(real)),
        {} if arm in (REAL, CONTROL) else _differences(values, _values(control)),
    )


def _values(found: BySeed) -> dict[str, dict[int, float]]:
    done = {seed: metrics for seed, metrics in found.items() if metrics}
    return {
        f"{kind} {metric}": {
            seed: metrics[kind][metric] for seed, metrics in done.items() if metrics[kind][metric] is not None
        }
        for kind, metric in METRICS
    }


def _differences(
    values: Mapping[str, Mapping[int, float]], base: Mapping[str, Mapping[int, float]]
) -> dict[str, dict[int, float]]:
    return {
        name: {seed: value - base[name][seed] for seed, value in by_seed.items() if seed in base[name]}
        for name, by_seed in values.items()
    }


def print_outcomes(found: Sequence[Outcome], console: Console) -> None:
    """As tables: AP in percent, and the gains over the real images alone and over copy-paste, paired by seed."""
    names = [f"{kind} {metric}" for kind, metric in METRICS]
    doubtful = False
    for title, attribute in (
        ("LVIS, %", "values"),
        (f"gain over {REAL}, points", "gains"),
        (f"gain over {CONTROL}, points", "beyond"),
    ):
        table = Table(title, *names, "seeds")
        for outcome in found:
            cells = getattr(outcome, attribute)
            if any(cells.values()):
                shown = [_cell(list(cells[name].values()), gain=attribute != "values") for name in names]
                doubtful |= any(cell.endswith(_DOUBTFUL) for cell in shown)
                table.add_row(outcome.arm, *shown, str(max(len(cell) for cell in cells.values())))
        for column in table.columns[1:]:
            column.justify = "right"
        if table.row_count:
            console.print(table)
    if doubtful:
        console.print(f"± 95 % over paired seeds;{_DOUBTFUL} not told apart from no difference")


_DOUBTFUL = " ?"


def _cell(values: Sequence[float], *, gain: bool) -> str:
    if not values:
        return "–"
    mean, half = mean_and_interval([100 * value for value in values])
    text = f"{mean:+.1f}" if gain else f"{mean:.1f}"
    if half is None:
        return text
    return f"{text} ± {half:.1f}" + (_DOUBTFUL if gain and abs(mean) <= half else "")
