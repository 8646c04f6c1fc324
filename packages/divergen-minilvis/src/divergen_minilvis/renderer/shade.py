"""Light, materials and drawing manner: from fragments to colours, in the picture's linear RGB (gamma 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .attributes import Attributes
from .looks import Shot
from .materials import texture, waves
from .paint import Finish
from .patterns import draw_pattern
from .raster import Fragments
from .solids import FloatArray

__all__ = ["Canvas", "shade"]

HORIZON = np.float32(0.05)
FAR = np.float32(-1e4)
FAINT = 0.02
"""Textures weaker than this are not drawn."""
EMPTY = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A shaded object on a tight canvas.

    Attributes:
        rgb: (h, w, 3) float32 sRGB 0..1, multiplied by `alpha`.
        alpha: (h, w) float32 0 or 1.
        clear: (h, w) float32, how much of the backdrop shows through, multiplied by `alpha`.
    """

    rgb: FloatArray
    alpha: FloatArray
    clear: FloatArray


def shade(
    fragments: Fragments,
    finishes: Sequence[Finish],
    finish_of: np.ndarray,
    shot: Shot,
    attributes: Attributes,
    rng: np.random.Generator,
) -> Canvas:
    """Shade the visible fragments.

    Args:
        fragments: What is seen where.
        finishes: The paints in use.
        finish_of: (parts,) int, the paint of each part.
        shot: The numbers of this picture.
        attributes: The prompt's pattern and condition.
        rng: Draws textures and wear.
    """
    paint = finish_of[fragments.part]
    albedo = _albedo(fragments, finishes, paint, shot, attributes, rng)
    optics = np.array([[f.material.gloss, f.material.sharpness, f.material.metal, f.material.clear] for f in finishes])
    gloss, sharpness, metal, clear = (column.take(paint) for column in optics.astype(np.float32).T)
    occlusion, edges = _screen_space(fragments, paint, shot)
    colour = _light(fragments.normal, albedo, gloss * shot.gloss, sharpness, metal, occlusion, shot)
    rim = 1 - fragments.normal[:, 2]
    clear = clear * (1 - rim * rim)
    colour = np.sqrt(np.clip(colour, 0, 1.3))
    colour = _draw(colour, edges, clear, fragments, shot, rng)
    height, width = fragments.size
    flat = np.zeros((height * width, 5), np.float32)
    flat[fragments.pixel, :3] = np.clip(colour, 0, 1)
    flat[fragments.pixel, 3] = 1
    flat[fragments.pixel, 4] = clear
    image = flat.reshape(height, width, 5)
    return Canvas(image[..., :3], image[..., 3], image[..., 4])


def _albedo(
    fragments: Fragments,
    finishes: Sequence[Finish],
    paint: np.ndarray,
    shot: Shot,
    attributes: Attributes,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the linear colours (N, 3) of the surfaces: paint, pattern, texture, wear."""
    albedo: FloatArray = np.stack([finish.colour for finish in finishes]).take(paint, 0)
    seeds = rng.integers(0, 1 << 32, 3)
    for number, finish in enumerate(finishes):
        strength = finish.material.depth * shot.texture
        grained = bool(finish.material.grain) and strength > FAINT
        chosen = np.flatnonzero(paint == number) if grained or finish.decorated else EMPTY
        if not len(chosen):
            continue
        place, uv = fragments.place.take(chosen, 0), fragments.uv.take(chosen, 0)
        colour = albedo.take(chosen, 0)
        if finish.decorated:
            amount = draw_pattern(attributes.pattern, place, uv, np.random.default_rng(seeds[0]))[:, None]
            colour += (finish.second - colour) * amount
        if grained:
            grain = texture(finish.material.grain, place, uv, np.random.default_rng(seeds[1] + number))
            colour *= np.maximum(1 + 1.3 * strength * grain, 0.1)[:, None]
        albedo[chosen] = colour
    worn = {"worn", "dirty", "rusty"} & set(attributes.condition)
    if worn:
        albedo = _wear(albedo, fragments, worn, np.random.default_rng(seeds[2]))
    return albedo


def _wear(albedo: FloatArray, fragments: Fragments, worn: set[str], rng: np.random.Generator) -> FloatArray:
    """Fade, stain or rust the surface in blotches."""
    blotch = waves(fragments.place, 7, rng, 6) + 0.6 * waves(fragments.place, 26, rng, 6)
    if "worn" in worn:
        grey = 1.05 * albedo.mean(1, keepdims=True)
        albedo = _mix(albedo, grey, np.clip(0.35 + 0.3 * blotch, 0, 0.8))
        scratch = np.clip(waves(fragments.place, 45, rng, 5) + 0.5 * blotch - 0.75, 0, 0.4)
        albedo = _mix(albedo, np.full(3, 0.18, np.float32), scratch)
    if "dirty" in worn:
        amount = np.clip(0.35 + 0.5 * blotch - 0.4 * fragments.place[:, 1], 0, 0.75)
        albedo = _mix(albedo, np.array([0.11, 0.08, 0.05], np.float32), amount)
    if "rusty" in worn:
        albedo = _mix(albedo, np.array([0.26, 0.085, 0.03], np.float32), np.clip(0.3 + 1.2 * blotch, 0, 0.92))
    return albedo


def _mix(colour: FloatArray, other: FloatArray, amount: NDArray[Any]) -> FloatArray:
    """Return colours (N, 3) moved toward another by an amount (N,)."""
    return np.asarray(colour + (other - colour) * amount[:, None], np.float32)


def _light(
    normal: FloatArray,
    albedo: FloatArray,
    gloss: FloatArray,
    sharpness: FloatArray,
    metal: FloatArray,
    occlusion: FloatArray,
    shot: Shot,
) -> FloatArray:
    """Light the surface by a key light, its surroundings and, on metals, their reflection."""
    elevation, azimuth = np.radians(shot.elevation), np.radians(shot.azimuth)
    toward = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    facing = normal @ toward.astype(np.float32)
    diffuse = np.clip(facing * 0.8 + 0.2, 0, 1)
    if shot.levels:
        steps = round(shot.levels)
        diffuse = np.round(diffuse * steps) / steps
    warm = np.array([1 + shot.warmth, 1, 1 - shot.warmth], np.float32)
    ambient = shot.ambient * (0.78 + 0.22 * normal[:, 1]) * occlusion
    half = toward + np.array([0, 0, 1])
    highlight = np.clip(normal @ (half / np.linalg.norm(half)).astype(np.float32), 0, 1) ** sharpness * gloss
    if shot.levels:
        highlight = (highlight > 0.35) * 0.6 * np.minimum(gloss * 2, 1)
    mirrored = _surroundings(normal, toward)
    lit = shot.key * diffuse * (0.6 + 0.4 * occlusion) + ambient
    rim = (1 - normal[:, 2]) ** 3 * 0.25 * gloss
    lit = lit + (mirrored * 1.25 - lit) * metal * 0.8
    colour = albedo * lit[:, None] * warm
    white = highlight * (1 - 0.5 * metal) + rim * mirrored * (1 - metal)
    colour += white[:, None] * (1 - 0.5 * metal[:, None] * (1 - albedo)) * warm
    return np.asarray(colour * (shot.exposure * shot.exposure), np.float32)


def _surroundings(normal: FloatArray, toward: np.ndarray) -> FloatArray:
    """Return the brightness mirrored at each point: a studio with floor, dark horizon, bright sky and a window."""
    up = 2 * normal[:, 2] * normal[:, 1]
    across = 2 * normal[:, 2] * normal[:, 0]
    sky = np.clip((up - HORIZON) * 6, 0, 1)
    floor = np.clip((HORIZON - up) * 5, 0, 1)
    window = np.exp(-12 * (across - float(toward[0])) ** 2) * sky
    return np.asarray(0.28 + sky * (0.5 + 0.2 * up) + 0.45 * window + floor * (0.22 - 0.2 * up), np.float32)


def _screen_space(fragments: Fragments, paint: np.ndarray, shot: Shot) -> tuple[FloatArray, FloatArray | None]:
    """Return the openness (N,) of each point to the surroundings and, where drawn, the contours (N,)."""
    height, width = fragments.size
    extent = max(height, width)
    depth = np.zeros(height * width, np.float32)
    depth[fragments.pixel] = fragments.depth
    mask = np.zeros(height * width, np.float32)
    mask[fragments.pixel] = 1
    maps = np.stack([depth * mask, mask], -1).reshape(height, width, 2)
    small = cv2.resize(maps, (max(width // 3, 1), max(height // 3, 1)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(extent / 3 / 28, 0.5))
    around = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).reshape(-1, 2)[fragments.pixel]
    sunk = around[:, 0] / (around[:, 1] + 1e-3) - fragments.depth
    occlusion = np.clip(1 - shot.occlusion * np.clip(sunk / (0.09 * extent), 0, 1), 0.1, 1).astype(np.float32)
    if shot.outline <= 0:
        return occlusion, None
    return occlusion, _contours(fragments, paint, depth, mask, shot)


def _contours(fragments: Fragments, paint: np.ndarray, depth: FloatArray, mask: FloatArray, shot: Shot) -> FloatArray:
    """Return how much ink (N,) lies on each point: at silhouettes, paint borders and depth jumps."""
    height, width = fragments.size
    extent = max(height, width)
    identity = np.zeros(height * width, np.float32)
    identity[fragments.pixel] = paint + 1
    shape = (height, width)
    kernel = np.ones((3, 3), np.uint8)
    jumps = cv2.morphologyEx(np.where(mask > 0, depth, FAR).reshape(shape), cv2.MORPH_GRADIENT, kernel)
    borders = cv2.morphologyEx(identity.reshape(shape), cv2.MORPH_GRADIENT, kernel)
    line = ((jumps > 0.055 * extent) | (borders > 0)).astype(np.float32)
    sigma = max(shot.outline / 100 * extent / 2, 0.4)
    line = np.clip(cv2.GaussianBlur(line, (0, 0), sigma) * 2.4, 0, 1)
    return np.asarray(line.reshape(-1)[fragments.pixel] * shot.ink, np.float32)


def _pigment(size: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Return how paint pools on paper (h, w), of unit size about 0: blotches and the paper's grain."""
    field = np.zeros(size, np.float32)
    for cells, strength in ((4, 0.6), (13, 0.45), (min(size), 0.35)):
        coarse = rng.standard_normal((cells, cells), np.float32) * strength
        field += cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return field


def _draw(
    colour: FloatArray,
    edges: FloatArray | None,
    clear: FloatArray,
    fragments: Fragments,
    shot: Shot,
    rng: np.random.Generator,
) -> FloatArray:
    """Apply the manner of drawing to sRGB colours (N, 3): palette, contrast, pigment, pencil, contours."""
    grey = colour @ np.array([0.3, 0.59, 0.11], np.float32)
    colour = grey[:, None] + (colour - grey[:, None]) * shot.saturation
    colour = 0.5 + (colour - 0.5) * shot.contrast
    colour = colour + (1 - colour) * shot.pastel
    row, col = np.divmod(fragments.pixel, fragments.size[1])
    if shot.wash:
        pigment = _pigment(fragments.size, rng).ravel()[fragments.pixel]
        colour = 1 - (1 - colour) * np.clip(1 + 0.22 * shot.wash * pigment, 0.4, 1.5)[:, None]
    if shot.hatch:
        phase = (col + row) * np.float32(0.9) + waves(fragments.place, 5, rng)
        stroke = np.clip(0.5 + 0.5 * np.sin(phase) + (grey - 0.62) * 1.6, 0, 1)
        colour = 0.3 * colour + 0.7 * (0.45 + 0.52 * stroke)[:, None]
    if edges is not None:
        colour = colour * (1 - edges * (1 - 0.4 * clear))[:, None] + 0.08 * edges[:, None]
    return np.asarray(colour, np.float32)
