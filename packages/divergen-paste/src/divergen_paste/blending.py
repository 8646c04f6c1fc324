"""How an instance's pixels join the image's: each works only inside the pasted box.

A blend gets the image's ``region`` (h, w, 3) uint8, the resized ``crop`` of the same size, whose colours go on outside
the object, and its ``alpha`` (h, w) uint8, 255 inside, soft at the edges where the crop was reduced. It returns the
new region. The instance's mask is ``alpha >= 128`` whatever the blend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .options import Blend

__all__ = ["BLENDS", "opaque"]

Array = NDArray[np.uint8]


def opaque(alpha: Array) -> Array:
    """The mask of an alpha (h, w): 255 where it is 128 or more, else 0."""
    return cast("Array", cv2.threshold(alpha, 127, 255, cv2.THRESH_BINARY)[1])


def _hard(region: Array, crop: Array, alpha: Array) -> Array:
    result = region.copy()
    cv2.copyTo(crop, opaque(alpha), result)
    return result


def _feather(region: Array, crop: Array, alpha: Array) -> Array:
    weight = alpha.astype(np.float32) * np.float32(1 / 255)
    return cast("Array", cv2.blendLinear(crop, region, weight, 1 - weight))


def _gaussian(region: Array, crop: Array, alpha: Array) -> Array:
    return _feather(region, crop, cast("Array", cv2.GaussianBlur(alpha, (5, 5), 1.2, borderType=cv2.BORDER_CONSTANT)))


def _poisson(region: Array, crop: Array, alpha: Array) -> Array:
    pad = 4
    mask = opaque(alpha)
    x, y, width, height = cv2.boundingRect(mask)
    if min(width, height) < 8:
        # Nothing inside whose colours could be solved for.
        return _hard(region, crop, alpha)
    below, above = (cv2.copyMakeBorder(part, pad, pad, pad, pad, cv2.BORDER_REPLICATE) for part in (region, crop))
    framed = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    # OpenCV puts the centre of the mask's box at the given point.
    centre = (pad + x + width // 2, pad + y + height // 2)
    cloned = cv2.seamlessClone(above, below, framed, centre, cv2.NORMAL_CLONE)
    inside = cloned[pad : pad + alpha.shape[0], pad : pad + alpha.shape[1]]
    return np.where(mask[..., None] > 0, inside, region)


def _laplacian(region: Array, crop: Array, alpha: Array) -> Array:
    levels = max(min(4, int(np.log2(max(min(alpha.shape), 1))) - 2), 0)
    weight = [cv2.merge([alpha.astype(np.float32) / 255] * 3)]
    below, above = [region.astype(np.float32)], [crop.astype(np.float32)]
    for _ in range(levels):
        for pyramid in (weight, below, above):
            pyramid.append(cv2.pyrDown(pyramid[-1]))
    mixed = above[-1] * weight[-1] + below[-1] * (1 - weight[-1])
    for level in reversed(range(levels)):
        size = weight[level].shape[1::-1]
        up = [cv2.pyrUp(pyramid[level + 1], dstsize=size) for pyramid in (above, below)]
        share = weight[level]
        detail = (above[level] - up[0]) * share + (below[level] - up[1]) * (1 - share)
        mixed = cv2.pyrUp(mixed, dstsize=size) + detail
    result = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    # The coarse levels reach far; outside the object's own neighbourhood nothing may change.
    reach = cv2.dilate(alpha, np.ones((5, 5), np.uint8))
    return _feather(region, result, cast("Array", cv2.blur(reach, (3, 3), borderType=cv2.BORDER_CONSTANT)))


BLENDS: dict[Blend, Callable[[Array, Array, Array], Array]] = {
    "hard": _hard,
    "feather": _feather,
    "gaussian": _gaussian,
    "poisson": _poisson,
    "laplacian": _laplacian,
}
"""`hard` copies; `feather` mixes by the anti-aliased alpha; `gaussian` softens the alpha by about 2 px (X-Paste's
"gaussian", which is a box filter over black, darkens the edges); `poisson` keeps the instance's gradients and takes the
image's colours (Perez et al., 2003); `laplacian` mixes each frequency band over its own width (Burt & Adelson
1983)."""
