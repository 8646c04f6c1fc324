"""An embedder for tests: no model, no weights, the same promises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .embedder import Embeddings, Image

__all__ = ["ColourEmbedder"]


class ColourEmbedder:
    """Unit vectors of a crop's colour histogram: things of one colour are alike.

    Args:
        bins: Per channel.
    """

    def __init__(self, bins: int = 4) -> None:
        self.bins, self.dim = bins, bins**3
        self.identity = f"colour-histogram/{bins}"

    def __call__(self, crops: Sequence[Image]) -> Embeddings:
        """(N, bins³) float32, unit rows, of N crops (h, w, 3) uint8 RGB; black, the background, is not counted."""
        rows = np.zeros((len(crops), self.dim), dtype=np.float64)
        for row, crop in zip(rows, crops, strict=True):
            levels = crop.reshape(-1, 3).astype(np.int64) * self.bins // 256
            index = (levels[:, 0] * self.bins + levels[:, 1]) * self.bins + levels[:, 2]
            row += np.bincount(index[crop.reshape(-1, 3).any(axis=1)], minlength=self.dim)
            row[0] += 1e-6  # a crop that is black all over
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
