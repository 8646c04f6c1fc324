"""Scores against real crops beyond the mean cosine: nearest crops, percentile, rival category, outlier distance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import ConfigError
from numpy.typing import NDArray

from .embedder import Embeddings
from .rules import REAL_SCORES, RealScore
from .similarity import inter_similarity, leave_one_out

if TYPE_CHECKING:
    from .references import References, Summary

__all__ = ["ALWAYS", "TOP", "RealScorer", "score_columns"]

ALWAYS: tuple[RealScore, ...] = ("rival_share", "inter_similarity")
"""What every scored row has: what the default rules look at, and what they are explained with."""

TOP = 5
"""Real crops whose mean cosine is ``top_similarity``."""

_SHRINKAGE = 0.1
"""Weight of the scaled identity in the spread within categories; keeps it invertible for few crops."""

_BLOCK = 8192
"""Crops that are turned into float64 at a time."""


def score_columns(scores: Sequence[RealScore]) -> tuple[str, ...]:
    """The columns that these scores fill, in order."""
    return tuple(column for score in scores for column in (_WITH_RIVAL if score == "rival_margin" else (score,)))


_WITH_RIVAL = ("rival_margin", "rival_category_id")
_NEED_CROPS = frozenset(["max_similarity", "top_similarity", "similarity_percentile", "mahalanobis"])


class RealScorer:
    """Scores generated instances against real crops.

    Args:
        references: Real crops' embeddings; their summary is enough for ``inter_similarity``, ``rival_margin`` and
            ``rival_share``.
        scores: Which ones.

    Raises:
        ConfigError: If a score is unknown, or needs more than a summary.
    """

    def __init__(self, references: References | Summary, scores: Sequence[RealScore] = ALWAYS) -> None:
        from .references import References

        if unknown := [score for score in scores if score not in REAL_SCORES]:
            raise ConfigError(
                f"there is no score {unknown[0]!r} against real crops; there are {', '.join(REAL_SCORES)}"
            )
        crops = references if isinstance(references, References) else None
        if crops is None and (lacking := [score for score in scores if score in _NEED_CROPS]):
            raise ConfigError(f"the score {lacking[0]!r} needs the real crops' embeddings, not their summary alone")
        self.scores = tuple(scores)
        self._sums = references.sums
        self._crops = crops

    def __call__(self, embeddings: Embeddings, category_ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The columns of the scores, N values each, of embeddings (N, D), unit rows, and their categories (N,)."""
        result: dict[str, NDArray[Any]] = {}
        mean = inter_similarity(embeddings, category_ids, self._sums)
        for score in self.scores:
            if score == "inter_similarity":
                result[score] = mean
            elif score == "rival_margin":
                rival, margin = self._rival(embeddings, category_ids, mean)
                result |= {"rival_margin": margin, "rival_category_id": rival}
            elif score == "rival_share":
                result[score] = self._rival_share(embeddings, category_ids)
            elif score == "similarity_percentile":
                result[score] = self._percentile(mean, category_ids)
            elif score == "mahalanobis":
                result[score] = self._mahalanobis(embeddings, category_ids)
        if {"max_similarity", "top_similarity"} & set(self.scores):
            largest, top = self._nearest(embeddings, category_ids)
            result |= {"max_similarity": largest, "top_similarity": top}
        return {name: result[name] for name in score_columns(self.scores)}

    def _rival(
        self, embeddings: Embeddings, category_ids: NDArray[np.int64], mean: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The most similar other category (N,), and how much more similar the own one is (N,)."""
        if len(self._sums.ids) < 2:
            return np.full(len(mean), -1, dtype=np.int64), np.full(len(mean), np.nan)
        rows = self._sums.rows(category_ids)
        similarity = embeddings @ self._means32.T
        known = np.flatnonzero(rows >= 0)
        similarity[known, rows[known]] = -np.inf
        best = similarity.argmax(axis=1)
        return self._sums.ids[best], mean - similarity[np.arange(len(best)), best]

    def _rival_share(self, embeddings: Embeddings, category_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the other categories that are more similar (N,); NaN without real crops of the own or of others."""
        rows, others = self._sums.rows(category_ids), len(self._sums.ids) - 1
        if others < 1:
            return np.full(len(rows), np.nan)
        similarity = embeddings @ self._means32.T
        own = similarity[np.arange(len(rows)), rows]
        return np.where(rows < 0, np.nan, (similarity > own[:, None]).sum(axis=1) / others)

    @cached_property
    def _means32(self) -> Embeddings:
        return (self._sums.sums / self._sums.counts[:, None]).astype(np.float32)

    def _nearest(
        self, embeddings: Embeddings, category_ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Largest cosine to a real crop of the category (N,), and the mean of the `TOP` largest (N,)."""
        largest, top = np.full(len(embeddings), np.nan), np.full(len(embeddings), np.nan)
        vectors, bounds = self._sorted
        for row in np.unique(rows := self._sums.rows(category_ids)):
            if row < 0:
                continue
            mine = np.flatnonzero(rows == row)
            cosines = embeddings[mine] @ vectors[bounds[row] : bounds[row + 1]].T
            few = min(TOP, cosines.shape[1])
            cosines.partition(cosines.shape[1] - few, axis=1)
            largest[mine], top[mine] = cosines[:, -few:].max(axis=1), cosines[:, -few:].mean(axis=1)
        return largest, top

    @cached_property
    def _sorted(self) -> tuple[Embeddings, NDArray[np.int64]]:
        """Real crops in the order of their categories, and where each category begins."""
        assert self._crops is not None
        order = np.argsort(self._crops.category_ids, kind="stable")
        return self._crops.embeddings[order], np.append(0, np.cumsum(self._sums.counts))

    def _percentile(self, mean: NDArray[np.float64], category_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the category's real crops that are less similar to the rest; NaN where it has fewer than two."""
        rows = self._sums.rows(category_ids)
        result = np.full(len(mean), np.nan)
        for row in np.unique(rows):
            if row >= 0 and self._sums.counts[row] > 1:
                mine, own = rows == row, self._own[row]
                result[mine] = np.searchsorted(own, mean[mine]) / len(own)
        return result

    @cached_property
    def _own(self) -> list[NDArray[np.float64]]:
        """Per category, its real crops' similarity to the rest of them, ascending."""
        assert self._crops is not None
        own = leave_one_out(self._crops.embeddings, self._crops.category_ids, self._sums)
        rows = self._sums.rows(self._crops.category_ids)
        order = np.lexsort((own, rows))
        return np.split(own[order], np.cumsum(self._sums.counts)[:-1])

    def _mahalanobis(self, embeddings: Embeddings, category_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        rows = self._sums.rows(category_ids)
        known = np.flatnonzero(rows >= 0)
        result = np.full(len(embeddings), np.nan)
        means = self._sums.sums[rows[known]] / self._sums.counts[rows[known], None]
        whitened = (embeddings[known] - means) @ self._whitener
        result[known] = np.sqrt(np.einsum("nd,nd->n", whitened, whitened) / embeddings.shape[1])
        return result

    @cached_property
    def _whitener(self) -> NDArray[np.float64]:
        """W (D, D) with W Wᵀ the inverse of the spread of real crops about their categories' means.

        One spread for all categories, as rare ones have too few crops for their own (Lee et al., NeurIPS 2018), shrunk
        towards a multiple of the identity.
        """
        assert self._crops is not None
        dim = self._crops.embeddings.shape[1]
        spread, freedom = np.zeros((dim, dim)), int((self._sums.counts - 1).sum())
        if freedom < 1:
            raise ConfigError("the score 'mahalanobis' needs a category with two real crops at least")
        vectors, bounds = self._sorted
        rows = np.repeat(np.arange(len(self._sums.ids)), np.diff(bounds))
        for start in range(0, len(vectors), _BLOCK):
            part = rows[start : start + _BLOCK]
            away = vectors[start : start + _BLOCK] - self._sums.sums[part] / self._sums.counts[part, None]
            spread += away.T @ away
        spread /= freedom
        scale = np.trace(spread) / dim
        if scale < 1e-12:
            raise ConfigError("the score 'mahalanobis' means nothing here: the real crops of a category are all equal")
        values, axes = np.linalg.eigh((1 - _SHRINKAGE) * spread + _SHRINKAGE * scale * np.eye(dim))
        return np.asarray(axes / np.sqrt(values))
