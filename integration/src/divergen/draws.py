"""A run's pool as a training sees it: what may be drawn, and weights that the paster's workers follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from divergen_paste import InstancePool, PoolWeights
    from divergen_records import InstanceTable
    from divergen_train.bsgal import Candidates

__all__ = ["PoolDraws"]


class PoolDraws:
    """See `divergen_train.bsgal.draws.Draws`.

    Args:
        pool: Generated instances.
        table: Their table, which knows what made each.
    """

    def __init__(self, pool: InstancePool, table: InstanceTable) -> None:
        from divergen_paste import PoolWeights

        self.pool_weights: PoolWeights = PoolWeights(pool)
        self.candidates = _candidates(pool, table)
        self._table = table

    def weights(self) -> NDArray[np.float64]:
        """(N,) by row of the pool."""
        return self.pool_weights.instances

    def scores(self, name: str) -> NDArray[np.float64]:
        """(N,) of a column of the table; NaN where it was not measured."""
        if name not in self._table.columns:
            return np.full(len(self.candidates), np.nan)
        rows = self._table.select(["id", name], where=f"{name} IS NOT NULL").to_pylist()
        known = {row["id"]: row[name] for row in rows}
        return np.array([known.get(one, np.nan) for one in self.candidates.ids], np.float64)

    def set_weights(self, weights: NDArray[np.float64]) -> None:
        """Change all of them."""
        self.pool_weights.set_instances(weights)


def _candidates(pool: InstancePool, table: InstanceTable) -> Candidates:
    from divergen_train.bsgal import Candidates

    rows = table.select(["id", "generator", "prompt_source"]).to_pylist()
    made = {row["id"]: (row["generator"], row["prompt_source"]) for row in rows}
    ids = [pool.source(row) for row in range(len(pool))]
    found = [made.get(name, (None, None)) for name in ids]
    return Candidates(
        ids, pool.index["category_id"].tolist(), [generator for generator, _ in found], [source for _, source in found]
    )
