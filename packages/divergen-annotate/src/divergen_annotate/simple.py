"""Annotators that need no model: a colour key for flat backgrounds, and the true alpha of a renderer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .annotator import Image, Picture, Prediction, Result, as_arrays
from .background import border_ring, fit_background, refuse_busy
from .confidence import COLOUR_KEY, measure

__all__ = ["ColourKey", "TrueAlpha"]


class ColourKey:
    """Everything that differs from the flat colour (or plain gradient) of the border; shadows count as object.

    Args:
        threshold: Distance from the background's colour, Euclidean, grey levels.
        border: Width of the border that shows the background, as a share of the picture's shorter side.
        plain: Pictures with a smaller share of plain border are refused: they are not what this is for; 0 refuses none.
    """

    name = "colour-key"

    def __init__(self, *, threshold: float = 30.0, border: float = 0.03, plain: float = 0.5) -> None:
        self.threshold, self.border, self.plain = threshold, border, plain

    def __call__(self, images: Sequence[Picture]) -> list[Result]:
        """One prediction per picture; the score is the IoU to expect, see `divergen_annotate.confidence`."""
        return [self._predict(image) for image in as_arrays(images)]

    def _predict(self, image: Image) -> Result:
        ring = border_ring(image.shape[0], image.shape[1], self.border)
        background = fit_background(image, ring)
        if (refusal := refuse_busy(image, ring, background, self.plain)) is not None:
            return refusal
        mask = np.asarray(background.distance(image) * background.noise > self.threshold)
        if not mask.any() or mask.all():
            return Prediction(mask, 0.0)
        return Prediction(mask, COLOUR_KEY.expect(measure(image, mask, background, self.border)))


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
