"""Pictures with known masks, for tests and trials of annotators."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask

__all__ = ["plain_picture"]


def plain_picture(
    seed: int, *, height: int = 256, width: int = 256, shadow: float = 0.3, hole: bool = False
) -> tuple[Image, Mask]:
    """A striped blob on a white background with noise and a soft shadow under it, and its true mask.

    Args:
        seed: Decides shape, colours and noise.
        height: Pixels.
        width: Pixels.
        shadow: How much light the shadow takes away at its darkest, 0 to 1.
        hole: Whether the blob has a hole in its middle, like a doughnut.

    Returns:
        The picture (H, W, 3) uint8 RGB and its mask (H, W) bool.
    """
    random = np.random.default_rng(seed)
    side = min(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - width / 2, y - height / 2
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    rim = 0.3 * side * (1 + sum(random.uniform(0, 0.12) * np.cos(k * angle + random.uniform(0, 6)) for k in (2, 3, 5)))
    mask: NDArray[np.bool_] = radius < rim
    if hole:
        mask &= radius > 0.12 * side
    colours = random.integers(20, 190, (2, 3)).astype(np.float32)
    stripe = (np.sin(x / side * random.uniform(10, 40)) > 0)[..., None]
    image = np.full((height, width, 3), random.uniform(238, 253), dtype=np.float32)
    fallen = np.exp(-((x / (0.32 * side)) ** 2) - ((y - 0.33 * side) / (0.08 * side)) ** 2)
    image *= 1 - shadow * fallen[..., None]
    coverage = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
    image = coverage * np.where(stripe, colours[0], colours[1]) + (1 - coverage) * image
    image += random.normal(0, 2, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), mask
