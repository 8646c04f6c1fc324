"""The background of a picture of one object, modelled from the picture's border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from divergen_records import MaskError
from numpy.typing import NDArray

from .annotator import Image, Mask

__all__ = ["Background", "border_ring", "edge_strength", "enclosed", "fit_background", "looks_plain", "refuse_busy"]

_NOISE_FLOOR = 1.5
"""Grey levels: JPEG noise around an object on a flat background, which the border alone does not show."""


_SAMPLES = 2000
"""Pixels of the border that the model is fitted to, about."""


@dataclass(frozen=True, slots=True)
class Background:
    """What the background would look like behind the object.

    Attributes:
        colour: (H, W, 3) float32 RGB, 0 to 255.
        noise: Robust standard deviation of the border around that colour, grey levels, at least 1.5.
    """

    colour: NDArray[np.float32]
    noise: float

    def distance(self, image: Image) -> NDArray[np.float32]:
        """How far each pixel (H, W) is from the background, in standard deviations of its noise."""
        difference = image.astype(np.float32) - self.colour
        squared = np.einsum("ijk,ijk->ij", difference, difference)
        return np.asarray(np.sqrt(squared) / np.float32(self.noise), dtype=np.float32)

    def flatten(self, image: Image) -> Image:
        """The picture (H, W, 3) uint8 as it would be on a background of one colour."""
        even = self.colour.mean(axis=(0, 1))
        return np.asarray((image + (even - self.colour)).clip(0, 255), dtype=np.uint8)

    def shadow(self, image: Image, *, darkest: float = 0.4, tolerance: float = 0.02) -> Mask:
        """Pixels (H, W) that look like background with less light on it: all channels scaled by about one factor.

        Args:
            image: (H, W, 3) uint8 RGB.
            darkest: The smallest factor that still is a shadow.
            tolerance: Allowed difference of the channels' factors, on top of the noise.
        """
        ratio = image.astype(np.float32) / np.maximum(self.colour, 1.0)
        low, high = _over_channels(np.minimum, ratio), _over_channels(np.maximum, ratio)
        spread = tolerance + self.noise / np.maximum(_over_channels(np.minimum, self.colour), 1.0)
        return np.asarray((high <= 1.0) & (low >= darkest) & (high - low <= spread))


def border_ring(height: int, width: int, share: float) -> Mask:
    """True on a frame (H, W) along the border, ``share`` of the shorter side wide, at least one pixel."""
    thickness = max(1, round(share * min(height, width)))
    ring = np.ones((height, width), dtype=bool)
    ring[thickness : height - thickness, thickness : width - thickness] = False
    return ring


def fit_background(image: Image, ring: Mask, *, rounds: int = 4) -> Background:
    """Fit a smooth surface per channel, robustly, to the border: flat, gradient or vignette; an object may touch it.

    Args:
        image: (H, W, 3) uint8 RGB.
        ring: (H, W) bool, the pixels to fit.
        rounds: Rounds of fitting and leaving out what is more than 2.5 deviations off.
    """
    height, width = image.shape[:2]
    y, x = np.nonzero(ring)
    step = max(1, len(x) // _SAMPLES)
    y, x = y[::step], x[::step]
    design = _terms(y / max(height - 1, 1) - 0.5, x / max(width - 1, 1) - 0.5)
    values = image[y, x].astype(np.float64)
    offset = _over_channels(np.maximum, np.abs(values - np.median(values, axis=0)))
    good = offset <= max(2.5 * 1.4826 * float(np.median(offset)), 2.5 * _NOISE_FLOOR)
    surface = np.zeros((design.shape[1], 3))
    noise = _NOISE_FLOOR
    for _ in range(rounds):
        chosen = design * good[:, None]
        surface = np.linalg.solve(chosen.T @ design + len(x) * _RIDGE, chosen.T @ values)
        offset = _over_channels(np.maximum, np.abs(values - design @ surface))
        noise = max(1.4826 * float(np.median(offset)), _NOISE_FLOOR)
        good = offset <= 2.5 * noise
        if good.sum() < 8:
            break
    rows = np.linspace(-0.5, 0.5, height)
    columns = np.linspace(-0.5, 0.5, width)
    down, across = _terms(rows, 0 * rows) @ surface, _terms(0 * columns, columns) @ surface - surface[0]
    channels = [np.add.outer(down[:, c], across[:, c]).clip(0, 255).astype(np.float32) for c in range(3)]
    return Background(cv2.merge(channels), noise)


_RIDGE = np.diag([1e-6, 1e-6, 1e-6, 1e-4, 1e-4])
"""Of the curved terms, because the picture's middle is far from its border."""


def _terms(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The terms of the surface (N, 5): a plane, and a vignette."""
    return np.stack([np.ones_like(x), x, y, x * x, y * y], axis=1)


def looks_plain(image: Image, background: Background, likeness: float = 20.0) -> Mask:
    """Pixels (H, W) within ``likeness`` grey levels of the background, or like it with less light on them."""
    near = _over_channels(np.maximum, np.abs(image - background.colour)) <= likeness
    return np.asarray(near | background.shadow(image))


def refuse_busy(image: Image, ring: Mask, background: Background, least: float) -> MaskError | None:
    """Why a picture is nothing for an annotator that needs a plain background; None where it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        ring: (H, W) bool, the border.
        background: Fitted to the border.
        least: Smallest share of the border that has to look plain: it is near 1 in front of paper, about 0.4 in photos.
    """
    share = float(looks_plain(image, background)[ring].mean())
    if share >= least:
        return None
    return MaskError(
        f"no plain background: {share:.0%} of the picture's border is like one surface, {least:.0%} is needed; use a "
        "network (--annotator saliency,model=FILE.onnx), for photos of several objects `divergen-annotate photos`, or "
        "try all the same with --set plain=0 (in a run: annotator.plain=0)"
    )


def edge_strength(image: Image) -> NDArray[np.float32]:
    """Largest Sobel gradient (H, W) over the channels, grey levels per pixel."""
    horizontal = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=0.125)
    vertical = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=0.125)
    strength: NDArray[np.float32] = _over_channels(np.maximum, cv2.magnitude(horizontal, vertical))
    return strength


def enclosed(image: Image, seed: Mask, background: Background, *, thin: float = 0.5, sharp: float = 10.0) -> Mask:
    """Pixels (H, W) inside a closed outline that look like background but are object: white porcelain on white.

    A region that outlines close off is taken for object if its rim is thin for its size (nobody draws a picture of a
    wire), or if it is brighter than the background, which no shadow makes. The hole of a doughnut is neither.

    Args:
        image: (H, W, 3) uint8 RGB.
        seed: (H, W) bool, what differs from the background.
        background: The background's model.
        thin: A rim is thin if the region is this many times as large as the rim and all else of its object.
        sharp: Lowest gradient of an outline, in standard deviations of the background's noise.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    high = sharp * background.noise
    edges = cv2.Canny(grey, 0.4 * high, high, L2gradient=True)
    walls = cv2.morphologyEx((seed | (edges > 0)).astype(np.uint8), cv2.MORPH_CLOSE, _DISK)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - walls, connectivity=4)
    result = np.zeros(seed.shape, dtype=bool)
    if count <= 2:
        return result
    outside = np.unique(np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1])))
    regions = np.setdiff1d(np.arange(1, count), outside)
    solid = int(walls.sum())
    for region in regions[stats[regions, cv2.CC_STAT_AREA] >= 9]:
        pixels = labels == region
        if stats[region, cv2.CC_STAT_AREA] > thin * solid:
            result |= pixels
    return result


_DISK = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


def _over_channels(function: Any, pixels: NDArray[Any]) -> NDArray[Any]:
    """``function.reduce(pixels, axis=-1)`` of three channels, ten times as fast as NumPy reduces a short axis."""
    result: NDArray[Any] = function(function(pixels[..., 0], pixels[..., 1]), pixels[..., 2])
    return result
