"""How sure one can be of a mask: measures on the picture and of the network's map, calibrated against truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask
from .background import Background, border_ring, edge_strength, fit_background, looks_plain
from .cleanup import label_regions
from .quality import border_contact
from .scorers import OutlineScorer

__all__ = ["COLOUR_KEY", "GRABCUT", "MAP_MEASURES", "MEASURES", "Calibration", "measure", "measure_map"]

MEASURES = ("border", "outside", "edge", "inside", "area", "outline", "shadow")
"""Shares, 0 to 1, of: the border that looks plain, what is outside the mask that does, the outline that is sharp, the
mask that does not look plain, the picture that is mask, `OutlineScorer`, the mask that may be shadow."""

MAP_MEASURES = ("sure", "largest", "contact", "area", "border", "outside", "outline")
"""Of a network's mask: the IoU to expect if its map is right; shares, 0 to 1, of the mask that is its largest part, of
the picture's border under it, of the picture that is mask; ``border``, ``outside`` and ``outline`` as in `MEASURES`."""

_EDGE = 12.0
"""Grey levels per pixel from which on an edge is sharp."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected IoU of a mask, a logistic function of its measures.

    Attributes:
        weights: One for each of `MEASURES`, or of `MAP_MEASURES` for a network.
        bias: What is added.
    """

    weights: tuple[float, ...]
    bias: float

    def expect(self, measures: NDArray[np.float64]) -> float:
        """The IoU to expect, 0 to 1, of a mask with these measures (M,)."""
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


def measure_map(image: Image, mask: Mask, sure: float) -> NDArray[np.float64]:
    """The `MAP_MEASURES` (7,) of a network's mask that is neither empty nor full.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        sure: The IoU to expect if the network's map is right; see `divergen_annotate.clipseg.threshold_map`.
    """
    ring = border_ring(mask.shape[0], mask.shape[1], 0.03)
    background = fit_background(image, ring)
    plain = looks_plain(image, background)
    _, areas = label_regions(mask)
    values = (
        sure,
        areas[1:].max() / areas[1:].sum(),
        border_contact(mask),
        mask.mean(),
        plain[ring].mean(),
        plain[~mask].mean(),
        OutlineScorer().score(image, mask, background),
    )
    return np.array(values, dtype=np.float64)
