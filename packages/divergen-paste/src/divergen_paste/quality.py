"""Make a crop as blurred and as noisy as the image that it goes onto."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Quality", "match_quality", "measure_blur", "measure_noise", "measure_quality"]

Array = NDArray[np.uint8]

WINDOW = 512
"""An image is measured in a centred window of at most this side: so the cost does not grow with the canvas."""
MAX_BLUR = 3.0
"""A crop is not blurred by more than this, pixels."""
EDGES = 0.05
"""Share of the pixels, those with the strongest gradients, where blur is measured."""
DENOISE = 0.7
"""Pixels by which a picture is smoothed before its blur is measured."""
REBLUR = 1.0
"""Pixels by which the picture is blurred again to measure how blurred it is."""

_NOISE_FILTER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Quality:
    """What a picture's lens and sensor did to it.

    Attributes:
        blur: Standard deviation of a Gaussian, pixels; None where there is no edge to measure it at.
        noise: Standard deviation of the luma's noise, 0..255.
    """

    blur: float | None
    noise: float


def measure_quality(image: Array) -> Quality:
    """Blur and noise of an image (H, W, 3) uint8 RGB."""
    height, width = image.shape[:2]
    top, left = max(height - WINDOW, 0) // 2, max(width - WINDOW, 0) // 2
    luma = _luma(image[top : top + WINDOW, left : left + WINDOW])
    everywhere = np.ones(luma.shape, dtype=bool)
    return Quality(measure_blur(luma, everywhere), measure_noise(luma, everywhere))


def measure_noise(luma: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Standard deviation of white noise (Immerkaer 1996); the median in place of the mean leaves edges out.

    Args:
        luma: (h, w) float32, 0..255.
        inside: (h, w) bool, where to measure.
    """
    response = np.abs(cv2.filter2D(luma, cv2.CV_32F, _NOISE_FILTER))[inside]
    return float(np.median(response) / (0.6745 * 6)) if response.size else 0.0


def measure_blur(luma: NDArray[np.float32], inside: NDArray[np.bool_]) -> float | None:
    """Standard deviation of the Gaussian that blurred a picture's edges (Zhuo & Sim 2011, eq. 5), pixels.

    An edge blurred by s and again by s0 has a gradient smaller by R = sqrt(1 + s0² / s²).

    Args:
        luma: (h, w) float32, 0..255.
        inside: (h, w) bool, where to measure.

    Returns:
        None where nothing is an edge.
    """
    # A little smoothing first: else noise, which is sharper than any edge, is what is measured.
    smooth = cv2.GaussianBlur(luma, (0, 0), DENOISE)
    sharp, soft = (_gradient(picture) for picture in (smooth, cv2.GaussianBlur(smooth, (0, 0), REBLUR)))
    found = sharp[inside]
    if found.size < 64:
        return None
    least = max(float(np.partition(found, int(found.size * (1 - EDGES)))[int(found.size * (1 - EDGES))]), 16.0)
    edges = inside & (sharp >= least)
    if np.count_nonzero(edges) < 16:
        return None
    ratio = float(np.median(sharp[edges] / np.maximum(soft[edges], 1e-3)))
    blur = REBLUR / math.sqrt(max(ratio**2 - 1, 1e-3))
    # What this smoothing and the difference of neighbours, a box 2 pixels wide, blurred themselves.
    return math.sqrt(max(blur**2 - DENOISE**2 - 1 / 3, 0.0))


def match_quality(
    image: Array, alpha: Array, target: Quality, rng: np.random.Generator, *, blur: bool = True, noise: bool = True
) -> tuple[Array, Array]:
    """Blur a crop that is sharper than its target, then add the noise that it lacks.

    A crop that is more blurred or noisier than its target stays as it is. Where it is blurred, the arrays grow by what
    its soft edge needs, on all sides alike.

    Args:
        image: (h, w, 3) uint8 RGB, in its size on the image.
        alpha: (h, w) uint8.
        target: Of the image.
        rng: Where the noise comes from.
        blur: Whether to match the blur.
        noise: Whether to match the noise.
    """
    if blur and target.blur is not None:
        own = measure_blur(_luma(image), _interior(alpha))
        missing = 0.0 if own is None else min(math.sqrt(max(target.blur**2 - own**2, 0.0)), MAX_BLUR)
        if missing > 0.3:
            pad = math.ceil(2 * missing)
            image = cast("Array", cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE))
            alpha = cast("Array", cv2.copyMakeBorder(alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0))
            image, alpha = (cast("Array", cv2.GaussianBlur(part, (0, 0), missing)) for part in (image, alpha))
    if noise:
        missing = math.sqrt(max(target.noise**2 - measure_noise(_luma(image), _interior(alpha)) ** 2, 0.0))
        if missing > 0.5:
            grain = missing * rng.standard_normal(alpha.shape, dtype=np.float32)
            image = np.clip(image + grain[..., None] + 0.5, 0, 255).astype(np.uint8)
    return image, alpha


def _luma(image: Array) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def _gradient(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    across, down = (cv2.Sobel(luma, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    return cast("NDArray[np.float32]", cv2.magnitude(across, down))


def _interior(alpha: Array) -> NDArray[np.bool_]:
    """Where a crop is the object, its outermost pixels left out."""
    framed = cv2.copyMakeBorder(alpha, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.erode(framed, np.ones((5, 5), np.uint8))[2:-2, 2:-2] >= 250)
