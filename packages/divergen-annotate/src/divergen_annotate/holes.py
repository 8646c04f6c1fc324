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
        self._labels, self._likeness = labels, likeness
        self._colours = image.reshape(-1, 3).astype(np.int16)
        outside = ~(mask | np.take(inside, labels))
        self.plain = np.zeros(inside.size, dtype=bool)
        self._outside, self._object = np.flatnonzero(outside), np.flatnonzero(mask)
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
        if it looks like the object, and what is outside does not.
        """
        at = np.flatnonzero(self._labels == hole)
        if self.plain[hole] or self._share_like(at, at, self._outside) >= 0.5:
            return True
        if self._even:
            return False
        outside = self._nearest(at, self._outside)
        return self._share_like(at, at, self._object) < 0.9 or self._share_like(outside, at, self._object) >= 0.5

    def _share_like(self, which: NDArray[np.intp], near: NDArray[np.intp], where: NDArray[np.intp]) -> float:
        """Share of some pixels whose colour is among those of other pixels, of those nearest to the middle of a hole.

        Args:
            which: The pixels, as all are by their number in the picture.
            near: Those of the hole.
            where: The other pixels.
        """
        others = self._colours[self._nearest(near, where)]
        if not len(others) or not len(which):
            return 0.0
        colours = self._colours[which[:: max(1, which.size // _SAMPLES)]]
        apart = np.abs(colours[:, None] - others[None]).max(axis=2).min(axis=1)
        return float((apart <= self._likeness).mean())

    def _nearest(self, hole: NDArray[np.intp], where: NDArray[np.intp]) -> NDArray[np.intp]:
        """Those of some pixels that are nearest to a hole's middle."""
        if where.size <= _NEAREST:
            return where
        rows, columns = np.divmod(hole, self._labels.shape[1])
        y, x = np.divmod(where, self._labels.shape[1])
        far = np.square(y - rows.mean()) + np.square(x - columns.mean())
        return where[np.argpartition(far, _NEAREST)[:_NEAREST]]
