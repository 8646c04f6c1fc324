"""Annotators that need no model: a colour key for flat backgrounds, and the true alpha of a renderer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .annotator import Image, Picture, Prediction, as_arrays
from .background import border_ring, fit_background

__all__ = ["ColourKey", "TrueAlpha"]


class ColourKey:
    """Everything that differs from the flat colour (or plain gradient) of the border; shadows count as object.

    Args:
        threshold: Distance from the background's colour, Euclidean, grey levels.
        border: Width of the border that shows the background, as a share of the picture's shorter side.
    """

    name = "colour-key"

    def __init__(self, *, threshold: float = 30.0, border: float = 0.03) -> None:
        self.threshold, self.border = threshold, border

    def __call__(self, images: Sequence[Picture]) -> list[Prediction]:
        """One prediction per picture; the score is how cleanly the threshold separates."""
        return [self._predict(image) for image in as_arrays(images)]

    def _predict(self, image: Image) -> Prediction:
        background = fit_background(image, border_ring(image.shape[0], image.shape[1], self.border))
        distance = background.distance(image) * background.noise
        unsure = (distance > 0.5 * self.threshold) & (distance < 1.5 * self.threshold)
        return Prediction(distance > self.threshold, 1.0 - float(unsure.mean()))


class TrueAlpha:
    """The alpha that the generator recorded: the truth, where it is known. Reads the column ``alpha``.

    Args:
        threshold: A pixel belongs to the object from this coverage on, 0 to 1.
    """

    name = "true-alpha"
    column = "alpha"

    def __init__(self, *, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def __call__(self, images: Sequence[Picture]) -> list[Prediction]:
        """One prediction per alpha, read as a grey picture."""
        return [Prediction(np.asarray(image[..., 0] >= 255 * self.threshold), 1.0) for image in as_arrays(images)]
