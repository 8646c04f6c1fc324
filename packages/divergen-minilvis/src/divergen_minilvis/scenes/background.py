"""Places without objects: rooms, open air, table tops, each with the ground that objects stand on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import textures
from .textures import Image, Texture, colour, fractal, limit

__all__ = ["Place", "draw_place"]


@dataclass(frozen=True)
class Place:
    """An empty scene.

    Attributes:
        image: (H, W, 3) float32 RGB in 0..1.
        horizon: Row where the ground ends, pixels; None where the camera looks straight down on it.
    """

    image: Image
    horizon: float | None


def draw_place(rng: np.random.Generator, height: int, width: int) -> Place:
    """A random place, blurred a little where it is far away, and lit from a side."""
    kind = rng.choice(4, p=[0.32, 0.26, 0.17, 0.25])
    place = (_room, _open_air, _table, _from_above)[kind](rng, height, width)
    image = place.image * _lighting(rng, height, width)[..., None]
    return Place(np.clip(image, 0, 1, out=image), place.horizon)


def _pick(rng: np.random.Generator, choices: tuple[Texture, ...]) -> Texture:
    return choices[rng.integers(len(choices))]


def _room(rng: np.random.Generator, height: int, width: int) -> Place:
    horizon = rng.uniform(0.3, 0.62) * height
    image = _wall(rng, height, width, horizon)
    edge = round(horizon)
    ground = _ground(rng, _pick(rng, textures.INDOOR_FLOOR), height, width, horizon)
    image[edge:] = ground[edge:]
    if rng.random() < 0.6:
        board = round(rng.uniform(0.015, 0.05) * height)
        image[max(0, edge - board) : edge] = colour(rng, (20, 50), (0, 0.4), (0.3, 0.95))
    _contact(image, edge, rng.uniform(0.03, 0.1) * height, rng.uniform(0.2, 0.5))
    return Place(_far_blur(rng, image, edge), horizon)


def _wall(rng: np.random.Generator, height: int, width: int, horizon: float) -> Image:
    size = max(height, width)
    image = _swatch(rng, _pick(rng, textures.WALL), size)[:height, :width].copy()
    if rng.random() < 0.35:
        corner = int(rng.uniform(0.15, 0.85) * width)
        side = slice(0, corner) if rng.random() < 0.5 else slice(corner, width)
        image[:, side] *= rng.uniform(0.7, 0.92)
    for _ in range(rng.integers(0, 4)):
        _hang(rng, image, horizon)
    return image


def _hang(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A frame, a window, a shelf or a door: rectangles that a wall has."""
    height, width = image.shape[:2]
    w, h = rng.uniform(0.1, 0.4) * width, rng.uniform(0.1, 0.45) * height
    x, y = rng.uniform(-0.2 * w, width - 0.8 * w), rng.uniform(-0.4 * h, max(1.0, horizon - 1.1 * h))
    frame = colour(rng, (0, 360), (0, 0.4), (0.1, 0.95))
    inner = colour(rng, (0, 360), (0, 0.5), (0.2, 1.0))
    box = [round(v) for v in (x, y, x + w, y + h)]
    border = max(1, round(rng.uniform(0.02, 0.1) * w))
    soft = image.copy()
    cv2.rectangle(soft, (box[0] + 2, box[1] + 3), (box[2] + 3, box[3] + 4), (0.1, 0.1, 0.1), -1)
    cv2.addWeighted(cv2.GaussianBlur(soft, (0, 0), 2), 0.4, image, 0.6, 0, dst=image)
    cv2.rectangle(image, box[:2], box[2:], frame.tolist(), -1)
    inside = (
        slice(max(0, box[1] + border), max(0, box[3] - border)),
        slice(max(0, box[0] + border), max(0, box[2] - border)),
    )
    area = image[inside]
    if area.size:
        shade = 0.25 * fractal(rng, area.shape[0], area.shape[1], max(area.shape[:2]) / 2, 3)
        area[:] = np.clip(inner * (1 + shade[..., None]), 0, 1)
        if rng.random() < 0.4:
            area[:, area.shape[1] // 2 :][:, :border] = frame


def _open_air(rng: np.random.Generator, height: int, width: int) -> Place:
    horizon = rng.uniform(0.2, 0.6) * height
    edge = round(horizon)
    image = _sky(rng, height, width)
    haze = colour(rng, (190, 230), (0.05, 0.2), (0.7, 0.95))
    for layer in range(rng.integers(0, 4)):
        _silhouette(rng, image, horizon, haze, layer / 4)
    ground = _ground(rng, _pick(rng, textures.GROUND), height, width, horizon)
    image[edge:] = ground[edge:]
    return Place(_far_blur(rng, image, edge), horizon)


def _sky(rng: np.random.Generator, height: int, width: int) -> Image:
    top = colour(rng, (200, 225), (0.15, 0.75), (0.55, 0.95))
    low = (
        colour(rng, (190, 230), (0.02, 0.25), (0.8, 1.0))
        if rng.random() < 0.8
        else colour(rng, (15, 45), (0.2, 0.5), (0.8, 1))
    )
    t = np.linspace(0, 1.4, height, dtype=np.float32).clip(0, 1)[:, None, None]
    sky = np.broadcast_to(top + t * (low - top), (height, width, 3)).copy()
    cover = rng.uniform(-1.2, 0.8)
    clouds = np.clip(0.5 * (fractal(rng, height, width, width / 2.5, 6) + cover), 0, 0.9)[..., None]
    sky += clouds * (np.float32(rng.uniform(0.75, 1.0)) - sky)
    return sky.astype(np.float32)


def _silhouette(rng: np.random.Generator, image: Image, horizon: float, haze: Image, nearness: float) -> None:
    """Hills, a row of trees or houses along the horizon; the nearer, the less of the haze."""
    height, width = image.shape[:2]
    kind = rng.integers(3)
    rise = rng.uniform(0.05, 0.3) * horizon
    if kind == 2:
        edges = np.cumsum(rng.uniform(0.06, 0.2, 32) * width)
        tops = rng.uniform(0.3, 1.6, 33)[np.searchsorted(edges, np.arange(width))] * rise
        tone = colour(rng, (0, 60), (0.02, 0.35), (0.3, 0.8))
    else:
        cell = width / 2 if kind == 0 else width / 8
        tops = rise * (1 + 0.5 * fractal(rng, 2, width, cell, 3 if kind == 0 else 6)[0])
        tone = colour(rng, (70, 140), (0.2, 0.6), (0.15, 0.45))
    tone = haze + (0.35 + 0.65 * nearness) * (tone - haze)
    rows = np.arange(height, dtype=np.float32)[:, None]
    mask = (rows > horizon - tops[None, :]) & (rows < horizon + 1)
    leafy = 1 + (0.18 if kind else 0.05) * fractal(rng, height, width, width / 12, 5)
    if kind == 2:
        leafy = 1 - 0.3 * (((rows // 5) % 2) * ((np.arange(width) // 4) % 2)[None, :])
    image[mask] = np.clip(tone * leafy[mask][:, None], 0, 1)


def _table(rng: np.random.Generator, height: int, width: int) -> Place:
    """A table in front of something out of focus."""
    horizon = rng.uniform(0.12, 0.45) * height
    edge = round(horizon)
    behind = (_wall if rng.random() < 0.6 else _blobs)(rng, height, width, horizon)
    image = cv2.GaussianBlur(behind, (0, 0), rng.uniform(0.01, 0.035) * width)
    image[edge:] = _ground(rng, _pick(rng, textures.TABLE), height, width, horizon, near=True)[edge:]
    return Place(image, horizon)


def _blobs(rng: np.random.Generator, height: int, width: int, _: float) -> Image:
    image = np.empty((height, width, 3), np.float32)
    image[:] = colour(rng, (0, 360), (0.05, 0.5), (0.15, 0.8))
    for _ in range(rng.integers(5, 25)):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        radius = max(2, round(rng.uniform(0.02, 0.2) * width))
        cv2.circle(image, centre, radius, colour(rng, (0, 360), (0, 0.7), (0.1, 1)).tolist(), -1)
    return image


def _from_above(rng: np.random.Generator, height: int, width: int) -> Place:
    swatch = _swatch(rng, _pick(rng, textures.TABLE), max(height, width))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(0, 360), rng.uniform(0.9, 1.8))
    image = cv2.warpAffine(swatch, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return Place(image, None)


def _swatch(rng: np.random.Generator, texture: Texture, size: int) -> Image:
    swatch = texture(rng, size)
    # Stripes and boards run along x; a wall or a floor has them either way.
    return np.ascontiguousarray(swatch.transpose(1, 0, 2)) if rng.random() < 0.5 else swatch


def _ground(
    rng: np.random.Generator, texture: Texture, height: int, width: int, horizon: float, near: bool = False
) -> Image:
    """A textured plane below the horizon, seen in perspective: depth is inverse to the distance from the horizon."""
    size = max(height, width)
    swatch = _swatch(rng, texture, size)
    rows = np.arange(height, dtype=np.float32) - np.float32(horizon - 0.06 * height * (3 if near else 1))
    depth = (height - horizon) / np.maximum(rows, 1)
    spread = np.float32(rng.uniform(0.6, 1.1))
    across = (np.arange(width, dtype=np.float32) - np.float32(rng.uniform(0.2, 0.8) * width))[None, :] * depth[:, None]
    along = np.broadcast_to((np.float32(size) * depth)[:, None], across.shape)
    angle = rng.uniform(0, np.pi)
    u = spread * (np.cos(angle) * across + np.sin(angle) * along)
    v = spread * (np.cos(angle) * along - np.sin(angle) * across)
    image: Image = cv2.remap(
        swatch, _fold(u, size), _fold(v, size), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    # Far rows are sampled more coarsely than the texture: fade them to its mean instead of letting them sparkle.
    fade = np.clip((depth - 2) / 6, 0, 0.85)[:, None, None]
    return limit(image + fade * (swatch.mean((0, 1)) - image))


def _fold(position: Image, size: int) -> Image:
    """Tile by reflection: 0 .. size-1 .. 0."""
    period = 2 * (size - 1)
    folded = np.mod(position, period)
    return np.asarray(np.minimum(folded, period - folded), np.float32)


def _contact(image: Image, edge: int, reach: float, strength: float) -> None:
    """Darker where the wall meets the floor."""
    distance = np.abs(np.arange(image.shape[0], dtype=np.float32) - edge)
    image *= (1 - strength * np.exp(-distance / np.float32(reach)))[:, None, None]


def _far_blur(rng: np.random.Generator, image: Image, edge: int) -> Image:
    sigma = rng.uniform(0, 0.012) * image.shape[1]
    if sigma < 0.4 or edge < 2:
        return image
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    ramp = np.clip((edge + 0.25 * image.shape[0] - np.arange(image.shape[0])) / (0.25 * image.shape[0]), 0, 1)
    return limit(image + ramp[:, None, None] * (blurred - image))


def _lighting(rng: np.random.Generator, height: int, width: int) -> Image:
    """Uneven light: a slope across the picture and, sometimes, soft patches of sun or shade. (H, W) float32."""
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.35)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = 1 + slope * (np.cos(angle) * x + np.sin(angle) * y)
    if rng.random() < 0.35:
        corners = (rng.uniform(-0.3, 1.3, (4, 2)) * (width, height)).astype(np.int32)
        patch = np.zeros((height, width), np.float32)
        cv2.fillConvexPoly(patch, cv2.convexHull(corners), 1.0)
        light = light + float(rng.choice([-0.3, 0.25])) * cv2.GaussianBlur(
            patch, (0, 0), rng.uniform(0.01, 0.06) * width
        )
    return np.asarray(light, np.float32)
