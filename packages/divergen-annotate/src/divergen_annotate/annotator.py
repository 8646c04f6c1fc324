"""What an annotator is: pictures of one object in, one mask each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Annotator", "Image", "Mask", "Prediction"]

Image = NDArray[np.uint8]
"""A picture, (H, W, 3) uint8 RGB."""

Mask = NDArray[np.bool_]
"""A mask, (H, W) bool, true on the object."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an annotator says about one picture.

    Attributes:
        mask: (H, W) bool, true on the object, as the annotator made it (not yet repaired).
        score: The annotator's own confidence, 0 to 1.
    """

    mask: Mask
    score: float

    def __post_init__(self) -> None:
        mask: Any = self.mask
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise ValueError(f"a mask is (H, W) bool, not {mask.shape} {mask.dtype}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"a score is between 0 and 1, not {self.score!r}")


@runtime_checkable
class Annotator(Protocol):
    """Finds the one object of each picture.

    The answer for a picture depends on that picture alone: not on the batch, its order, or the process.
    An annotator that looks at another picture of the row than ``image`` says which in an attribute ``column``
    (`TrueAlpha` reads ``alpha``).

    Attributes:
        name: Goes into the row's ``annotator``.
    """

    name: str

    def __call__(self, images: Sequence[Image]) -> Sequence[Prediction]:
        """One prediction per picture (H, W, 3) uint8 RGB, in the same order; pictures may differ in size."""
