"""Patterns drawn on surfaces: where the second colour is, from surface coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .materials import waves
from .solids import FloatArray

__all__ = ["PATTERNS", "draw_pattern"]

PATTERNS = (
    "striped", "dotted", "checkered", "plaid", "floral", "zigzag", "camouflage", "marbled", "gradient", "stars",
)  # fmt: skip


def draw_pattern(kind: str, place: FloatArray, uv: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return how much (N,) of the second colour, 0..1, lies at each point.

    Args:
        kind: One of `PATTERNS`.
        place: (N, 3) object positions, the object being 2 long.
        uv: (N, 2) surface coordinates on that scale.
        rng: Draws scale, angle and phase.
    """
    scale = rng.uniform(4.5, 9.0)
    angle = rng.choice([0.0, 0.0, np.pi / 2, np.pi / 4])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    a, b = np.ascontiguousarray((uv @ turn).T) * np.float32(scale) + rng.uniform(0, 1, (2, 1)).astype(np.float32)
    if kind == "striped":
        return _edge(np.sin(2 * np.pi * a) - rng.uniform(-0.4, 0.4))
    if kind == "checkered":
        return _edge(np.sin(np.pi * a) * np.sin(np.pi * b) * 3)
    if kind == "plaid":
        return (_edge(np.sin(2 * np.pi * a)) + _edge(np.sin(2 * np.pi * b)) + _edge(np.sin(np.pi * a) - 0.9)) * 0.42
    if kind == "zigzag":
        return _edge(np.sin(2 * np.pi * (a + np.abs(b % 1 - 0.5))))
    if kind == "camouflage":
        return _edge(waves(place, 6, rng, 5) * 1.5) * (0.6 + 0.4 * _edge(waves(place, 7, rng, 5)))
    if kind == "marbled":
        return np.asarray(np.clip(0.5 + waves(place + 0.2 * waves(place, 7, rng)[:, None], 7, rng), 0, 1), np.float32)
    if kind == "gradient":
        return np.asarray(np.clip(0.5 - 0.6 * place[:, 1], 0, 1), np.float32)
    return _spots(kind, a, b, rng)


def _edge(value: NDArray[Any]) -> FloatArray:
    """Turn a signed field into a mask with a soft edge."""
    return np.asarray(np.clip(0.5 + 3.5 * value, 0, 1), np.float32)


def _spots(kind: str, a: FloatArray, b: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw dots, flowers or stars in a brick lattice."""
    row = np.floor(b)
    x, y = (a + 0.5 * (row % 2)) % 1 - 0.5, b % 1 - 0.5
    radius = np.sqrt(x * x + y * y)
    if kind == "dotted":
        return _edge((rng.uniform(0.24, 0.34) - radius) * 4)
    petals = 5 if kind == "stars" else int(rng.integers(5, 8))
    bearing = np.arctan2(y, x)
    if kind == "stars":
        reach = 0.3 - 0.16 * np.abs((bearing * petals / (2 * np.pi)) % 1 - 0.5) * 2
        return _edge((reach - radius) * 5)
    reach = 0.26 + 0.14 * np.cos(petals * bearing)
    return _edge((reach - radius) * 5) * (1 - 0.8 * _edge((0.1 - radius) * 6))
