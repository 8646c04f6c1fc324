"""How many instances, and which."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from divergen_records import ConfigError
from numpy.typing import NDArray

from .options import Balance, Count
from .pool import InstancePool
from .weights import PoolWeights

__all__ = ["BALANCES", "COUNTS", "InstanceSampler"]

COUNTS: dict[Count, Callable[[np.random.Generator, int], int]] = {
    "uniform": lambda rng, n: int(rng.integers(0, n, endpoint=True)),
    "fixed": lambda rng, n: n,
    "poisson": lambda rng, n: int(rng.poisson(n)),
}
"""How many instances an image gets, given ``n``: uniform 0..n (the papers), always n, Poisson of mean n."""


def _by_frequency(pool: InstancePool) -> list[float]:
    groups = Counter(category.frequency for category in pool.categories)
    return [1.0 / groups[category.frequency] for category in pool.categories]


def _by_inverse_frequency(pool: InstancePool) -> list[float]:
    unknown = [category.name for category in pool.categories if category.image_count is None]
    if unknown:
        raise ConfigError(
            f"balance='inverse_frequency' needs the image count of every category, and {unknown[0]!r} has none; "
            "build the pool with the categories of the training set"
        )
    return [1.0 / max(category.image_count or 1, 1) for category in pool.categories]


BALANCES: dict[Balance, Callable[[InstancePool], list[float]]] = {
    "category": lambda pool: [1.0] * len(pool.categories),
    "instance": lambda pool: [float(entry.count) for entry in pool.manifest.categories],
    "frequency": _by_frequency,
    "inverse_frequency": _by_inverse_frequency,
}
"""Weight of each category of a pool: all alike (the papers), by its instances, rare = common = frequent in sum, or by
1 / training images."""


class InstanceSampler:
    """Draws rows of a pool: a category by weight, then one of its instances.

    Args:
        pool: The pool.
        balance: Weights of the categories, one of `BALANCES`.
        category_weights: Category id -> factor on its weight, 1 where not named; 0 leaves a category out.
        instance_weights: (N,) weight of each row inside its category, for example from BSGAL; uniform by default.
        weights: Weights that may change while this draws, in place of ``instance_weights``.
        image_categories: Draw only categories that the image shows, where the pool has any of them.

    Raises:
        ConfigError: If weights are negative, all zero, or of another length than the pool.
    """

    def __init__(
        self,
        pool: InstancePool,
        *,
        balance: Balance = "category",
        category_weights: Mapping[int, float] | None = None,
        instance_weights: NDArray[np.floating] | None = None,
        weights: PoolWeights | None = None,
        image_categories: bool = False,
    ) -> None:
        self._settings: dict[str, Any] = {
            "balance": balance,
            "category_weights": category_weights,
            "instance_weights": instance_weights,
            "weights": weights,
            "image_categories": image_categories,
        }
        entries = pool.manifest.categories
        self.category_ids = np.array([entry.category.id for entry in entries])
        self.image_categories = image_categories
        self._first = np.array([entry.first for entry in entries])
        self._count = np.array([entry.count for entry in entries])
        if balance not in BALANCES:
            raise ConfigError(f"balance is one of {', '.join(BALANCES)}, found {balance!r}")
        given = _by_id(category_weights or {})
        factors = [given.get(entry.category.id, 1.0) for entry in entries]
        self._base = np.array(BALANCES[balance](pool)) * factors
        self._rows = len(pool)
        self.weights, self._seen = weights, -1
        if weights is not None and instance_weights is not None:
            raise ConfigError("give instance_weights, which stay, or weights, which may change, not both")
        self._set(1.0, None if instance_weights is None else np.asarray(instance_weights, dtype=np.float64))
        self._follow()

    def on(self, pool: InstancePool) -> InstanceSampler:
        """The same settings on a pool with the same rows, whose categories go by other ids."""
        return InstanceSampler(pool, **self._settings)

    def __repr__(self) -> str:
        self._follow()
        rows = "" if self._cumulated is None else f", instances {zlib.crc32(self._cumulated.data)}"
        return f"InstanceSampler({self._weights.tolist()}, image_categories={self.image_categories}{rows})"

    def _follow(self) -> None:
        """Take over weights that have changed since the last draw."""
        if self.weights is not None and self._seen != (version := self.weights.version):
            self._set(self.weights.categories_at(self._first), self.weights.instances)
            self._seen = version

    def _set(self, factors: float | NDArray[np.float64], instances: NDArray[np.float64] | None) -> None:
        categories, cumulated = self._base * factors, None
        if instances is not None:
            if instances.shape != (self._rows,) or (instances < 0).any() or not np.isfinite(instances).all():
                raise ConfigError(
                    f"instance weights: expected {self._rows} finite numbers >= 0, found shape {instances.shape}"
                )
            cumulated = np.concatenate([[0.0], np.cumsum(instances)])
            # A category whose instances all weigh nothing cannot be drawn.
            categories = categories * (cumulated[self._first + self._count] > cumulated[self._first])
        if (categories < 0).any() or not np.isfinite(categories).all() or not categories.any():
            raise ConfigError("the weights of the pool's categories must be finite, not negative and not all zero")
        self._weights, self._cumulated, self._edges = categories, cumulated, _edges(categories)

    def draw(self, rng: np.random.Generator, n: int, shown: Collection[int] = ()) -> NDArray[np.int64]:
        """Rows of ``n`` instances, (n,) int64, with replacement.

        Args:
            rng: Source of randomness.
            n: How many.
            shown: Category ids that the image shows; used with ``image_categories``.
        """
        self._follow()
        edges = self._edges
        if self.image_categories:
            weights = self._weights * np.isin(self.category_ids, list(shown))
            edges = _edges(weights) if weights.any() else edges
        chosen = np.searchsorted(edges, rng.random(n), side="right")
        first, count, position = self._first[chosen], self._count[chosen], rng.random(n)
        if self._cumulated is None:
            return np.asarray(first + (position * count).astype(np.int64))
        low, high = self._cumulated[first], self._cumulated[first + count]
        rows = np.searchsorted(self._cumulated, low + position * (high - low), side="right") - 1
        return np.asarray(np.clip(rows, first, first + count - 1))


def _by_id(weights: Mapping[int, float]) -> dict[int, float]:
    """Weights of categories; an id may be text, as in JSON."""
    try:
        return {int(key): float(weight) for key, weight in weights.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"category_weights are {{category id: number}}, found {weights!r}") from error


def _edges(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper edges of each weight's share of 0..1; the last is 1 exactly, so that every draw falls into one."""
    edges: NDArray[np.float64] = np.cumsum(weights) / weights.sum()
    edges[np.flatnonzero(weights)[-1] :] = 1.0
    return edges
