"""What surfaces are made of: a table of optical numbers, and solid textures in the object's own frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .solids import FloatArray

__all__ = ["MATERIALS", "Material", "speckle", "texture", "waves"]


BLOCK = 64
"""Side of the block of noise; a power of two."""


@dataclass(frozen=True, slots=True)
class Material:
    """Optical numbers of a material, all in 0..1 unless said.

    Attributes:
        gloss: Strength of the highlight.
        sharpness: Exponent of the highlight.
        metal: How much it mirrors its surroundings in its own colour.
        clear: How much of what lies behind shows through.
        grain: Which solid texture: "", "mottle", "wood", "weave", "fur", "stone", "brushed", "wicker",
            "marble", "pores", "screen".
        depth: Strength of the texture.
        tint: The material's natural colour when the prompt names the material but no colour.
    """

    gloss: float = 0.2
    sharpness: float = 20.0
    metal: float = 0.0
    clear: float = 0.0
    grain: str = ""
    depth: float = 0.0
    tint: tuple[str, ...] = ()


MATERIALS: dict[str, Material] = {
    "plastic": Material(0.35, 30),
    "ceramic": Material(0.55, 60, grain="mottle", depth=0.04),
    "metal": Material(0.6, 50, metal=0.75, grain="brushed", depth=0.06, tint=("silver", "steel")),
    "chrome": Material(0.9, 90, metal=1.0, tint=("silver",)),
    "gold": Material(0.8, 60, metal=0.9, tint=("gold",)),
    "brass": Material(0.7, 50, metal=0.85, tint=("gold", "bronze")),
    "copper": Material(0.7, 50, metal=0.85, tint=("copper",)),
    "iron": Material(0.3, 16, metal=0.5, grain="mottle", depth=0.15, tint=("charcoal", "darkgrey")),
    "wooden": Material(0.15, 16, grain="wood", depth=0.3, tint=("wood", "darkwood", "tan")),
    "bamboo": Material(0.2, 18, grain="wood", depth=0.18, tint=("straw", "tan")),
    "glass": Material(0.9, 110, clear=0.72, tint=("mint", "white", "sky")),
    "crystal": Material(1.0, 120, metal=0.25, clear=0.6, tint=("white",)),
    "fabric": Material(0.04, 6, grain="weave", depth=0.14),
    "wool": Material(0.02, 5, grain="weave", depth=0.3),
    "velvet": Material(0.08, 4, grain="mottle", depth=0.2),
    "denim": Material(0.03, 6, grain="weave", depth=0.25, tint=("navy", "cobalt")),
    "leather": Material(0.25, 14, grain="mottle", depth=0.1, tint=("brown", "chestnut", "black")),
    "fur": Material(0.03, 5, grain="fur", depth=0.17),
    "paper": Material(0.03, 6, grain="mottle", depth=0.05, tint=("cream", "white", "tan")),
    "rubber": Material(0.12, 10, grain="mottle", depth=0.06, tint=("charcoal", "black")),
    "stone": Material(0.08, 10, grain="stone", depth=0.3, tint=("grey", "beige")),
    "marble": Material(0.5, 50, grain="marble", depth=0.35, tint=("white", "cream")),
    "concrete": Material(0.04, 8, grain="stone", depth=0.2, tint=("grey", "lightgrey")),
    "clay": Material(0.06, 8, grain="mottle", depth=0.1, tint=("terracotta",)),
    "wax": Material(0.25, 14, clear=0.06, grain="mottle", depth=0.05),
    "skin": Material(0.3, 22, grain="mottle", depth=0.12),
    "peel": Material(0.35, 22, grain="pores", depth=0.1),
    "food": Material(0.12, 10, grain="stone", depth=0.22),
    "bread": Material(0.08, 8, grain="mottle", depth=0.3),
    "leaf": Material(0.15, 14, grain="mottle", depth=0.22),
    "wicker": Material(0.08, 8, grain="wicker", depth=0.4, tint=("straw", "tan")),
    "paint": Material(0.6, 70, metal=0.12),
    "screen": Material(0.5, 80, grain="screen", depth=0.5),
    "flat": Material(0.05, 8),
}


def waves(place: FloatArray, frequency: float, rng: np.random.Generator, count: int = 7) -> FloatArray:
    """Return smooth noise (N,) of unit size at points (N, 3): a sum of plane waves in random directions."""
    direction = rng.normal(size=(3, count))
    direction *= frequency * rng.uniform(0.5, 1.5, count) / np.linalg.norm(direction, axis=0)
    phase = rng.uniform(0, 6.28, count)
    with np.errstate(invalid="ignore"):  # some BLAS flag what lies beside the array; no number is affected
        value = np.sin(place @ direction.astype(np.float32) + phase.astype(np.float32))
        return np.asarray(value @ np.full(count, 1.6 / count, np.float32), np.float32)


@lru_cache(maxsize=1)
def _volume() -> FloatArray:
    """Return a periodic block of correlated noise, unit variance, flattened."""
    block = np.random.default_rng(1).standard_normal((BLOCK, BLOCK, BLOCK)).astype(np.float32)
    for axis in range(3):
        block = block + 0.6 * (np.roll(block, 1, axis) + np.roll(block, -1, axis))
    return np.asarray(block / block.std(), np.float32).ravel()


def speckle(place: FloatArray, cells: float | FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return fine noise (N,) of unit size at points (N, 3), with so many cells to the object unit."""
    offset = rng.uniform(0, BLOCK, 3).astype(np.float32)
    x, y, z = (place * np.float32(cells) + offset).astype(np.int32).T & (BLOCK - 1)
    return np.asarray(_volume()[(x * BLOCK + y) * BLOCK + z], np.float32)


def texture(kind: str, place: FloatArray, uv: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the relative brightness (N,) about 0 of a solid texture.

    Args:
        kind: A material's `grain`.
        place: (N, 3) object positions, the object being 2 long.
        uv: (N, 2) surface coordinates on that scale.
        rng: Draws the texture's own phase.
    """
    if kind == "wood":
        return _wood(place, rng)
    if kind == "weave":
        threads = np.sin(uv[:, 0] * 150) * np.sin(uv[:, 1] * 150)
        return np.asarray(threads + 0.5 * waves(place, 9, rng), np.float32)
    if kind == "fur":
        return 0.8 * speckle(place, np.array([48, 18, 48], np.float32), rng) + 0.15 * waves(place, 8, rng)
    if kind in ("stone", "pores"):
        return 0.9 * speckle(place, 44, rng) + 0.2 * waves(place, 9, rng)
    if kind == "brushed":
        return waves(place * np.array([0.1, 1, 0.1], np.float32), 60, rng)
    if kind == "marble":
        vein = np.abs(waves(place, 5, rng) + 0.4 * waves(place, 14, rng))
        return np.asarray(-np.exp(-vein * 9) + 0.1, np.float32)
    if kind == "wicker":
        over = np.sign(np.sin(uv[:, 0] * 55)) * np.sin(uv[:, 1] * 28 + 1.6 * np.sign(np.sin(uv[:, 0] * 27.5)))
        return np.asarray(over, np.float32)
    if kind == "screen":
        return 0.6 * place[:, 1] + 0.5 * waves(place, 3, rng)
    return waves(place, 6, rng) * 0.5 + 0.25 * speckle(place, 24, rng)


def _wood(place: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return rings and streaks along the longest side of the piece."""
    along = int(np.argmax(np.ptp(place, axis=0)))
    squeeze = np.ones(3, np.float32)
    squeeze[along] = 0.08
    trunk = place * squeeze
    across = trunk @ np.array([1.0, 0.7, 1.3], np.float32) + 0.08 * waves(trunk, 9, rng, 4)
    return np.asarray(0.45 * np.sin(across * 30) + 0.55 * waves(trunk, 55, rng, 6), np.float32)
