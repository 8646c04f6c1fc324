"""Which colour and material each part of an object gets, from the program's palette and the prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .attributes import Attributes
from .builder import ShapeProgram
from .colours import COLOURS
from .materials import MATERIALS, Material

__all__ = ["Finish", "Palette"]


@dataclass(frozen=True, slots=True)
class Finish:
    """A part's paint, resolved.

    Attributes:
        colour: (3,) float32 linear RGB, 0..1.
        second: (3,) float32, the pattern's colour.
        material: Its optical numbers.
        decorated: The prompt's pattern is drawn on it.
    """

    colour: np.ndarray
    second: np.ndarray
    material: Material
    decorated: bool


class Palette:
    """Resolves paints such as ``"main"``, ``"accent/metal"`` or ``"red/fabric"`` for one object."""

    def __init__(
        self, program: ShapeProgram, attributes: Attributes, *, jitter: float, rng: np.random.Generator
    ) -> None:
        """Draw the object's own colours.

        Args:
            program: The category's palette.
            attributes: The prompt's colours and material win over the program's.
            jitter: Spread of the colours.
            rng: Draws the choice and the jitter.
        """
        natural = [str(rng.choice(names)) for names in (program.colours, program.accents)]
        spoken = MATERIALS[attributes.material].tint if attributes.material else ()
        if spoken:
            natural[0] = str(rng.choice(spoken))
        asked = attributes.colours
        self._roles = {"main": asked[0] if asked else natural[0], "accent": asked[1] if len(asked) > 1 else natural[1]}
        self._material = {"main": attributes.material or program.material}
        self._decorated = attributes.pattern not in ("", "plain")
        self._condition = attributes.condition
        self._jitter = (rng.normal(size=(8, 3)) * [0.5, 0.5, 0.5] + rng.normal(size=(8, 1))) * jitter
        self._swatches: dict[str, int] = {}
        self._other = str(rng.choice(["white", "navy", "red", "yellow", "black", "cream", "teal"]))

    def finish(self, paint: str) -> Finish:
        """Resolve one paint.

        Raises:
            KeyError: If a program names a colour or material that does not exist (a test renders every program).
        """
        role, _, material = paint.partition("/")
        main = role == "main"
        number = self._swatches.setdefault(role, len(self._swatches)) % len(self._jitter)
        colour = _linear(self._roles.get(role, role)) * np.exp(self._jitter[number])
        second = _linear(self._roles["accent"] if main else self._roles["main"])
        if np.abs(second - colour).sum() < 0.15:
            second = _linear(self._other)
        name = self._material["main"] if main else material or "plastic"
        if main and material and name == "plastic":
            name = material
        return Finish(
            np.clip(colour, 0, 1).astype(np.float32),
            second.astype(np.float32),
            self._aged(MATERIALS[name]) if main else MATERIALS[name],
            main and self._decorated,
        )

    def _aged(self, material: Material) -> Material:
        """Return the material as the prompt's condition makes it."""
        if "glossy" in self._condition or "wet" in self._condition:
            material = replace(material, gloss=min(material.gloss + 0.5, 1.2), sharpness=max(material.sharpness, 60))
        if "matte" in self._condition:
            material = replace(material, gloss=material.gloss * 0.15)
        if "transparent" in self._condition:
            material = replace(material, clear=max(material.clear, 0.6))
        return material


def _linear(name: str) -> np.ndarray:
    """Return a named colour as linear RGB (gamma 2)."""
    return np.square(np.array(COLOURS[name], np.float64) / 255)
