"""Pictures that come with their own alpha."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["over_white", "split_alpha"]

_OPAQUE = 250
"""Alpha from which a pixel hides what is behind it: a picture that is so throughout has no alpha."""


def split_alpha(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """A picture as it is seen over white, and its alpha.

    Args:
        pixels: (H, W, C) uint8: grey, grey and alpha, RGB, or RGBA.

    Returns:
        (H, W, 3) uint8 RGB, and alpha (H, W) uint8, 255 where the object is; None where all is opaque.
    """
    channels = pixels.shape[2]
    colour = pixels[..., : channels - (channels in (2, 4))]
    colour = np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour
    return over_white(colour, pixels[..., -1] if channels in (2, 4) else None)


def over_white(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """As `split_alpha`, of (H, W, 3) colours and (H, W) alpha."""
    if alpha is None or int(alpha.min()) >= _OPAQUE:
        return image, None
    share = alpha[..., None].astype(np.float32) / 255
    return (image * share + 255 * (1 - share)).round().astype(np.uint8), alpha
