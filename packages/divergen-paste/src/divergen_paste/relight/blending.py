"""Pasted instances in the light that a model gives them, small ones less: a model does not know what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from divergen_records import short_hash
from divergen_records.sample import Instance
from numpy.typing import NDArray

__all__ = ["Relight", "Relighter", "blend_back", "kept_share"]

Array = NDArray[np.uint8]

_SEAM = 3
"""Side of the blur by which new light fades at an object's edge, pixels."""


class Relighter(Protocol):
    """Gives a picture's objects the light of the picture.

    Attributes:
        identity: A short text of model and settings that changes whenever its pictures would.
    """

    identity: str

    def __call__(self, image: Array, mask: NDArray[np.bool_], seed: int) -> Array:
        """The picture relit; the same for the same arguments.

        Args:
            image: (H, W, 3) uint8 RGB, objects pasted.
            mask: (H, W) bool, where the objects are; what comes back for the rest is not used.
            seed: Of all that is random.

        Returns:
            (H, W, 3) uint8 RGB.
        """


class Relight:
    """A relighter, and how much of what it makes is taken (SOS: blending on top of relighting).

    Args:
        relighter: The model.
        half: Side in pixels (the root of the visible area) of an object that keeps half of its own pixels' weight;
            smaller ones keep more.
    """

    def __init__(self, relighter: Relighter, half: float = 48.0) -> None:
        self.relighter, self.half = relighter, half

    @property
    def identity(self) -> str:
        """Hash of all that its pictures depend on."""
        return short_hash("relight/1", self.relighter.identity, self.half)

    def __repr__(self) -> str:
        return f"Relight({self.identity})"

    def __call__(self, image: Array, instances: Sequence[Instance], seed: int) -> Array:
        """The image with these instances in new light, and all else as it was.

        Args:
            image: (H, W, 3) uint8 RGB, instances pasted.
            instances: What was pasted and is visible.
            seed: Of this image.
        """
        if not instances:
            return image
        mask = np.zeros(image.shape[:2], dtype=bool)
        for instance in instances:
            mask[instance.slices] |= instance.mask
        return blend_back(image, self.relighter(image, mask, seed), instances, self.half)


def kept_share(area: int, half: float) -> float:
    """Weight of its own pixels that an object of so many visible pixels keeps: 0.5 at ``half`` squared, 1 near 0."""
    return half**2 / (half**2 + area)


def blend_back(image: Array, relit: Array, instances: Sequence[Instance], half: float) -> Array:
    """Each instance's pixels between what they were and what they became, by its size.

    Args:
        image: (H, W, 3) uint8 RGB, before.
        relit: The same size, after.
        instances: Whose pixels change.
        half: See `Relight`.
    """
    done = image.copy()
    for instance in instances:
        place = instance.slices
        inside = instance.mask.astype(np.float32)
        new = cv2.blur(inside, (_SEAM, _SEAM), borderType=cv2.BORDER_CONSTANT) * inside
        new *= 1 - kept_share(instance.area, half)
        done[place] = cv2.blendLinear(image[place], relit[place], 1 - new, new)
    return done
