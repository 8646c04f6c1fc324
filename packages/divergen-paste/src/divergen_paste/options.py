"""The words that settings use, in a module that loads nothing."""

from __future__ import annotations

from typing import Literal

__all__ = ["Balance", "Blend", "Count", "Fit", "Harmonize", "Place"]

Count = Literal["uniform", "fixed", "poisson"]
Balance = Literal["category", "instance", "frequency", "inverse_frequency"]
Fit = Literal["mask", "box"]
Place = Literal["uniform", "avoid", "invite"]
Blend = Literal["hard", "feather", "gaussian", "poisson", "laplacian"]
Harmonize = Literal["none", "colour", "shadow", "both"]
