"""How sure is a difference: intervals over paired seeds, unpaired ones, over images, and how many seeds it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev, variance

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "POWER",
    "detectable",
    "image_interval",
    "mean_and_interval",
    "seeds_for",
    "spread_of_differences",
    "unpaired_interval",
]

LEVEL, POWER = 0.95, 0.8
"""How often an interval holds the truth, and how often a difference of the wanted size is told apart."""

_MOST = 1000
"""Seeds that nobody runs."""


def mean_and_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and half the width of its 95 % interval (Student's t); None for fewer than two values."""
    if len(values) < 2:
        return fmean(values), None
    return fmean(values), _quantile(LEVEL, len(values) - 1) * stdev(values) / math.sqrt(len(values))


def unpaired_interval(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Half the width of the 95 % interval of a difference of means, as if seeds had nothing in common (Welch).

    None for fewer than two values on a side. Where it is wider than the paired one, pairing has paid.
    """
    if min(len(first), len(second)) < 2:
        return None
    parts = [variance(values) / len(values) for values in (first, second)]
    if not sum(parts):
        return 0.0
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
    )
    return _quantile(LEVEL, freedom) * math.sqrt(sum(parts))


def image_interval(
    first: Sequence[NDArray[np.float32]], second: Sequence[NDArray[np.float32]], difference: float
) -> tuple[float, float] | None:
    """95 % interval of a mean difference over other validation images: the basic bootstrap, trainings as they are.

    Args:
        first: Of each seed, a score on resampled images, (resamples,).
        second: The other arm's, on the same resamples of the same seed's images.
        difference: Mean over seeds of second minus first, on the images themselves.

    Returns:
        (low, high); None where fewer than half of the resamples have the score.
    """
    if not first:
        return None
    shortest = min(len(values) for values in (*first, *second))  # releases resampled more or less often
    means = np.mean([b[:shortest] - a[:shortest] for a, b in zip(first, second, strict=True)], axis=0)
    known = means[~np.isnan(means)]
    if 2 * len(known) < len(means):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return 2 * difference - float(high), 2 * difference - float(low)


def spread_of_differences(arms: Sequence[Mapping[int, float]]) -> tuple[float, int] | None:
    """Standard deviation of a paired difference between two arms, pooled over all arms, and its degrees of freedom.

    What is left of a score without its arm's mean and its seed's is noise; a difference has it twice. Pooled because
    two seeds say next to nothing of a single pair.

    Args:
        arms: Seed -> score of each arm; arms may lack seeds.

    Returns:
        None where no degree of freedom is left: fewer than two arms with two seeds.
    """
    cells = [(arm, seed, score) for arm, scores in enumerate(arms) for seed, score in scores.items()]
    if not cells:
        return None
    columns = [np.unique([cell[axis] for cell in cells], return_inverse=True)[1] for axis in (0, 1)]
    design = np.hstack([np.eye(column.max() + 1)[column] for column in columns])
    scores = np.array([score for *_, score in cells])
    fitted, _, rank, _ = np.linalg.lstsq(design, scores, rcond=None)
    freedom = len(cells) - int(rank)
    if freedom < 1:
        return None
    return math.sqrt(2 * float(((scores - design @ fitted) ** 2).sum()) / freedom), freedom


def detectable(spread: float, seeds: int) -> float:
    """Smallest difference that so many paired seeds tell apart, at 95 %, four times in five.

    Args:
        spread: Standard deviation of a paired difference.
        seeds: At least 2.
    """
    return (_quantile(LEVEL, seeds - 1) + _quantile(2 * POWER - 1, seeds - 1)) * spread / math.sqrt(seeds)


def seeds_for(spread: float, difference: float) -> int:
    """Paired seeds from which `detectable` is at most a difference; at most 1,000, at least 2."""
    low, high = 2, _MOST
    while low < high:
        middle = (low + high) // 2
        if detectable(spread, middle) <= difference:
            high = middle
        else:
            low = middle + 1
    return low


def _quantile(level: float, freedom: float) -> float:
    """Of Student's t, two-sided."""
    from scipy.stats import t  # takes a second to load

    return float(t.ppf((1 + level) / 2, freedom))
