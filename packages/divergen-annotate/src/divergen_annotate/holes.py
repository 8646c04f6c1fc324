"""Whether a hole of a mask shows what lies behind the object, or is a piece of the object that a segmenter missed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask
from .background import fit_background, looks_plain

__all__ = ["Behind"]

_SAMPLES, _NEAREST = 200, 1000
"""Pixels looked at: of a hole, and of the background that is nearest to it."""

_PLAIN = 0.8
"""Share of what lies outside that has to look plain before "unlike the background" is evidence."""


class Behind:
    """What lies behind an object, as the picture outside its mask tells, and whether it shows in a hole of the mask.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, the object.
        labels: (H, W) int32, the regions that are not mask; 0 is the mask.
        inside: A flag for each label: it is a hole. The others are outside.
        likeness: Grey levels, largest difference over the channels.

    Attributes:
        plain: A flag for each label: half of the region or more is near a smooth surface through all that lies outside
            (a gradient goes on behind the object), or is that surface with less light on it.
    """

    def __init__(
        self, image: Image, mask: Mask, labels: NDArray[np.int32], inside: NDArray[np.bool_], likeness: float
    ) -> None:
        self._image, self._labels, self._likeness = image, labels, likeness
        outside = ~(mask | np.take(inside, labels))
        self.plain = np.zeros(inside.size, dtype=bool)
        self._outside, self._object = np.nonzero(outside), np.nonzero(mask)
        self._even = False  # where all around is object, only the object's own look is evidence
        if outside.any():
            plain = looks_plain(image, fit_background(image, outside), likeness)
            self._even = bool(plain[outside].mean() >= _PLAIN)
            shares = np.bincount(labels[plain], minlength=inside.size) / np.bincount(labels.ravel())
            self.plain = np.asarray(shares >= 0.5)

    def shows_in(self, hole: int) -> bool:
        """Whether at least half of a hole is background.

        A pixel is if it is plain, or if one of the nearest pixels outside has its colour (texture). Where the
        background is not plain, or nothing of it is outside, anything may show through: a hole is missing object only
        if it looks like the object.
        """
        if self.plain[hole] or self._share_near(hole, self._outside) >= 0.5:
            return True
        return not self._even and self._share_near(hole, self._object) < 0.9

    def _share_near(self, hole: int, where: tuple[NDArray[np.intp], ...]) -> float:
        """Share of a hole's pixels whose colour one of some other pixels (y, x) has, those nearest to its middle."""
        y, x = where
        at = np.flatnonzero(self._labels == hole)
        rows, columns = np.divmod(at, self._labels.shape[1])
        far = np.square(y - rows.mean()) + np.square(x - columns.mean())
        order = np.argpartition(far, _NEAREST)[:_NEAREST] if far.size > _NEAREST else np.arange(far.size)
        if not order.size:
            return 0.0
        others = self._image[y[order], x[order]].astype(np.int16)
        colours = self._image.reshape(-1, 3)[at[:: max(1, at.size // _SAMPLES)]].astype(np.int16)
        apart = np.abs(colours[:, None] - others[None]).max(axis=2).min(axis=1)
        return float((apart <= self._likeness).mean())
