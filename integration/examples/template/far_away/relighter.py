"""A relighter that gives pasted objects the mean colour of the picture around them, or one of your choice."""

from __future__ import annotations

from typing import Literal

import numpy as np
from divergen_paste import Relight
from divergen_records import Config


class Tint:
    """Moves the objects' colours towards another, by a share."""

    def __init__(self, share: float = 0.2, colour: tuple[int, int, int] | None = None) -> None:
        self.share, self.colour, self.identity = share, colour, f"far-away/tint-1/{share}/{colour}"

    def __call__(self, image: np.ndarray, mask: np.ndarray, seed: int) -> np.ndarray:
        if mask.all() or not mask.any():
            return image
        towards = image[~mask].mean(axis=0) if self.colour is None else np.array(self.colour)
        relit = image.astype(np.float64)
        relit[mask] += self.share * (towards - relit[mask])
        return relit.round().clip(0, 255).astype(np.uint8)


class TintConfig(Config):
    kind: Literal["tint"] = "tint"
    share: float = 0.2
    colour: tuple[int, int, int] | None = None

    def build(self) -> Relight:
        return Relight(Tint(self.share, self.colour), half=0)
