"""How much better is a model on the images it learned from? The train-val gap per frequency (DiverGen, section 3.1).

TVG = AP on training images - AP on validation images. A large gap says that the training data do not cover what the
validation data show; for rare categories it is the largest, and diverse generated data should make it smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from divergen_evaluate.metrics import Metrics
from divergen_records import Config
from divergen_records.errors import ConfigError

__all__ = ["GROUPS", "GapReport", "GapSet", "train_val_gap"]

GROUPS = ("AP", "APr", "APc", "APf")
"""All categories, and those of each frequency."""

SIGMAS = 3.0
"""Distance from which a difference is no chance."""


class GapSet(Config):
    """The gaps of models that were trained alike, for example with other seeds.

    Attributes:
        name: How they were trained.
        gaps: By group, each model's; None where a model has no such AP.
        mean: By group.
        std: By group, of single models; None for a single one.
        change: Difference of the means to the first set.
        sigmas: That difference in standard errors; None where it cannot be told.
    """

    name: str
    gaps: dict[str, tuple[float | None, ...]]
    mean: dict[str, float | None]
    std: dict[str, float | None]
    change: dict[str, float | None]
    sigmas: dict[str, float | None]

    def clear(self, group: str) -> bool:
        """Whether the gap differs from the first set's by more than three standard errors."""
        distance = self.sigmas[group]
        return distance is not None and abs(distance) > SIGMAS


class GapReport(Config):
    """Train-val gaps of several sets of models.

    Attributes:
        kind: Boxes or masks.
        sets: The first one is what the others are compared with.
    """

    kind: Literal["box", "mask"]
    sets: tuple[GapSet, ...]

    def table(self) -> str:
        """A line for each set, points of AP; an asterisk marks what differs from the first by over three sigma."""
        width = max(len("models"), *(len(one.name) for one in self.sets))
        lines = [f"{'models':<{width}}   n" + "".join(f"{'TVG' + group[2:]:>14}" for group in GROUPS)]
        for one in self.sets:
            cells = "".join(f"{_cell(one, group):>14}" for group in GROUPS)
            lines.append(f"{one.name:<{width}}  {len(one.gaps['AP']):>2}{cells}")
        return "\n".join(lines)


def _cell(one: GapSet, group: str) -> str:
    mean, std = one.mean[group], one.std[group]
    if mean is None:
        return "–"
    spread = "" if std is None else f" ± {100 * std:.1f}"
    return f"{100 * mean:.1f}{spread}{'*' if one.clear(group) else ' '}"


def train_val_gap(
    models: Mapping[str, Sequence[tuple[Metrics, Metrics]]], *, kind: Literal["box", "mask"] = "mask"
) -> GapReport:
    """Train-val gap per frequency, with the three-sigma check over several models.

    Args:
        models: For each way of training, the metrics of each model on training and on validation images. Two or more
            models of a kind tell how much the gap varies by chance, and so whether another kind's gap is another one:
            beyond three standard errors of the difference of the means.
        kind: Whose AP.

    Raises:
        ConfigError: If a set has no model.
    """
    sets: list[GapSet] = []
    for name, pairs in models.items():
        if not pairs:
            raise ConfigError(f"{name}: give at least one pair of metrics, on training and on validation images")
        gaps = {group: tuple(_gap(*pair, kind, group) for pair in pairs) for group in GROUPS}
        mean = {group: _mean(values) for group, values in gaps.items()}
        std = {group: _std(values) for group, values in gaps.items()}
        first = sets[0] if sets else None
        sets.append(
            GapSet(
                name=name,
                gaps=gaps,
                mean=mean,
                std=std,
                change={group: _change(first, mean, group) for group in GROUPS},
                sigmas={group: _sigmas(first, gaps, group) for group in GROUPS},
            )
        )
    if not sets:
        raise ConfigError("there is no model to look at")
    return GapReport(kind=kind, sets=tuple(sets))


def _gap(train: Metrics, val: Metrics, kind: str, group: str) -> float | None:
    seen, unseen = (getattr(getattr(metrics, kind), group) for metrics in (train, val))
    return None if seen is None or unseen is None else float(seen - unseen)


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float | None]) -> float | None:
    known = _known(values)
    return float(np.mean(known)) if known else None


def _std(values: Sequence[float | None]) -> float | None:
    known = _known(values)
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def _change(first: GapSet | None, mean: Mapping[str, float | None], group: str) -> float | None:
    before, after = None if first is None else first.mean[group], mean[group]
    return None if before is None or after is None else after - before


def _sigmas(first: GapSet | None, gaps: Mapping[str, Sequence[float | None]], group: str) -> float | None:
    """Welch's statistic; a set of one model counts as varying like the other."""
    if first is None:
        return None
    ours, theirs = _known(first.gaps[group]), _known(gaps[group])
    spreads = [_std(ours), _std(theirs)]
    if not ours or not theirs or all(spread is None for spread in spreads):
        return None
    known = [spread for spread in spreads if spread is not None]
    before, after = (spread if spread is not None else known[0] for spread in spreads)
    error = (before**2 / len(ours) + after**2 / len(theirs)) ** 0.5
    difference = float(np.mean(theirs) - np.mean(ours))
    return difference / error if error else None
