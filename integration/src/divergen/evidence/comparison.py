"""Each arm of an ablation against each other one: by how much, how sure, and which are not told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from rich.console import Console
from rich.table import Table

from .outcomes import CONTROL, METRICS, REAL, Outcome
from .resampled import ImageScores
from .statistics import image_interval, mean_and_interval, unpaired_interval

__all__ = ["NOT_RUN", "NOT_TOLD_APART", "Comparison", "compare", "print_comparisons"]

NOT_RUN = "not run"
NOT_TOLD_APART = "not told apart"

_SHOWN = ("mask AP", "mask APr")


@dataclass(frozen=True)
class Comparison:
    """An arm against another.

    Attributes:
        first: The arm that is compared with.
        second: The arm.
        metric: For example ``"mask APr"``.
        seeds: Seeds that both have.
        difference: Mean over these of second minus first, 0 to 1.
        paired: Half the width of its 95 % interval over paired seeds; None for one seed.
        unpaired: The same as if the seeds had nothing in common.
        images: Its 95 % interval over validation images, trainings as they are; None where it was not resampled.
    """

    first: str
    second: str
    metric: str
    seeds: tuple[int, ...]
    difference: float
    paired: float | None
    unpaired: float | None
    images: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or that they are not told apart: all intervals that there are must leave out 0."""
        if self.paired is None or abs(self.difference) <= self.paired:
            return NOT_TOLD_APART
        if self.images is not None and self.images[0] <= 0 <= self.images[1]:
            return NOT_TOLD_APART
        return "better" if self.difference > 0 else "worse"


Scores = Mapping[str, Mapping[int, ImageScores]]
"""Arm -> seed -> scores on resampled images."""


def compare(found: Sequence[Outcome], scores: Scores) -> list[Comparison]:
    """Every arm against every one before it, by every metric; pairs without a common seed are left out.

    Args:
        found: The arms, `REAL` and `CONTROL` first.
        scores: Of the arms on resampled images, as far as they were computed.
    """
    names = [f"{kind} {metric}" for kind, metric in METRICS]
    pairs = [_compare(first, second, name, scores) for first, second in combinations(found, 2) for name in names]
    return [pair for pair in pairs if pair is not None]


def _compare(first: Outcome, second: Outcome, metric: str, scores: Scores) -> Comparison | None:
    before, after = first.values[metric], second.values[metric]
    seeds = sorted(before.keys() & after.keys())
    if not seeds:
        return None
    difference, paired = mean_and_interval([after[seed] - before[seed] for seed in seeds])
    images = [[scores.get(arm.arm, {}).get(seed, {}).get(metric) for seed in seeds] for arm in (first, second)]
    known = not any(one is None for arm in images for one in arm)
    return Comparison(
        first.arm,
        second.arm,
        metric,
        tuple(seeds),
        difference,
        paired,
        unpaired_interval([before[seed] for seed in seeds], [after[seed] for seed in seeds]),
        image_interval(*_columns(images), difference) if known else None,
    )


def _columns(images: Sequence[Sequence[Any]]) -> tuple[list[Any], list[Any]]:
    first, second = images
    return list(first), list(second)


def print_comparisons(found: Sequence[Comparison], console: Console) -> None:
    """Arms against real images, copy-paste and the first arm, in points; then all pairs that are not told apart."""
    others = [pair.second for pair in found if pair.second not in (REAL, CONTROL)]
    references = (REAL, CONTROL, *others[:1])
    for metric in _SHOWN:
        rows = [pair for pair in found if pair.metric == metric and pair.first in references]
        if rows:
            console.print(_table(metric, rows))
    unclear = [pair for pair in found if pair.metric == _SHOWN[0] and pair.verdict == NOT_TOLD_APART]
    if unclear:
        listed = "; ".join(f"{pair.second} / {pair.first}" for pair in unclear)
        console.print(f"{NOT_TOLD_APART} by {_SHOWN[0]}: {listed}", soft_wrap=True)


def _table(metric: str, rows: Iterable[Comparison]) -> Table:
    heads = ("", "", "paired", "unpaired", "over images", "seeds", "")
    title = f"difference in {metric}, points"
    table = Table(*heads, title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for pair in rows:
        ends = "–" if pair.images is None else f"{100 * pair.images[0]:+.1f} to {100 * pair.images[1]:+.1f}"
        table.add_row(
            f"{pair.second} over {pair.first}",
            f"{100 * pair.difference:+.1f}",
            _half(pair.paired),
            _half(pair.unpaired),
            ends,
            str(len(pair.seeds)),
            pair.verdict,
        )
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True  # a terminal of 80 columns breaks names only
    return table


def _half(value: float | None) -> str:
    return "–" if value is None else f"± {100 * value:.1f}"
