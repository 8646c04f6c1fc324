"""An annotator that tells the object from the background by the corner's colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from divergen_annotate import Prediction
from divergen_records import Config


class Corner:
    """Everything that differs from the top left pixel."""

    name = "corner"

    def __init__(self, tolerance: int) -> None:
        self.tolerance = tolerance

    def __call__(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        distances = [np.abs(image.astype(int) - image[0, 0]).max(axis=2) for image in images]
        return [Prediction(distance > self.tolerance, 0.9) for distance in distances]


class CornerConfig(Config):
    kind: Literal["corner"] = "corner"
    tolerance: int = 40

    def build(self) -> Corner:
        return Corner(self.tolerance)
