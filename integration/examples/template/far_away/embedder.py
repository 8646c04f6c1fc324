"""An embedder: mean, spread and brightest of each channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from divergen_records import Config


class Hues:
    """Mean, spread and brightest of each channel, as a unit vector."""

    identity, dim = "far-away/hues-1", 10

    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        rows = [self._describe(crop.reshape(-1, 3).astype(np.float64) / 255) for crop in crops]
        return np.asarray(rows, dtype=np.float32).reshape(len(crops), self.dim)

    def _describe(self, pixels: np.ndarray) -> np.ndarray:
        found = np.concatenate([pixels.mean(axis=0), pixels.std(axis=0), pixels.max(axis=0), [0.1]])
        return found / np.linalg.norm(found)


class HuesConfig(Config):
    kind: Literal["hues"] = "hues"

    def build(self) -> Hues:
        return Hues()
