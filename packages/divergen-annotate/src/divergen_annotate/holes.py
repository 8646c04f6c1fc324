"""Whether a hole of a mask shows what lies behind the object, or is a piece of the object that a segmenter missed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask
from .background import fit_background, looks_plain

__all__ = ["shows_background"]

_SAMPLES, _NEAREST = 200, 1000
"""Pixels looked at: of a hole, and of the background that is nearest to it."""

_PLAIN = 0.8
"""Share of what lies outside that has to look plain before "unlike the background" is evidence."""


def shows_background(
    image: Image, holes: Sequence[Mask], mask: Mask, outside: Mask, *, likeness: float = 20.0
) -> list[bool]:
    """Tell for each hole whether at least half of it is background, in light or in shadow.

    A pixel is, if it is near a smooth surface through all that lies outside (a gradient goes on behind the object), if
    it is that surface with less light on it, or if one of the nearest pixels outside has its colour (texture). Where
    the background is not plain, anything may show through: a hole is missing object only if it looks like the object
    around it.

    Args:
        image: (H, W, 3) uint8 RGB.
        holes: (H, W) bool each.
        mask: (H, W) bool, the object.
        outside: (H, W) bool, what is neither mask nor hole. If there is nothing outside, no hole shows it.
        likeness: Grey levels, largest difference over the channels; more where the background is noisy.
    """
    if not outside.any():
        return [False] * len(holes)
    plain = looks_plain(image, fit_background(image, outside), likeness)
    even = plain[outside].mean() >= _PLAIN
    behind, object_ = np.nonzero(outside), np.nonzero(mask)
    shown = []
    for hole in holes:
        like = plain[hole].mean() >= 0.5 or _share_near(image, hole, behind, likeness) >= 0.5
        shown.append(bool(like or (not even and _share_near(image, hole, object_, likeness) < 0.9)))
    return shown


def _share_near(image: Image, hole: Mask, where: tuple[NDArray[np.intp], ...], likeness: float) -> float:
    """Share of a hole's pixels whose colour one of some other pixels (y, x) has, those nearest to its middle."""
    y, x = where
    at = np.flatnonzero(hole)
    rows, columns = np.divmod(at, hole.shape[1])
    far = np.square(y - rows.mean()) + np.square(x - columns.mean())
    order = np.argpartition(far, _NEAREST)[:_NEAREST] if far.size > _NEAREST else np.arange(far.size)
    others = image[y[order], x[order]].astype(np.int16)
    colours = image.reshape(-1, 3)[at[:: max(1, at.size // _SAMPLES)]].astype(np.int16)
    apart = np.abs(colours[:, None] - others[None]).max(axis=2).min(axis=1)
    return float((apart <= likeness).mean())
