"""Empirical Bayes over nested groups: what little is known of one is drawn towards what is known of its group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["between_variance", "shrink"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def between_variance(values: Floats, variances: Floats, groups: Labels) -> float:
    """How much true values differ within groups, by the method of moments (DerSimonian and Laird, 1986).

    Args:
        values: (n,) estimates; those with infinite variance say nothing.
        variances: (n,) of their errors.
        groups: (n,) group of each, from 0.
    """
    weights = 1 / variances
    total = np.bincount(groups, weights)
    known = np.bincount(groups, weights > 0) > 0
    means, _ = _pooled(values, variances, groups, len(total))
    freedom = int((weights > 0).sum() - known.sum())
    if freedom < 1:
        return 0.0
    spread = float((weights * (values - means[groups]) ** 2).sum())
    squares = np.bincount(groups, weights**2)
    scale = float(weights.sum() - (squares[known] / total[known]).sum())
    return max(0.0, (spread - freedom) / scale)


def shrink(values: Floats, variances: Floats, parents: Sequence[Labels]) -> tuple[Floats, Floats]:
    """Best guesses of true values from noisy ones, and their variances, both (n,).

    Each level's true values scatter around those of the level above by a variance that the data tell. So where groups
    do not differ they tell nothing of their members, and where a member was never seen its group speaks for it.

    Args:
        values: (n,) estimates of the members.
        variances: (n,) of their errors, infinite for a member that was not seen.
        parents: Group of each member, from 0; then group of each of those groups, and so on to the coarsest.
    """
    levels = [(values, variances)]
    between = []
    for groups in parents:
        finer, errors = levels[-1]
        between.append(between_variance(finer, errors, groups))
        levels.append(_pooled(finer, errors + between[-1], groups, int(groups.max()) + 1))
    top, errors = levels[-1]
    between.append(between_variance(top, errors, np.zeros(len(top), np.int64)))
    centre, known = _pooled(top, errors + between[-1], np.zeros(len(top), np.int64), 1)
    guess, doubt = np.full(len(top), centre[0]), np.full(len(top), known[0] if np.isfinite(known[0]) else 0.0)
    for (level, errors), spread, above in zip(
        reversed(levels), reversed(between), [np.arange(len(top)), *reversed(parents)], strict=True
    ):
        trust = np.divide(spread, spread + errors, out=np.zeros(len(level)), where=np.isfinite(errors) & (spread > 0))
        prior, known = guess[above], np.isfinite(errors)
        guess = prior + trust * (np.where(known, level, 0) - np.where(known, prior, 0))
        doubt = (1 - trust) ** 2 * doubt[above] + (1 - trust) * spread
    return guess, doubt


def _pooled(values: Floats, variances: Floats, groups: Labels, count: int) -> tuple[Floats, Floats]:
    """Mean of each group by precision, (count,), 0 where nothing is known, and its variance, infinite there."""
    weights = 1 / variances
    total = np.bincount(groups, weights, count)
    summed = np.bincount(groups, weights * np.where(weights > 0, values, 0), count)
    means = np.divide(summed, total, out=np.zeros(count), where=total > 0)
    return means, np.divide(1, total, out=np.full(count, np.inf), where=total > 0)
