"""Weights that change while training runs: what chooses samples (BSGAL) writes, every loader worker reads."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from divergen_records import ConfigError
from divergen_records.files import write_bytes
from divergen_records.temporary import make_scratch, remove_scratch
from numpy.typing import NDArray

from .errors import PoolError
from .pool import InstancePool

__all__ = ["PoolWeights"]

HEADER = 64
"""Bytes before the numbers."""


class PoolWeights:
    """A weight for each category and each instance of a pool, in a file that processes share; all 1 at first.

    A weight of a category multiplies that of the sampler's balance; a weight of an instance is its share among those
    of its category. Workers see a change at their next draw. One process writes; with several trainers on a machine,
    let each have a file of its own, or one of them write. What is drawn then depends on when the weights changed: only
    with the same history does a seed give the same pictures.

    Args:
        pool: The pool.
        path: File, opened if it is there (a training that goes on), else made. By default a temporary one that goes
            with this object.

    Raises:
        PoolError: If the file belongs to another pool.

    Example:
        >>> weights = PoolWeights(pool)  # doctest: +SKIP
        >>> paster = Paster(pool, statistics, sampler=InstanceSampler(pool, weights=weights))  # doctest: +SKIP
        >>> weights.set_instances(scores, pool.rows(sources))  # during training; workers follow  # doctest: +SKIP
        >>> weights.set_categories({17: 0.5})  # doctest: +SKIP
    """

    def __init__(self, pool: InstancePool, path: str | Path | None = None) -> None:
        self._pool = pool
        self._firsts = np.array([entry.first for entry in pool.manifest.categories])
        self._ends = self._firsts + [entry.count for entry in pool.manifest.categories]
        self._positions = {entry.category.id: i for i, entry in enumerate(pool.manifest.categories)}
        if path is None:
            folder = make_scratch()
            weakref.finalize(self, _remove, folder, os.getpid())
            path = folder / "weights"
            self._make(path)
        elif not Path(path).exists():
            self._make(Path(path))
        self.path = Path(path)
        self._open()

    def _header(self) -> bytes:
        """Which pool, in as many bytes as keep the numbers after it aligned."""
        return self._pool.manifest.build.encode().ljust(HEADER)

    def _make(self, path: Path) -> None:
        numbers = np.ones(1 + len(self._positions) + len(self._pool))
        numbers[0] = 0
        write_bytes(path, self._header() + numbers.tobytes(), overwrite=True)

    def _open(self) -> None:
        expected = HEADER + 8 * (1 + len(self._positions) + len(self._pool))
        with self.path.open("rb") as file:
            header = file.read(HEADER)
        if header != self._header() or self.path.stat().st_size != expected:
            raise PoolError(f"{self.path}: these are not weights of this pool; choose another file")
        numbers = np.memmap(self.path, dtype=np.float64, mode="r+", offset=HEADER)
        self._version, self._categories, self._instances = np.split(numbers, [1, 1 + len(self._positions)])

    def __reduce__(self) -> tuple[object, ...]:
        return PoolWeights, (self._pool, self.path)

    @property
    def version(self) -> int:
        """Grows with every change."""
        return int(self._version[0])

    @property
    def categories(self) -> NDArray[np.float64]:
        """(C,) the categories' weights now, in the order of ``pool.categories``; a copy."""
        return np.array(self._categories)

    def categories_at(self, firsts: NDArray[np.integer]) -> NDArray[np.float64]:
        """(n,) weights now of the categories whose first rows these are."""
        return self.categories[np.searchsorted(self._firsts, firsts)]

    @property
    def instances(self) -> NDArray[np.float64]:
        """(N,) the rows' weights now; a copy."""
        return np.array(self._instances)

    def set_categories(self, weights: Mapping[int, float]) -> None:
        """Change categories' weights; those that the pool has no instance of are passed over.

        Args:
            weights: Category id -> weight, finite and not negative; ids as the pool goes by that this was made for, see
                `InstancePool.matched`.

        Raises:
            ConfigError: If a weight is wrong, or nothing could be drawn any more.
        """
        categories = self.categories
        for key in weights.keys() & self._positions.keys():
            categories[self._positions[key]] = weights[key]
        self._check(categories, self._instances)
        self._categories[:] = categories
        self._version += 1

    def set_instances(
        self, weights: NDArray[np.floating] | Sequence[float], rows: NDArray[np.integer] | Sequence[int] | None = None
    ) -> None:
        """Change instances' weights.

        Args:
            weights: (n,) finite and not negative.
            rows: (n,) rows of the pool, see `InstancePool.rows`; by default all.

        Raises:
            ConfigError: If a weight is wrong, or nothing could be drawn any more.
        """
        instances, given = self.instances, np.asarray(weights, dtype=np.float64)
        target = instances if rows is None else np.asarray(rows)
        if given.shape != target.shape:
            raise ConfigError(f"instance weights: expected shape {target.shape}, found {given.shape}")
        instances[slice(None) if rows is None else target] = given
        self._check(self._categories, instances)
        self._instances[:] = instances
        self._version += 1

    def _check(self, categories: NDArray[np.float64], instances: NDArray[np.float64]) -> None:
        sums = np.concatenate([[0.0], np.cumsum(instances)])
        with np.errstate(invalid="ignore"):
            drawable = categories * (sums[self._ends] - sums[self._firsts])
        wrong = (categories < 0).any() or (instances < 0).any() or not np.isfinite(drawable).all()
        if wrong or not drawable.any():
            raise ConfigError("the weights of the pool must be finite, not negative, and leave something to draw")


def _remove(folder: Path, process: int) -> None:
    """Remove the temporary folder, but not from a worker that was forked off its owner."""
    if os.getpid() == process:
        remove_scratch(folder)
