"""Let a pasted instance share the light of its place: its colours, and a shadow where it stands."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["contact_shadow", "match_colours"]

Array = NDArray[np.uint8]

PULL = 0.5
"""Part of the way that an instance's colours go towards those of its place: all of it would paint it over."""
SHIFT = np.array([28.0, 10.0, 10.0])
"""Most that lightness and the two colours of Lab move, of 255: an instance stays recognisable."""
SPREAD = (0.8, 1.25)
"""Contrast becomes so many times what it was, at least and at most."""

DARK = 0.5
"""Share of the light that the middle of a shadow takes."""
FLAT = 0.2
"""Height of a shadow as a share of its object's."""
SOFT = 0.05
"""Blur of a shadow as a share of its object's width."""
COARSE = 48
"""Width in which a shadow is blurred, pixels."""
LEAST = 12
"""Objects with a side below so many pixels throw no shadow that one would see."""


def match_colours(crop: Array, alpha: Array, place: Array) -> Array:
    """Move the colours of a crop some of the way to those of its place: mean and spread in Lab (Reinhard et al. 2001).

    Args:
        crop: (h, w, 3) uint8 RGB.
        alpha: (h, w) uint8; what counts is where it is 128 or more.
        place: (h', w', 3) uint8 RGB, the part of the image that the crop is put onto.
    """
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)
    mean, spread = (part.ravel() for part in cv2.meanStdDev(lab, mask=(alpha >= 128).view(np.uint8)))
    there, spread_there = (part.ravel() for part in cv2.meanStdDev(cv2.cvtColor(place, cv2.COLOR_RGB2LAB)))
    shift = np.clip(PULL * (there - mean), -SHIFT, SHIFT)
    contrast = np.clip((spread_there[0] / max(spread[0], 1.0)) ** PULL, *SPREAD)
    scale = np.array([contrast, 1.0, 1.0])
    values = np.arange(256, dtype=np.float32)[:, None]
    table = np.clip((values - mean) * scale + mean + shift + 0.5, 0, 255).astype(np.uint8)
    return cast("Array", cv2.cvtColor(cv2.LUT(lab, table[None]), cv2.COLOR_LAB2RGB))


def contact_shadow(alpha: Array) -> tuple[NDArray[np.float32], int, int] | None:
    """The shadow of an object on the ground that it stands on, from its outline pressed flat.

    Args:
        alpha: (h, w) uint8.

    Returns:
        The share of light that it takes (h', w') float32, 0..1, and where its left and top edge lie relative to the
        alpha's, pixels; None where it would not be seen.
    """
    column, row, width, height = cv2.boundingRect((alpha >= 128).view(np.uint8))
    if min(width, height) < LEAST:
        return None
    flat = max(round(FLAT * height), 2)
    pad = int(np.ceil(2.5 * max(SOFT * width, 1.0)))
    # Blurred in small: a shadow has no detail, and a wide kernel would cost more than the whole paste.
    shrink = max(width / COARSE, 1.0)
    small = [max(round(side / shrink), 1) for side in (width, flat, pad)]
    outline = alpha[row : row + height, column : column + width]
    pressed = cv2.resize(outline, (small[0], small[1]), interpolation=cv2.INTER_AREA)
    room = small[2]
    framed = cv2.copyMakeBorder(pressed, room, room, room, room, cv2.BORDER_CONSTANT, value=0)
    soft = cv2.GaussianBlur(framed, (0, 0), room / 2.5)
    whole = cv2.resize(soft, (width + 2 * pad, flat + 2 * pad), interpolation=cv2.INTER_LINEAR)
    # Its middle lies a little above the object's lowest edge, so that it shows at both sides and in front.
    return whole * np.float32(DARK / 255), column - pad, row + height - round(0.6 * flat) - pad
