"""What is believed of each generated instance from all that was judged so far, and how often it is drawn for that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .draws import Candidates
from .shrinkage import shrink

__all__ = ["Belief"]

_ROUNDS = 4
"""Category means and beliefs depend on each other; after so many rounds they hardly change."""

_INDIFFERENT = 0.1
"""Differences that are small beside this share of a single judgement's noise do not matter."""

_ENOUGH = 10
"""Instances judged several times that tell the noise of a judgement."""

_LEAST_NOISE = 1e-12

_PRIOR = 0.5
"""Of a score from elsewhere where nothing is known: a standard deviation of it counts as half of one of belief."""

_SLOPE = 2.0
"""Steepness of the weights: one standard deviation below the average is drawn 0.14 times as often as one above."""


class Belief:
    """Contributions pooled over generator, generator and prompt source, and instance.

    A single estimate says little of an instance; some sixty of one generator say a lot of the generator. Contributions
    are compared within categories only, and on a logarithmic scale with their sign: a few are ten times the others.

    Args:
        candidates: What may be drawn.
        half_life: Steps after which a judgement counts half: the judge learns, and its old verdicts are worth less.
        floor: Smallest weight, as a share of the category's largest: what is believed harmful is still looked at.
        prior: (N,) scores, the higher the better, NaN where unknown: they count as far as nothing is known yet.
    """

    def __init__(
        self,
        candidates: Candidates,
        *,
        half_life: float,
        floor: float = 0.02,
        prior: NDArray[np.float64] | None = None,
    ) -> None:
        if half_life <= 0 or not 0 <= floor <= 1:
            raise ValueError(f"half_life is {half_life}, expected above 0; floor is {floor}, expected 0 to 1")
        if prior is not None and len(prior) != len(candidates):
            raise ValueError(f"prior has {len(prior)} scores for {len(candidates)} candidates")
        self.candidates, self.half_life, self.floor = candidates, half_life, floor
        self.judged = np.zeros(len(candidates), np.int64)
        self._rows = {name: row for row, name in enumerate(candidates.ids)}
        self._counts, self._sums, self._squares, self._last = np.zeros((4, len(candidates)))
        self._elsewhere: dict[str, tuple[float, ...]] = {}
        self._categories = _numbered(candidates.category_ids)
        pairs = list(zip(candidates.generators, candidates.prompt_sources, strict=True))
        groups = _numbered(pairs)
        firsts: Sequence[int] = np.unique(groups, return_index=True)[1].tolist() if pairs else []
        self._prior = np.zeros(len(candidates)) if prior is None else _standardised(prior, self._categories)
        self._parents = [groups, _numbered([pairs[first][0] for first in firsts])]

    def __contains__(self, source: object) -> bool:
        return source in self._rows

    def add(self, sources: Sequence[str], values: Sequence[float], step: int) -> None:
        """Take in contributions; one that is no number, or of an instance that is no candidate, is passed over."""
        for source, value in zip(sources, values, strict=True):
            row = self._rows.get(source)
            if row is None or not np.isfinite(value):
                continue
            left = 0.5 ** ((step - self._last[row]) / self.half_life)
            scaled = np.sign(value) * np.log1p(abs(value))
            self._counts[row] = self._counts[row] * left + 1
            self._sums[row] = self._sums[row] * left + scaled
            self._squares[row] = self._squares[row] * left + scaled**2
            self._last[row] = step
            self.judged[row] += 1

    def means(self) -> NDArray[np.float64]:
        """(N,) mean contribution of each instance so far, sign(v) log(1 + |v|); NaN where it was never judged."""
        unknown = np.full(len(self.judged), np.nan)
        found: NDArray[np.float64] = np.divide(self._sums, self._counts, out=unknown, where=self._counts > 0)
        return found

    def estimate(self, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Believed contribution of each instance beside the average of its category's, and its variance, both (N,)."""
        seen = self.judged > 0
        if not seen.any():
            return np.zeros(len(seen)), np.zeros(len(seen))
        counts = self._counts * 0.5 ** ((step - self._last) / self.half_life)
        means = np.where(seen, self.means(), 0)
        errors = np.divide(self._noise(), counts, out=np.full(len(seen), np.inf), where=seen)
        guess, doubt = np.zeros(len(seen)), np.zeros(len(seen))
        for _ in range(_ROUNDS):
            level = _group_means(means - guess, counts * seen, self._categories)
            guess, doubt = shrink(means - level[self._categories], errors, self._parents)
        return guess - _group_means(guess, np.ones(len(guess)), self._categories)[self._categories], doubt

    def _noise(self) -> float:
        """Variance of a single judgement: that of several of one instance, where there are such."""
        seen, means = self.judged > 0, np.nan_to_num(self.means())
        spread = np.maximum(self._squares - self._counts * means**2, 0)
        freedom = (self._counts - 1).clip(min=0) * (self.judged > 1)
        if (freedom > 0).sum() >= _ENOUGH:
            return max(float(spread[freedom > 0].sum() / freedom.sum()), _LEAST_NOISE)
        level = _group_means(means, seen.astype(float), self._categories)
        return max(float(np.var((means - level[self._categories])[seen])) if seen.any() else 0.0, _LEAST_NOISE)

    def weights(self, step: int) -> NDArray[np.float64]:
        """How often to draw each instance, (N,), 1 on average in each category.

        A logistic function of the belief in units of how much instances differ at all: alike while little is known,
        or as the prior has it.
        """
        guess, doubt = self.estimate(step)
        scale = float(np.sqrt((guess**2 + doubt).mean() + _INDIFFERENT**2 * self._noise()))
        unknown = (doubt / scale**2).clip(0, 1) if self.judged.any() else np.ones(len(doubt))
        weights = 1 / (1 + np.exp(-_SLOPE * (guess / scale + _PRIOR * unknown * self._prior)))
        largest = np.zeros(int(self._categories.max(initial=-1)) + 1)
        np.maximum.at(largest, self._categories, weights)
        weights = np.maximum(weights, self.floor * largest[self._categories])
        return weights / _group_means(weights, np.ones(len(weights)), self._categories)[self._categories]

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint, by instance id, so that a pool that was built anew keeps what is known of its instances."""
        rows = np.flatnonzero(self.judged).tolist()
        columns = (self.judged, self._counts, self._sums, self._squares, self._last)
        known = {self.candidates.ids[row]: tuple(float(column[row]) for column in columns) for row in rows}
        return {"known": {**self._elsewhere, **known}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken; instances that are no candidates any more are kept for the next one."""
        self._elsewhere = {}
        for name, numbers in state["known"].items():
            row = self._rows.get(name)
            if row is None:
                self._elsewhere[name] = tuple(numbers)
            else:
                self.judged[row] = numbers[0]
                self._counts[row], self._sums[row], self._squares[row], self._last[row] = numbers[1:]


def _numbered(keys: Sequence[Any]) -> NDArray[np.int64]:
    """Each key's number, from 0 in the order of appearance."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _standardised(scores: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) standard deviations from each group's mean, at most 2; 0 where a score is unknown or all are equal."""
    known = np.isfinite(scores)
    values, weights = np.where(known, scores, 0), known.astype(float)
    away = np.where(known, values - _group_means(values, weights, groups)[groups], 0)
    spread = np.sqrt(_group_means(away**2, weights, groups))[groups]
    found: NDArray[np.float64] = np.divide(away, spread, out=np.zeros(len(scores)), where=spread > 0).clip(-2, 2)
    return found


def _group_means(
    values: NDArray[np.float64], weights: NDArray[np.float64], groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weighted mean of each group, 0 where the weights are."""
    total = np.bincount(groups, weights)
    return np.divide(np.bincount(groups, weights * values), total, out=np.zeros(len(total)), where=total > 0)
