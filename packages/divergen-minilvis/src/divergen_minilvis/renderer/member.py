"""What narrows a picture down to a part of all that a category may look like: a family of shapes, a finish, a light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from .attributes import Attributes
from .builder import Builder
from .looks import Shot
from .solids import FloatArray

__all__ = ["FamilyBuilder", "Member"]

T = TypeVar("T")
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Member:
    """One way to look of a category. What the attributes leave open is drawn as always.

    Attributes:
        family: Seed of the family of shapes: all its members have the same parts, and proportions that are alike.
        spread: How much members of a family differ, 0 (not at all) to 1 (as much as any two of the category).
        stretch: How much families differ in their proportions: standard deviation of the logarithm of each axis.
        attributes: Finish, view and pose.
        light: Ranges of numbers of a `Shot`, instead of the style's.
        fault: One of `looks.FAULTS`, or "": how the picture fails.
    """

    family: int
    spread: float = 0.3
    stretch: float = 0.0
    attributes: Attributes = field(default_factory=Attributes)
    light: Mapping[str, Range] = field(default_factory=dict)
    fault: str = ""

    def builder(self, rng: np.random.Generator) -> FamilyBuilder:
        """A builder of members of this family."""
        return FamilyBuilder(rng, family=np.random.Generator(np.random.PCG64(self.family)), spread=self.spread)

    def proportions(self) -> FloatArray:
        """(3,) factors of the object's axes."""
        rng = np.random.Generator(np.random.PCG64([self.family, 1]))
        return np.exp(self.stretch * rng.normal(size=3)).astype(np.float32)

    def lit(self, shot: Shot, rng: np.random.Generator) -> Shot:
        """The numbers of a picture in this light; a light from the left stays one from the left."""
        numbers = {name: float(rng.uniform(*span)) for name, span in self.light.items()}
        if "azimuth" in numbers:
            numbers["azimuth"] *= float(np.sign(shot.azimuth)) or 1.0
        return replace(shot, **numbers) if numbers else shot

    def filled(self, asked: Attributes) -> Attributes:
        """What a prompt asks for, and where it says nothing, what this way to look has."""
        own = self.attributes
        # A material that is asked for brings its own colour.
        colours = asked.colours or (() if asked.material else own.colours)
        return replace(
            asked,
            colours=colours,
            material=asked.material or own.material,
            pattern=asked.pattern or own.pattern,
            condition=asked.condition or own.condition,
            view=asked.view or own.view,
            pose=asked.pose or own.pose,
        )


@dataclass(slots=True)
class FamilyBuilder(Builder):
    """Builds members of a family: what a program draws is decided by the family, up to a spread.

    Which parts there are is the family's alone; a number lies about the family's own, within the program's range.
    """

    family: np.random.Generator = field(default_factory=np.random.default_rng)
    spread: float = 0.3

    def u(self, low: float, high: float) -> float:
        """Draw a number between `low` and `high`, near the family's."""
        place = float(self.family.random()) + self.spread * (float(self.rng.random()) - 0.5)
        return low + (high - low) * min(max(place, 0.0), 1.0)

    def chance(self, probability: float) -> bool:
        """Return whether the family has a thing of this probability."""
        return bool(self.family.random() < probability)

    def pick(self, *choices: T) -> T:
        """Return the family's choice."""
        return choices[int(self.family.integers(len(choices)))]
