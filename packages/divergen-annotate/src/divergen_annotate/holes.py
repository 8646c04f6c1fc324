"""What lies around an object, and behind it: whether a hole of a mask shows it, and whether a speck is nothing else."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from divergen_records.masks import fill_holes
from numpy.typing import NDArray

from .annotator import Image, Mask
from .background import Background, fit_background, looks_plain

__all__ = ["Behind", "Paper"]

_SAMPLES, _NEAREST = 200, 1000
"""Pixels looked at: of a hole, and of the background that is nearest to it."""

_PLAIN = 0.8
"""Share of what lies outside that has to look plain before "unlike the background" is evidence."""


class Paper:
    """What lies outside an object as one smooth surface: paper, a wall, a gradient; looked at when it is asked for.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, the object.
        likeness: Grey levels, largest difference over the channels.
    """

    def __init__(self, image: Image, mask: Mask, likeness: float = 20.0) -> None:
        self.image, self._mask, self.likeness = image, mask, likeness

    @cached_property
    def _outside(self) -> Mask:
        return ~fill_holes(self._mask)

    @cached_property
    def _surface(self) -> Background:
        return fit_background(self.image, self._outside)

    @cached_property
    def plain(self) -> Mask:
        """Where the picture (H, W) is near that surface, or is it with less light; nowhere if nothing is outside."""
        if not self._outside.any():
            return np.zeros_like(self._outside)
        return looks_plain(self.image, self._surface, self.likeness)

    @cached_property
    def is_even(self) -> bool:
        """Whether so much outside is near it that "unlike the surface" is evidence."""
        return bool(self._outside.any() and self.plain[self._outside].mean() >= _PLAIN)

    def shares(self, labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
        """How much of each of the regions ``labels`` (H, W) is near it."""
        return np.asarray(np.bincount(labels[self.plain], minlength=count) / np.bincount(labels.ravel()))

    def bare(self, labels: NDArray[np.int32], which: NDArray[np.intp]) -> NDArray[np.intp]:
        """Those of some regions of the mask that are nothing but that surface, and unlike the object.

        Their mean colour has to lie within half of ``likeness`` of the surface there, and farther than ``likeness``
        from the object's: a shadow, or white on white, is no evidence.

        Args:
            labels: (H, W) int32, the regions.
            which: Their labels.
        """
        if not which.size or not self._outside.any():
            return which[:0]
        number = np.zeros(int(labels.max()) + 1, dtype=np.int32)
        number[which] = np.arange(1, which.size + 1)
        groups = np.take(number, labels).ravel()
        at = np.flatnonzero(groups)
        seen, behind = (values.reshape(-1, 3) for values in (self.image, self._surface.colour))
        colours, surface = (_means(values[at], groups[at] - 1, which.size) for values in (seen, behind))
        objects = np.flatnonzero(self._mask)
        middle = np.median(seen[objects[:: max(1, objects.size // _NEAREST)]], axis=0)
        near = np.abs(colours - surface).max(axis=1) <= self.likeness / 2
        return np.asarray(which[near & (np.abs(colours - middle).max(axis=1) > self.likeness)])


def _means(values: NDArray[Any], groups: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """The mean of (N, 3) values in each of ``count`` groups that all have some, (count, 3)."""
    sums = [np.bincount(groups, weights=values[:, channel], minlength=count) for channel in range(3)]
    return np.asarray(np.stack(sums, axis=1) / np.bincount(groups, minlength=count)[:, None])


class Behind:
    """What lies behind an object, as the picture outside its mask tells, and whether it shows in a hole of the mask.

    Args:
        paper: What lies outside.
        mask: (H, W) bool, the object.
        labels: (H, W) int32, the regions that are not mask; 0 is the mask.
        inside: A flag for each label: it is a hole. The others are outside.

    Attributes:
        plain: A flag for each label: half of the region or more is near the surface through all that lies outside
            (a gradient goes on behind the object).
    """

    def __init__(self, paper: Paper, mask: Mask, labels: NDArray[np.int32], inside: NDArray[np.bool_]) -> None:
        self._labels, self._likeness = labels, paper.likeness
        self._colours = paper.image.reshape(-1, 3).astype(np.int16)
        self._outside, self._object = np.flatnonzero(~(mask | np.take(inside, labels))), np.flatnonzero(mask)
        self._even = paper.is_even  # where all around is object, only the object's own look is evidence
        self.plain = np.asarray(paper.shares(labels, inside.size) >= 0.5)

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
