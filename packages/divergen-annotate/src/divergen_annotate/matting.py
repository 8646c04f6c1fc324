"""Masks that follow the picture's edges, and soft ones for blending: the guided filter in colour.

He, Sun, Tang, "Guided image filtering", ECCV 2010, section 3.4 for colour guides and section 4.4 for matting.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask

__all__ = ["snap_to_edges", "soft_alpha"]

_ROUNDS = 3


def soft_alpha(mask: Mask, image: Image, *, radius: int = 4, epsilon: float = 1e-4) -> NDArray[np.float32]:
    """Opacity of the object: 1 inside, 0 outside, in between along the outline as the picture's colours say.

    Args:
        mask: (H, W) bool.
        image: (H, W, 3) uint8 RGB.
        radius: Pixels on both sides of the outline that may become partly opaque.
        epsilon: Larger values follow strong edges only; in units of squared intensity, 0 to 1.

    Returns:
        (H, W) float32, 0 to 1.
    """
    hard = mask.astype(np.float32)
    band = _band(mask, radius)
    if not band.any():
        return hard
    rows, columns = np.flatnonzero(band.any(axis=1)), np.flatnonzero(band.any(axis=0))
    margin = 2 * radius
    window = (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
    )
    guide = np.multiply(image[window], np.float32(1 / 255), dtype=np.float32)
    filtered = _guided(guide, hard[window], radius, epsilon)
    inside = band[window]
    hard[window][inside] = filtered[inside].clip(0, 1)
    return hard


def snap_to_edges(mask: Mask, image: Image, *, radius: int = 4, epsilon: float = 1e-4) -> Mask:
    """The mask with its outline moved to the picture's edges, where these are within ``radius`` pixels."""
    for _ in range(_ROUNDS):  # each goes a part of the way
        mask = np.asarray(soft_alpha(mask, image, radius=radius, epsilon=epsilon) > 0.5)
    return mask


def _band(mask: Mask, radius: int) -> Mask:
    """Pixels (H, W) within ``radius`` of the outline, on both sides."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    pixels = mask.astype(np.uint8)
    return np.asarray(cv2.dilate(pixels, disk) != cv2.erode(pixels, disk, borderType=cv2.BORDER_REPLICATE))


def _guided(
    guide: NDArray[np.float32], values: NDArray[np.float32], radius: int, epsilon: float
) -> NDArray[np.float32]:
    """``values`` (H, W) as a locally linear function of the guide (H, W, 3)."""

    def mean(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(pixels, (2 * radius + 1, 2 * radius + 1)), dtype=np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    covariance = mean(guide * values[..., None]) - mean_guide * mean_values[..., None]
    spread = np.stack([mean(guide * guide[..., i : i + 1]) for i in range(3)], axis=-1)
    spread -= mean_guide[..., :, None] * mean_guide[..., None, :]
    spread += np.float32(epsilon) * np.eye(3, dtype=np.float32)
    slope = np.linalg.solve(spread, covariance[..., None])[..., 0]
    offset = mean_values - (slope * mean_guide).sum(axis=-1)
    return np.asarray((mean(slope) * guide).sum(axis=-1) + mean(offset))
