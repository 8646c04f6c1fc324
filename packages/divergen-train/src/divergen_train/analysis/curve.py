"""AP on validation images over a training: has it converged, and on which categories?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from divergen_records import Config
from divergen_records.errors import ConfigError

from .gap import GROUPS

__all__ = ["Curve", "CurveReport", "learning_curves"]

_STILL = 0.01
"""Gain in AP over the last half of a training from which it still learns."""


class Curve(Config):
    """One training.

    Attributes:
        name: Its name.
        iterations: Of each evaluation.
        values: By group, AP at each, 0 to 1; None where there is nothing to judge.
        late: By group, AP at the end minus AP in the middle of the training; None where one is missing.
    """

    name: str
    iterations: tuple[int, ...]
    values: dict[str, tuple[float | None, ...]]
    late: dict[str, float | None]

    def verdict(self, group: str) -> str:
        """Whether a group's AP still rose in the second half of the training."""
        gain = self.late[group]
        return "–" if gain is None else "still learns" if gain >= _STILL else "converged"


class CurveReport(Config):
    """Learning curves of several trainings.

    Attributes:
        kind: Boxes or masks.
        curves: One for each training.
    """

    kind: Literal["box", "mask"]
    curves: tuple[Curve, ...]

    def table(self) -> str:
        """The APs in per cent, a line for each evaluation, and a word on each group."""
        lines = []
        for curve in self.curves:
            lines.append(f"{curve.name:<12}" + "".join(f"{group:>14}" for group in GROUPS))
            for place, iteration in enumerate(curve.iterations):
                cells = (curve.values[group][place] for group in GROUPS)
                lines.append(f"{iteration:>12}" + "".join(f"{_percent(cell):>14}" for cell in cells))
            lines.append(f"{'2nd half':<12}" + "".join(f"{curve.verdict(group):>14}" for group in GROUPS))
        return "\n".join(lines)


def learning_curves(
    logs: Mapping[str, Sequence[Mapping[str, Any]]], kind: Literal["box", "mask"] = "mask"
) -> CurveReport:
    """From the logs of trainings that evaluated on their way (``eval_every``).

    Args:
        logs: Name of a training -> lines of its log, as `divergen_train.read_log` gives them.
        kind: Whose AP.

    Raises:
        ConfigError: If a log has fewer than two evaluations.
    """
    return CurveReport(kind=kind, curves=tuple(_curve(name, log, kind) for name, log in logs.items()))


def _curve(name: str, log: Sequence[Mapping[str, Any]], kind: str) -> Curve:
    found = {line["iteration"]: line["metrics"][kind] for line in log if "metrics" in line}
    if len(found) < 2:
        raise ConfigError(
            f"{name}: the log has {len(found)} evaluations, and a curve takes two; "
            "train with validation data and eval_every=N"
        )
    places = sorted(found)
    middle = min(places, key=lambda place: abs(place - places[-1] / 2))
    return Curve(
        name=name,
        iterations=tuple(places),
        values={group: tuple(found[place][group] for place in places) for group in GROUPS},
        late={group: _late(found[middle][group], found[places[-1]][group]) for group in GROUPS},
    )


def _late(middle: float | None, end: float | None) -> float | None:
    return None if middle is None or end is None else end - middle


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
