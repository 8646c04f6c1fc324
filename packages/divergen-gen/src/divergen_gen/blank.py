"""Pictures that show nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_blank"]

_RANGE = 4
"""A picture whose grey levels all lie closer together than this is blank."""


def is_blank(image: NDArray[np.uint8]) -> bool:
    """Whether a picture (H, W, 3) is of one colour throughout, to the noise of its compression."""
    return int(image.max()) - int(image.min()) < _RANGE
