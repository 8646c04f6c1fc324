"""Inter-similarity: how much a generated instance looks like the real ones of its category (DiverGen, section 3.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from divergen_records import MaskError
from numpy.typing import NDArray

from .embedder import Embeddings

__all__ = ["CategorySums", "check_vectors", "inter_similarity", "leave_one_out"]

_BLOCK = 2048
"""Rows that are turned into float64 at a time."""


def check_vectors(embeddings: NDArray[Any]) -> None:
    """Refuse vectors (N, D) that are not of unit length: NaN, zero, not normalised.

    Raises:
        MaskError: Naming the first bad row.
    """
    bad = bad_vectors(embeddings)
    if bad.any():
        row = int(bad.argmax())
        length = float(np.linalg.norm(embeddings[row]))
        raise MaskError(f"embedding {row} has the length {length:.3g}, not 1: the crop or the model is broken")


def bad_vectors(embeddings: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows (N,) are not of unit length, within 1e-3."""
    lengths = np.sqrt(np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64))
    close: NDArray[np.bool_] = np.abs(lengths - 1.0) <= 1e-3
    return ~close  # true for NaN as well


class CategorySums:
    """Per category, the sum of its real embeddings and their number: all that the mean cosine needs.

    mean_j <g, r_j> = <g, sum_j r_j> / n for unit vectors: exact, at the cost of one comparison instead of n.

    Args:
        embeddings: (N, D), unit rows.
        category_ids: (N,).
    """

    def __init__(self, embeddings: Embeddings, category_ids: NDArray[np.int64]) -> None:
        ids, inverse, counts = np.unique(category_ids, return_inverse=True, return_counts=True)
        self.ids: NDArray[np.int64] = ids
        self.counts: NDArray[np.int64] = counts
        self.sums: NDArray[np.float64] = np.zeros((len(ids), embeddings.shape[1]), dtype=np.float64)
        order = np.argsort(inverse, kind="stable")
        ends = np.cumsum(counts)
        for index, (start, end) in enumerate(zip(ends - counts, ends, strict=True)):
            self.sums[index] = embeddings[order[start:end]].sum(axis=0, dtype=np.float64)

    @classmethod
    def from_arrays(cls, ids: NDArray[np.int64], counts: NDArray[np.int64], sums: NDArray[np.float64]) -> CategorySums:
        """From what another one holds: ids (C,) ascending, counts (C,), sums (C, D); raises `ValueError` if not so."""
        if not len(ids) == len(counts) == len(sums) or (ids[1:] <= ids[:-1]).any() or (counts < 1).any():
            raise ValueError(
                f"{len(ids)} ascending ids need as many counts above 0 and sums: {counts.shape}, {sums.shape}"
            )
        made = cls.__new__(cls)
        made.ids, made.counts, made.sums = ids, counts, sums
        return made

    def rows(self, category_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each category in ``sums`` (M,), -1 for a category with no real crop."""
        if not len(self.ids):
            return np.full(len(category_ids), -1, dtype=np.int64)
        rows = np.searchsorted(self.ids, category_ids).clip(max=len(self.ids) - 1)
        return np.where(self.ids[rows] == category_ids, rows, -1)


def inter_similarity(
    embeddings: Embeddings, category_ids: NDArray[np.int64], sums: CategorySums
) -> NDArray[np.float64]:
    """Mean cosine of each instance to all real crops of its category.

    Args:
        embeddings: (M, D), unit rows, of generated instances.
        category_ids: (M,), theirs.
        sums: Of the real crops.

    Returns:
        (M,) float64, -1 to 1; NaN where the category has no real crop.
    """
    rows = sums.rows(category_ids)
    result = np.full(len(embeddings), np.nan)
    for start in range(0, len(embeddings), _BLOCK):
        known = start + np.flatnonzero(rows[start : start + _BLOCK] >= 0)
        result[known] = _dots(embeddings[known], sums.sums[rows[known]]) / sums.counts[rows[known]]
    return result


def leave_one_out(embeddings: Embeddings, category_ids: NDArray[np.int64], sums: CategorySums) -> NDArray[np.float64]:
    """Mean cosine of each real crop (N, D) to the other real crops of its category; NaN where there are none."""
    rows = sums.rows(category_ids)
    totals = np.empty(len(embeddings))
    for start in range(0, len(embeddings), _BLOCK):
        part = slice(start, start + _BLOCK)
        vectors = embeddings[part].astype(np.float64)
        totals[part] = _dots(vectors, sums.sums[rows[part]]) - _dots(vectors, vectors)
    others = (sums.counts[rows] - 1).astype(np.float64)
    result = np.full(len(totals), np.nan)
    np.divide(totals, others, out=result, where=others > 0)
    return result


def _dots(a: NDArray[Any], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row by row, <a, b> (N,) in float64."""
    products: NDArray[np.float64] = np.einsum("nd,nd->n", a.astype(np.float64, copy=False), b)
    return products
