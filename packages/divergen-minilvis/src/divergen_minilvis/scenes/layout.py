"""Where things go: on the ground in perspective or anywhere on a surface seen from above, crowded but not buried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Spot", "arrange"]

CANDIDATES = 6


@dataclass(frozen=True)
class Spot:
    """A place for one thing.

    Attributes:
        x: Column of its middle, pixels.
        y: Row of its foot (on the ground) or of its middle (from above), pixels.
        extent: Its longer side, pixels.
        angle: Turned by, degrees, counter-clockwise.
        mirrored: Left for right.
        standing: Whether ``y`` is its foot.
        depth: Drawing order; what is drawn later hides what was drawn before.
    """

    x: float
    y: float
    extent: float
    angle: float
    mirrored: bool
    standing: bool
    depth: float

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Top row and left column of a cutout of this size."""
        top = self.y - height if self.standing else self.y - height / 2
        return round(top), round(self.x - width / 2)

    def overlap(self, other: Spot) -> float:
        """Share of the smaller one's square that the other's covers."""
        dy = abs(self._middle() - other._middle())
        dx = abs(self.x - other.x)
        reach = (self.extent + other.extent) / 2
        shared = max(0.0, reach - dx) * max(0.0, reach - dy)
        smaller = min(self.extent, other.extent)
        return min(1.0, shared / smaller**2)

    def _middle(self) -> float:
        return self.y - self.extent / 2 if self.standing else self.y


def arrange(
    rng: np.random.Generator, count: int, height: int, width: int, horizon: float | None, *, squeeze: float = 0.0
) -> list[Spot]:
    """Spots for ``count`` things.

    Args:
        rng: Random numbers.
        count: How many.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
        horizon: Row where the ground begins; None if seen from above.
        squeeze: 0 to 1: makes things smaller and keeps them apart, for another attempt after one was hidden.
    """
    base = rng.uniform(0.8, 1.2) * (1 - 0.5 * squeeze) / max(1.0, count / 3) ** 0.5
    crowd = rng.uniform(0.1, 0.6) * (1 - squeeze)
    spots: list[Spot] = []
    for _ in range(count):
        relative = base * np.exp(rng.uniform(np.log(0.2), np.log(0.85)))
        tries = [_spot(rng, relative, height, width, horizon) for _ in range(CANDIDATES)]
        worst = [max((spot.overlap(other) for other in spots), default=0.0) for spot in tries]
        free = [spot for spot, share in zip(tries, worst, strict=True) if share <= crowd]
        spots.append(free[0] if free else tries[int(np.argmin(worst))])
    return spots


def _spot(rng: np.random.Generator, relative: float, height: int, width: int, horizon: float | None) -> Spot:
    side = min(height, width)
    mirrored = bool(rng.random() < 0.5)
    if horizon is None:
        extent = max(14.0, relative * side)
        x, y = rng.uniform(0.02, 0.98) * width, rng.uniform(0.02, 0.98) * height
        return Spot(x, y, extent, rng.uniform(0, 360), mirrored, False, rng.random())
    nearness = rng.beta(1.6, 1.2)
    extent = max(14.0, relative * side * (0.6 + 0.65 * nearness))
    y = horizon + (0.05 + 1.02 * nearness) * (height - horizon)
    return Spot(rng.uniform(0.02, 0.98) * width, y, extent, 0.0, mirrored, True, y)
