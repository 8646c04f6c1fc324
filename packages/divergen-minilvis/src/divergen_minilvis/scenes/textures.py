"""Surfaces of the scenes: wood, tiles, brick, grass, cloth and so on, as square swatches.

A texture is a function ``(rng, size) -> (size, size, 3) float32 RGB in 0..1``. Swatches are tiled by reflection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["GROUND", "INDOOR_FLOOR", "TABLE", "WALL", "Image", "Texture", "colour", "fractal", "limit"]

Image = NDArray[np.float32]
Texture = Callable[[np.random.Generator, int], Image]


def fractal(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4) -> Image:
    """Smooth noise of several scales, (height, width) float32 about 0 with a deviation near 1.

    Args:
        rng: Random numbers.
        height: Pixels.
        width: Pixels.
        cell: Size of the largest bumps, pixels.
        octaves: Scales, each half the size and half the strength of the one before.
    """
    total = np.zeros((1, 1), np.float32)
    for octave in range(octaves):
        bump = cell / 2**octave
        if octave and bump < 1:
            break
        grid = (max(2, round(height / bump) + 1), max(2, round(width / bump) + 1))
        # Each scale is added on its own grid: only the last one costs as much as the picture.
        total = cv2.resize(total, grid[::-1], interpolation=cv2.INTER_CUBIC)
        total += rng.standard_normal(grid, np.float32) * np.float32(0.5**octave)
    return np.asarray(cv2.resize(total, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def colour(
    rng: np.random.Generator, hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]
) -> Image:
    """A random RGB colour, (3,) float32 in 0..1; hue in degrees, the rest in 0..1."""
    hsv = np.array([[[rng.uniform(*hue) % 360, rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    rgb: Image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return rgb


def limit(image: Any) -> Image:
    """Clip to 0..1, as float32."""
    return np.asarray(np.clip(image, 0, 1), np.float32)


def _paint(base: Image, *layers: NDArray[Any]) -> Image:
    out = np.broadcast_to(base, (*layers[0].shape, 3)).copy()
    for layer in layers:
        out *= 1 + layer[..., None]
    return limit(out)


def _steps(rng: np.random.Generator, size: int, low: float, high: float) -> NDArray[np.int64]:
    """Edges of strips between ``low`` and ``high`` of ``size`` wide; the index of its strip for each pixel."""
    width = rng.uniform(low, high) * size
    return ((np.arange(size) + rng.uniform(0, width)) / width).astype(np.int64)


def wood(rng: np.random.Generator, size: int) -> Image:
    """Boards with grain along x."""
    base = colour(rng, (18, 38), (0.25, 0.65), (0.3, 0.8))
    strips = _steps(rng, size, 0.1, 0.3)
    count = int(strips[-1]) + 1
    grain = cv2.resize(rng.standard_normal((size, 8), np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    wave = fractal(rng, size, size, size / 3, 3)
    rings = np.sin(np.arange(size, dtype=np.float32)[:, None] / size * 60 + 3 * wave).astype(np.float32)
    boards = rng.normal(0, 0.09, count).astype(np.float32)[strips][:, None]
    seams = -0.45 * (np.diff(strips, prepend=strips[0]) > 0).astype(np.float32)[:, None]
    return _paint(base, 0.07 * grain + 0.05 * rings, np.broadcast_to(boards + seams, (size, size)).copy())


def tiles(rng: np.random.Generator, size: int) -> Image:
    """Square tiles with joints, in one colour or as a chessboard."""
    cell = rng.uniform(0.1, 0.28) * size
    row, inside_y = np.divmod(np.arange(size, dtype=np.float32), cell)
    joint = (inside_y < max(1.5, 0.03 * cell)).astype(np.float32)
    board = ((row[:, None] + row[None, :]) % 2).astype(np.float32)
    base = colour(rng, (0, 360), (0.03, 0.35), (0.45, 0.9))
    other = colour(rng, (0, 360), (0.03, 0.4), (0.15, 0.9)) if rng.random() < 0.5 else base
    grid = np.maximum(joint[:, None], joint[None, :])
    mixed = base + board[..., None] * (other - base)
    grout = np.float32(rng.uniform(0.3, 0.8))
    mixed = mixed + grid[..., None] * (grout - mixed)
    shade: Image = (0.05 * fractal(rng, size, size, cell, 4))[..., None]
    return limit(mixed * (1 + shade))


def brick(rng: np.random.Generator, size: int) -> Image:
    """Running bond."""
    height = rng.uniform(0.06, 0.1) * size
    row, inside_y = np.divmod(np.arange(size, dtype=np.float32), height)
    across = np.arange(size, dtype=np.float32)[None, :] + (row[:, None] % 2) * height * 1.2
    column, inside_x = np.divmod(across, height * 2.4)
    joint = (inside_y[:, None] < 0.12 * height) | (inside_x < 0.12 * height)
    tone = np.sin(column * 12.9 + row[:, None] * 78.2) * 43758.5
    tone = ((tone - np.floor(tone)) - 0.5).astype(np.float32)
    base = (
        colour(rng, (5, 28), (0.25, 0.6), (0.35, 0.7))
        if rng.random() < 0.7
        else colour(rng, (0, 360), (0, 0.1), (0.5, 0.9))
    )
    out = _paint(base, 0.35 * tone, 0.08 * fractal(rng, size, size, height, 4))
    out[joint] = rng.uniform(0.5, 0.8) * (1 + 0.1 * rng.standard_normal((int(joint.sum()), 1), np.float32))
    return limit(out)


def grass(rng: np.random.Generator, size: int) -> Image:
    """Blades as fine upright noise over patches of two greens."""
    fine = cv2.blur(rng.standard_normal((size, size), np.float32), (1, 5))
    patches = fractal(rng, size, size, size / 3, 4)
    base = colour(rng, (65, 115), (0.35, 0.7), (0.3, 0.6))
    dry = colour(rng, (45, 80), (0.3, 0.6), (0.4, 0.65))
    mix = np.clip(0.3 + 0.25 * patches, 0, 1)[..., None]
    return limit((base + mix * (dry - base)) * (1 + 0.42 * fine[..., None] + 0.1 * patches[..., None]))


def sand(rng: np.random.Generator, size: int) -> Image:
    """Sand or earth with ripples."""
    base = colour(rng, (25, 45), (0.15, 0.45), (0.45, 0.85))
    wave = fractal(rng, size, size, size / 3, 3)
    ripple = np.sin(np.arange(size, dtype=np.float32)[:, None] / size * rng.uniform(40, 90) + 3 * wave)
    grit = rng.standard_normal((size, size), np.float32)
    return _paint(base, 0.06 * ripple, 0.08 * wave + 0.09 * grit)


def asphalt(rng: np.random.Generator, size: int) -> Image:
    """Asphalt or concrete: grey, gritty, stained."""
    base = colour(rng, (0, 360), (0, 0.08), (0.25, 0.7))
    stains = fractal(rng, size, size, size / 2, 5)
    return _paint(base, 0.08 * stains, rng.uniform(0.04, 0.14) * rng.standard_normal((size, size), np.float32))


def leaves(rng: np.random.Generator, size: int) -> Image:
    """Fallen leaves or gravel: overlapping spots of related colours."""
    hue = rng.uniform(0, 360) if rng.random() < 0.3 else rng.uniform(15, 60)
    spread, saturation = rng.uniform(5, 30), (0.1, 0.25) if rng.random() < 0.5 else (0.3, 0.7)
    out = np.empty((size, size, 3), np.float32)
    out[:] = colour(rng, (hue, hue + spread), saturation, (0.15, 0.4))
    big = rng.uniform(0.012, 0.035) * size
    tones = [colour(rng, (hue - spread, hue + spread), saturation, (0.25, 0.8)).tolist() for _ in range(24)]
    for spot in range(round(min(1000, 1.2 * (size / big) ** 2))):
        centre = (int(rng.integers(size)), int(rng.integers(size)))
        axes = (max(1, round(big * rng.uniform(0.5, 1.2))), max(1, round(big * rng.uniform(0.3, 0.8))))
        cv2.ellipse(out, centre, axes, float(rng.uniform(0, 180)), 0, 360, tones[spot % 24], -1, cv2.LINE_AA)
    return _paint(np.ones(3, np.float32), 0.1 * fractal(rng, size, size, big * 2, 3)) * out


def plaster(rng: np.random.Generator, size: int) -> Image:
    """A painted wall."""
    base = colour(rng, (0, 360), (0.02, 0.3), (0.5, 0.97))
    return _paint(
        base, 0.03 * fractal(rng, size, size, size / 2, 5), 0.012 * rng.standard_normal((size, size), np.float32)
    )


def wallpaper(rng: np.random.Generator, size: int) -> Image:
    """Stripes or a repeated motif in two close tones."""
    base = colour(rng, (0, 360), (0.05, 0.45), (0.45, 0.95))
    other = np.clip(base * rng.uniform(0.65, 1.3) + rng.normal(0, 0.05, 3), 0, 1).astype(np.float32)
    period = rng.uniform(0.05, 0.2) * size
    x = np.arange(size, dtype=np.float32)[None, :] / period * 2 * np.pi
    y = np.arange(size, dtype=np.float32)[:, None] / period * 2 * np.pi
    kind = rng.integers(3)
    wave = np.sin(x) + 0 * y if kind == 0 else np.sin(x) * np.sin(y) if kind == 1 else np.cos(x + np.sin(y))
    mix = np.clip(0.5 + rng.uniform(1, 5) * (wave - rng.uniform(-0.3, 0.5)), 0, 1)[..., None].astype(np.float32)
    return limit((base + mix * (other - base)) * (1 + 0.02 * fractal(rng, size, size, size / 2, 4)[..., None]))


def cloth(rng: np.random.Generator, size: int) -> Image:
    """A tablecloth or carpet: plain, striped or checked, with weave and folds."""
    base = colour(rng, (0, 360), (0.05, 0.75), (0.25, 0.95))
    other = colour(rng, (0, 360), (0.0, 0.6), (0.2, 0.98))
    strips = (_steps(rng, size, 0.03, 0.12) % 2).astype(np.float32)
    kind = rng.integers(3)
    mix = np.zeros((size, size), np.float32)
    if kind == 1:
        mix += strips[:, None]
    elif kind == 2:
        mix += (strips[:, None] + strips[None, :]) / 2
    weave = rng.standard_normal((size, size), np.float32)
    folds = fractal(rng, size, size, size / 1.5, 3)
    fabric = base + mix[..., None] * (other - base)
    return limit(fabric * (1 + 0.06 * weave + 0.1 * folds)[..., None])


def marble(rng: np.random.Generator, size: int) -> Image:
    """Stone with veins."""
    base = colour(rng, (0, 360), (0, 0.15), (0.2, 0.95))
    vein = np.abs(fractal(rng, size, size, size / 2, 5))
    vein = np.exp(-rng.uniform(6, 14) * vein)
    dark = np.float32(rng.choice([-0.4, -0.2, 0.4]))
    return _paint(base, dark * vein, 0.05 * fractal(rng, size, size, size / 4, 5))


WALL: tuple[Texture, ...] = (plaster, plaster, wallpaper, brick, wood, tiles)
INDOOR_FLOOR: tuple[Texture, ...] = (wood, wood, tiles, cloth, marble, asphalt)
GROUND: tuple[Texture, ...] = (grass, grass, sand, asphalt, leaves, brick)
TABLE: tuple[Texture, ...] = (wood, wood, cloth, cloth, marble, plaster, tiles, leaves, sand, grass)
