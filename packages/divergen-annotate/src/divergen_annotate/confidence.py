"""How sure one can be of a mask in front of a plain background: measures on the picture, calibrated against truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask
from .background import Background, border_ring, edge_strength, looks_plain
from .scorers import OutlineScorer

__all__ = ["COLOUR_KEY", "GRABCUT", "MEASURES", "Calibration", "measure"]

MEASURES = ("border", "outside", "edge", "inside", "area", "outline", "shadow")
"""Shares, 0 to 1, of: the border that looks plain, what is outside the mask that does, the outline that is sharp, the
mask that does not look plain, the picture that is mask, `OutlineScorer`, the mask that may be shadow."""

_EDGE = 12.0
"""Grey levels per pixel from which on an edge is sharp."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected IoU of a mask, a logistic function of its measures.

    Attributes:
        weights: One for each of `MEASURES`.
        bias: What is added.
    """

    weights: tuple[float, ...]
    bias: float

    def expect(self, measures: NDArray[np.float64]) -> float:
        """The IoU to expect, 0 to 1, of a mask with these measures (7,)."""
        return float(1 / (1 + np.exp(-(measures @ np.array(self.weights) + self.bias))))


GRABCUT = Calibration((3.25, 2.12, 1.34, 0.99, 2.26, 1.61, 0.17), -7.09)
COLOUR_KEY = Calibration((2.32, 0.14, 1.28, 1.99, 0.57, 1.83, 0.54), -5.35)
"""Printed by ``benchmarks/calibrate.py``: the renderer, cut-outs, both on hard backgrounds, and crops of photos."""


def measure(image: Image, mask: Mask, background: Background, border: float = 0.03) -> NDArray[np.float64]:
    """The `MEASURES` (7,) of a mask that is neither empty nor full.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        background: Fitted to the picture's border.
        border: Width of that border, as a share of the picture's shorter side.
    """
    plain, shadow = looks_plain(image, background), background.shadow(image)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    outline = mask & ~inner
    near = cv2.dilate(edge_strength(image), np.ones((5, 5), np.uint8))
    lit = np.abs(image - background.colour).max(axis=2) <= 20
    values = (
        plain[border_ring(mask.shape[0], mask.shape[1], border)].mean(),
        plain[~mask].mean(),
        (near[outline] > _EDGE).mean() if outline.any() else 0.0,
        1 - plain[mask].mean(),
        mask.mean(),
        OutlineScorer(border=border).score(image, mask, background),
        (shadow & ~lit)[mask].mean(),
    )
    return np.array(values, dtype=np.float64)
