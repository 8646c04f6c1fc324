"""How a shape program is written: a builder that collects painted parts, and the program's own facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from . import solids
from .solids import FloatArray, Surface

__all__ = ["Builder", "ShapePart", "ShapeProgram", "box_outline"]

Vector = tuple[float, float, float]
Range = tuple[float, float]
T = TypeVar("T")
Points: TypeAlias = ArrayLike | Sequence[object]
"""Points, rows of points, or lists of arrays that numpy stacks."""
HERE: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ShapePart:
    """A surface and its paint: a role or colour, with a material after a slash: ``"main"``, ``"black/rubber"``."""

    surface: Surface
    paint: str


@dataclass(frozen=True, slots=True)
class ShapeProgram:
    """A category as the renderer knows it.

    Attributes:
        build: Adds the parts of one random member of the category to a builder.
        colours: What the role ``main`` may be by nature; names of `colours.COLOURS`.
        accents: What the role ``accent`` may be.
        material: The material of ``main`` when the prompt names none.
        yaw: Degrees about the vertical axis from which it is usually seen.
        pitch: Degrees from which the camera usually looks down.
        roll: Degrees turned in the picture plane (things that lie around have no upright).
        front: The yaw at which its front is seen.
        aliases: Other names of the category.
    """

    build: Callable[[Builder], None]
    colours: tuple[str, ...] = ("white",)
    accents: tuple[str, ...] = ("black", "white", "grey")
    material: str = "plastic"
    yaw: Range = (-35.0, 35.0)
    pitch: Range = (5.0, 30.0)
    roll: Range = (-4.0, 4.0)
    front: float = 0.0
    aliases: tuple[str, ...] = ()


def box_outline(width: float, depth: float, corner: float = 0.02) -> FloatArray:
    """Return the outline of a box from above, with softened corners."""
    return solids.rectangle(width, depth, corner)


@dataclass(slots=True)
class Builder:
    """Collects the parts of one object. All randomness comes from `rng`, drawn in the program's order."""

    rng: np.random.Generator
    parts: list[ShapePart] = field(default_factory=list)
    _at: Vector = HERE
    _matrix: FloatArray = field(default_factory=lambda: np.eye(3, dtype=np.float32))

    def u(self, low: float, high: float) -> float:
        """Draw a number between `low` and `high`."""
        return float(low + (high - low) * self.rng.random())

    def chance(self, probability: float) -> bool:
        """Return whether a thing of this probability happens."""
        return bool(self.rng.random() < probability)

    def pick(self, *choices: T) -> T:
        """Draw one of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def add(self, surface: Surface, paint: str, at: ArrayLike = HERE, turn: Sequence[float] = HERE) -> None:
        """Add a surface, turned by Euler degrees and moved, in the current frame."""
        if any(turn):
            surface = surface.moved(solids.rotation(turn), at)
            at = HERE
        shift = self._matrix @ np.asarray(at, np.float32) + np.asarray(self._at, np.float32)
        self.parts.append(ShapePart(surface.moved(self._matrix, shift), paint))

    def place(self, at: Vector = HERE, turn: Sequence[float] = HERE, scale: float = 1.0) -> None:
        """Set the frame in which the next parts are added: scaled, turned and moved from the object's own."""
        self._at, self._matrix = at, solids.rotation(turn) * np.float32(scale)

    def revolve(
        self,
        profile: Points,
        paint: str = "main",
        at: ArrayLike = HERE,
        turn: Sequence[float] = HERE,
        sides: int = 25,
    ) -> None:
        """Add a profile of (radius, height) turned about the y axis; a solid if both its ends are on the axis."""
        rows = np.asarray(profile, np.float32)[:, ::-1]
        closed = bool(rows[0, 1] < 0.01 and rows[-1, 1] < 0.01)
        self.add(solids.loft(solids.circle(sides), rows, closed=closed), paint, at, turn)

    def curve(
        self,
        profile: Points,
        paint: str = "main",
        at: ArrayLike = HERE,
        turn: Sequence[float] = HERE,
        count: int = 18,
    ) -> None:
        """Add a smooth revolved profile through the (radius, height) points."""
        rows = solids.smooth(profile, count)
        rows[:, 0] = np.maximum(rows[:, 0], 0)
        self.revolve(rows, paint, at, turn)

    def ball(
        self, radii: float | Vector, paint: str = "main", at: ArrayLike = HERE, turn: Sequence[float] = HERE
    ) -> None:
        """Add an ellipsoid."""
        rx, ry, rz = (radii, radii, radii) if isinstance(radii, int | float) else radii
        angle = np.radians(np.linspace(-90, 90, 13))
        rows = np.stack([ry * np.sin(angle), rx * np.cos(angle), rz * np.cos(angle)], -1)
        self.add(solids.loft(solids.circle(21), rows), paint, at, turn)

    def box(
        self,
        size: Vector,
        paint: str = "main",
        at: ArrayLike = HERE,
        turn: Sequence[float] = HERE,
        *,
        corner: float = 0.03,
        top: float | tuple[float, float] = 1.0,
    ) -> None:
        """Add a box of (width, height, depth) about its middle; `top` scales its upper face."""
        width, height, depth = size
        corner = min(corner, 0.45 * min(size))
        tx, tz = (top, top) if isinstance(top, int | float) else top
        inset = 1 - corner / max(width, depth)
        half = height / 2
        mx, mz = (inset, 0.0) if width > depth else (0.0, inset)
        rows = [(-half, mx, mz), (-half, inset, inset), (corner - half, 1, 1)]
        rows += [(half - corner, tx, tz), (half, tx * inset, tz * inset), (half, tx * mx, tz * mz)]
        self.add(solids.loft(box_outline(width, depth, corner), rows), paint, at, turn)

    def tube(
        self,
        path: Points,
        radius: ArrayLike,
        paint: str = "main",
        *,
        bend: int = 0,
        flat: float = 1.0,
        sides: int = 13,
    ) -> None:
        """Add a tube; with `bend`, along the spline through the path, sampled at so many points."""
        line, width = np.asarray(path, dtype=np.float32), np.asarray(radius, np.float32)
        if bend:
            if width.ndim:
                width = solids.smooth(width[:, None], bend)[:, 0]
            line = solids.smooth(line, bend)
        self.add(solids.tube(line, width, flat=flat, sides=sides), paint)

    def plate(
        self,
        outline: Points,
        depth: float,
        paint: str = "main",
        at: ArrayLike = HERE,
        turn: Sequence[float] = HERE,
        *,
        bevel: float = 0.03,
        front: float = 1.0,
    ) -> None:
        """Add an outline in x and y, star-shaped about its middle, with thickness along z."""
        self.add(solids.extrude(outline, depth, bevel=bevel, front=front), paint, at, turn)

    def pillow(
        self,
        outline: Points,
        depth: float,
        paint: str = "main",
        at: ArrayLike = HERE,
        turn: Sequence[float] = HERE,
        *,
        holes: Sequence[ArrayLike] = (),
        rim: float = 0.15,
        bend: float = 0.0,
    ) -> None:
        """Add any outline in x and y, inflated along z."""
        for face in solids.pillow(outline, depth, holes=holes, rim=rim, bend=bend):
            self.add(face, paint, at, turn)

    def sheet(self, points: Points, paint: str = "main", at: ArrayLike = HERE, turn: Sequence[float] = HERE) -> None:
        """Add a thin surface through a grid of points (n, m, 3)."""
        self.add(solids.sheet(points), paint, at, turn)

    def ring(
        self, radius: float, thick: float, paint: str = "main", at: ArrayLike = HERE, turn: Sequence[float] = HERE
    ) -> None:
        """Add a torus about the z axis."""
        loop = np.concatenate([radius * solids.circle(25), np.zeros((25, 1), np.float32)], 1)
        self.add(solids.tube(loop, thick, sides=11, capped=False), paint, at, turn)
