"""Things of no category: stones, cables, sheets, blocks. A detector must learn to leave them alone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .textures import Image, colour, fractal

__all__ = ["Cutout", "draw_clutter"]


@dataclass(frozen=True)
class Cutout:
    """A picture of one thing, cropped to it.

    Attributes:
        rgb: (h, w, 3) float32 in 0..1, premultiplied by ``alpha``.
        alpha: (h, w) float32 in 0..1.
        clear: (h, w) float32, at most ``alpha``: how much of what lies behind shows through, as through glass.
    """

    rgb: Image
    alpha: Image
    clear: Image


def draw_clutter(rng: np.random.Generator, size: int) -> Cutout:
    """A random thing of about ``size`` pixels."""
    kind = (_stone, _cable, _sheet, _block, _shards)[rng.integers(5)]
    rgb, alpha = kind(rng, 2 * size)
    rgb = np.clip(rgb * (1 + 0.06 * fractal(rng, 2 * size, 2 * size, size / 2, 5))[..., None], 0, 1).astype(np.float32)
    alpha = cv2.resize(alpha, (size, size), interpolation=cv2.INTER_AREA)
    rgb = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA) * alpha[..., None]
    return Cutout(rgb, alpha, np.zeros_like(alpha))


def _any_colour(rng: np.random.Generator) -> Image:
    return colour(rng, (0, 360), (0.02, 0.75), (0.12, 0.95))


def _stone(rng: np.random.Generator, size: int) -> tuple[Image, Image]:
    """A lump, shaded as a bumpy dome."""
    y, x = np.mgrid[-1 : 1 : 1j * size, -1 : 1 : 1j * size].astype(np.float32)
    bumps = fractal(rng, size, size, size / 2, 4)
    dome = 0.8 - (x**2 + (y * rng.uniform(1.0, 1.8)) ** 2) + 0.12 * bumps
    alpha = (dome > 0).astype(np.float32)
    height = np.sqrt(np.clip(dome, 0, None)) * size / 3
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(height, (0, 0), size / 100))
    light = np.clip(
        0.75 - 0.25 * (np.cos(a := rng.uniform(0, 6.28)) * slope_x + slope_y + np.sin(a) * slope_x), 0.25, 1.3
    )
    rgb = colour(rng, (0, 60), (0.02, 0.3), (0.3, 0.8)) * light[..., None]
    return rgb.astype(np.float32), alpha


def _cable(rng: np.random.Generator, size: int) -> tuple[Image, Image]:
    """A cable, a cord or a twig: a thick curve with a bright ridge."""
    turns = np.linspace(0, 1, 60)
    phase = rng.uniform(0, 6.28, 4)
    wind = rng.uniform(0.5, 2.5, 2)
    x = 0.5 + 0.3 * np.sin(wind[0] * 4 * turns + phase[0]) + 0.12 * np.sin(9 * turns + phase[2])
    y = 0.5 + 0.3 * np.cos(wind[1] * 4 * turns + phase[1]) + 0.12 * np.sin(8 * turns + phase[3])
    points = (np.stack([x, y], 1) * size).astype(np.int32)
    width = max(2, round(rng.uniform(0.02, 0.06) * size))
    tone = _any_colour(rng)
    rgb, alpha = np.empty((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    rgb[:] = tone * 0.6
    cv2.polylines(alpha, [points], False, 1.0, width, cv2.LINE_8)
    cv2.polylines(
        rgb, [points - width // 5], False, np.clip(tone * 1.3, 0, 1).tolist(), max(1, width // 3), cv2.LINE_AA
    )
    return rgb, alpha


def _sheet(rng: np.random.Generator, size: int) -> tuple[Image, Image]:
    """A sheet of paper or a leaflet, lying askew, with print on it."""
    flat = np.empty((size, size, 3), np.float32)
    flat[:] = colour(rng, (0, 360), (0, 0.3), (0.6, 1.0))
    ink = _any_colour(rng).tolist()
    row = 0.08 * size
    while row < 0.9 * size:
        tall = rng.uniform(0.015, 0.12) * size
        end = (round(rng.uniform(0.4, 0.95) * size), round(row + tall))
        cv2.rectangle(flat, (round(0.08 * size), round(row)), end, ink, -1 if rng.random() < 0.7 else 1)
        row += tall + rng.uniform(0.03, 0.12) * size
    corners = np.float32([[0, 0], [size, 0], [size, size], [0, size]])  # type: ignore[arg-type]
    target = (0.5 + _turned(rng, rng.uniform(0.2, 0.48), rng.uniform(0.2, 0.48))) * size
    warp = cv2.getPerspectiveTransform(corners, target.astype(np.float32))
    rgb = cv2.warpPerspective(flat, warp, (size, size), borderMode=cv2.BORDER_REPLICATE)
    alpha = np.zeros((size, size), np.float32)
    cv2.fillConvexPoly(alpha, target.astype(np.int32), 1.0)
    return rgb, alpha


def _turned(rng: np.random.Generator, half_width: float, half_height: float) -> NDArray[np.float64]:
    box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height)
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    jitter: NDArray[np.float64] = box @ turn * (1, rng.uniform(0.5, 1)) + rng.normal(0, 0.02, (4, 2))
    return jitter.clip(-0.49, 0.49)


def _block(rng: np.random.Generator, size: int) -> tuple[Image, Image]:
    """A wedge or a prism with two or three visible faces."""
    tone = _any_colour(rng)
    base = rng.uniform(0.6, 0.85) * size
    left, right = rng.uniform(0.05, 0.25) * size, rng.uniform(0.75, 0.95) * size
    edge = rng.uniform(left + 0.2 * size, right - 0.2 * size)
    tops = rng.uniform(0.1, 0.5, 3) * size
    drop = rng.uniform(0.03, 0.12) * size
    faces = [
        [(left, tops[0]), (edge, tops[1]), (edge, base + drop), (left, base)],
        [(edge, tops[1]), (right, tops[2]), (right, base), (edge, base + drop)],
        [(left, tops[0]), (edge, tops[1]), (right, tops[2])],
    ]
    rgb, alpha = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    for face, light in zip(faces, rng.uniform(0.5, 1.15, 3), strict=True):
        points = np.array(face).round().astype(np.int32)
        cv2.fillPoly(rgb, [points], np.clip(tone * light, 0, 1).tolist())
        cv2.fillPoly(alpha, [points], 1.0)
    return rgb, alpha


def _shards(rng: np.random.Generator, size: int) -> tuple[Image, Image]:
    """Scraps: a few convex pieces in related colours, overlapping."""
    rgb, alpha = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    tone = _any_colour(rng)
    for _ in range(rng.integers(1, 5)):
        centre, reach = rng.uniform(0.3, 0.7, 2), rng.uniform(0.12, 0.3)
        points = ((centre + rng.uniform(-reach, reach, (7, 2))) * size).astype(np.int32)
        hull = cv2.convexHull(points)
        piece = np.clip(tone * rng.uniform(0.55, 1.2) + rng.normal(0, 0.04, 3), 0, 1)
        cv2.fillConvexPoly(rgb, hull, piece.tolist())
        cv2.fillConvexPoly(alpha, hull, 1.0)
    return rgb, alpha
