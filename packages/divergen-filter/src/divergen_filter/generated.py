"""How alike the generated instances of a category are: diversity lost, near-duplicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .embedder import Embeddings

__all__ = ["GENERATED_SCORES", "compare_generated"]

GENERATED_SCORES = ("intra_similarity", "nearest_generated", "duplicate_similarity")
"""The columns that `compare_generated` gives."""

_BLOCK = 1024
"""Rows that are compared at a time with as many others: (1024, 1024) numbers are in memory, however many rows."""


def compare_generated(embeddings: Embeddings) -> dict[str, NDArray[np.float32]]:
    """Compare the generated instances of one category with each other, exactly.

    All pairs as products of matrices: 20,000 x 768 take 6 s of one core, where a graph index (usearch's HNSW, 0.9996
    of the nearest found) took 82 s.

    Args:
        embeddings: (N, D), unit rows, in the order of the instances' ids.

    Returns:
        ``intra_similarity``: mean cosine to the others; NaN for a single one.
        ``nearest_generated``: largest cosine to another; -1 for a single one.
        ``duplicate_similarity``: largest cosine to one before it; -1 for the first. A rule on it keeps the first
        of each group of near-duplicates.
    """
    count = len(embeddings)
    nearest = np.full(count, -1, dtype=np.float32)
    earlier = np.full(count, -1, dtype=np.float32)
    vectors = np.asarray(embeddings, dtype=np.float32)
    for start in range(0, count, _BLOCK):  # each pair once: a block of rows against the blocks before it, and itself
        rows = slice(start, min(start + _BLOCK, count))
        for before in range(0, start + 1, _BLOCK):
            others = slice(before, min(before + _BLOCK, count))
            block = vectors[rows] @ vectors[others].T
            if before == start:
                block[np.triu_indices(len(block))] = -1
            np.maximum(earlier[rows], block.max(axis=1), out=earlier[rows])
            np.maximum(nearest[others], block.max(axis=0), out=nearest[others])
    np.maximum(nearest, earlier, out=nearest)
    return {
        "intra_similarity": _mean_to_others(embeddings),
        "nearest_generated": nearest,
        "duplicate_similarity": earlier,
    }


def _mean_to_others(embeddings: Embeddings) -> NDArray[np.float32]:
    """Through the sum of all: mean_j<>i <g_i, g_j> = (<g_i, sum> - <g_i, g_i>) / (N - 1)."""
    count = len(embeddings)
    if count < 2:
        return np.full(count, np.nan, dtype=np.float32)
    total = embeddings.sum(axis=0, dtype=np.float64)
    result = np.empty(count, dtype=np.float32)
    for start in range(0, count, _BLOCK):
        block = embeddings[start : start + _BLOCK].astype(np.float64)
        result[start : start + _BLOCK] = (block @ total - np.einsum("nd,nd->n", block, block)) / (count - 1)
    return result
