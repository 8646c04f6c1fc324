"""One picture of MiniLVIS: a place, things standing or lying in it, shadows, occlusion, a camera, exact masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import cv2
import numpy as np
from divergen_records import derive_seed
from numpy.typing import NDArray

from .. import renderer
from ..boxes import Box, read_box, real_light, real_member
from .background import Place, draw_place
from .camera import photograph
from .clutter import Cutout, draw_clutter
from .layout import Spot, arrange
from .textures import Image, limit

__all__ = ["Scene", "draw_scene"]

MIN_PIXELS = 40
"""An object of which fewer pixels are seen (at 256 px) is not annotated; neither would a person."""

MIN_VISIBLE = 0.12
"""An object of which a smaller share is seen is not annotated."""

ATTEMPTS = 12


@dataclass(frozen=True)
class Scene:
    """A picture and what is annotated in it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        categories: Name for each instance.
        masks: For each instance, its visible part, (H, W) bool; they are disjoint.
        hidden: Names of the categories that have an object in the picture that is not annotated for being too little
            visible.
    """

    image: NDArray[np.uint8]
    categories: tuple[str, ...]
    masks: tuple[NDArray[np.bool_], ...]
    hidden: frozenset[str]


@dataclass(frozen=True)
class _Thing:
    category: str | None
    cutout: Cutout
    spot: Spot


def draw_scene(
    categories: Sequence[str],
    *,
    seed: int,
    size: int,
    box: Box | None = None,
    distractors: Sequence[str] = (),
    most: int = 9,
) -> Scene:
    """Draw a scene in which each of the categories is seen at least once.

    Args:
        categories: Names that the procedural renderer knows.
        seed: The scene depends on nothing else but the arguments.
        size: Longer side, pixels.
        box: The ways to look of its objects, and its light; ``classic`` where left out.
        distractors: Categories that may appear without being annotated; the dataset must not list them.
        most: Objects of the categories in the picture, unless ``categories`` are more.
    """
    rng = np.random.default_rng(seed)
    height, width = _shape(rng, size)
    looks = _Looks(box or read_box("classic"), seed)
    place = looks.lit(draw_place(rng, height, width))
    wanted = _copies(rng, categories, most)
    names: list[str | None] = [*wanted, *[None] * int(rng.integers(0, 4))]
    cutouts: list[Cutout] = []
    for attempt in range(ATTEMPTS):
        spots = arrange(rng, len(names), height, width, place.horizon, squeeze=attempt / ATTEMPTS)
        if not cutouts:
            cutouts = [_draw(rng, name, spot, distractors, looks) for name, spot in zip(names, spots, strict=True)]
        things = [_Thing(*each) for each in zip(names, map(_put, repeat(rng), cutouts, spots), spots, strict=True)]
        things.sort(key=lambda thing: thing.spot.depth)
        owner, full = _ownership(things, height, width)
        seen = _seen(things, owner, full, size)
        if {thing.category for thing, ok in zip(things, seen, strict=True) if ok} >= set(categories):
            break
    scene = _compose(rng, place, things)
    annotated = [(thing.category, owner == i) for i, thing in enumerate(things) if thing.category and seen[i]]
    hidden = {thing.category for i, thing in enumerate(things) if thing.category and not seen[i]}
    return Scene(
        photograph(rng, scene),
        tuple(name for name, _ in annotated),
        tuple(mask for _, mask in annotated),
        frozenset(hidden),
    )


def _shape(rng: np.random.Generator, size: int) -> tuple[int, int]:
    short = int(rng.choice([size, 3 * size // 4, 3 * size // 4, 2 * size // 3]))
    return (short, size) if rng.random() < 0.65 else (size, short)


def _copies(rng: np.random.Generator, categories: Sequence[str], most: int) -> list[str]:
    """Each category once, some of them in twos and threes."""
    names = list(categories)
    for name in categories:
        names += [name] * min(int(rng.geometric(0.72)) - 1, max(0, most - len(names)))
    return names


class _Looks:
    """How the things of a scene look: one light, and one way to look for a category, as of things that stand together.

    The random numbers are its own, so that a box without ways to look draws the same scene as it always did.
    """

    def __init__(self, box: Box, seed: int) -> None:
        self._box, self._rng = box, np.random.default_rng(derive_seed(seed, "looks"))
        self._light = real_light(box, self._rng)
        self._members: dict[str, renderer.Member | None] = {}

    def lit(self, place: Place) -> Place:
        """The place in the scene's light."""
        if self._box.world is None:
            return place
        light = self._box.world.lights[self._light]
        gain, warmth = self._rng.uniform(*light.gain), self._rng.uniform(*light.warmth)
        tint = gain * np.array([1 + warmth, 1, 1 - warmth], np.float32)
        return Place(limit(place.image * tint), place.horizon)

    def of(self, category: str) -> renderer.Member | None:
        """The way to look of a category's things."""
        if category not in self._members:
            self._members[category] = real_member(self._box, category, self._light, self._rng)
        return self._members[category]


def _draw(rng: np.random.Generator, name: str | None, spot: Spot, distractors: Sequence[str], looks: _Looks) -> Cutout:
    size = max(12, round(spot.extent))
    if name is None and (not distractors or rng.random() < 0.6):
        return draw_clutter(rng, size)
    shown = distractors[int(rng.integers(len(distractors)))] if name is None else name
    view = "top" if not spot.standing and rng.random() < 0.5 else ""
    attributes = renderer.Attributes(view=view)
    rendering = renderer.render_object(
        shown, attributes, seed=int(rng.integers(2**62)), size=max(24, size), style="real", member=looks.of(shown)
    )
    return Cutout(rendering.rgb, rendering.alpha, rendering.clear)


def _put(rng: np.random.Generator, cutout: Cutout, spot: Spot) -> Cutout:
    """Turn, mirror and scale a cutout so that its longer side is the spot's extent."""
    layers = np.dstack([cutout.rgb * _side_light(rng, *cutout.alpha.shape)[..., None], cutout.alpha, cutout.clear])
    if spot.mirrored:
        layers = layers[:, ::-1]
    h, w = layers.shape[:2]
    scale = spot.extent / max(h, w)
    if spot.angle or abs(scale - 1) > 0.05:
        turn = cv2.getRotationMatrix2D((w / 2, h / 2), spot.angle, scale)
        cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
        out = (max(1, int(np.ceil(w * cos + h * sin))), max(1, int(np.ceil(w * sin + h * cos))))
        turn[:, 2] += (out[0] / 2 - w / 2, out[1] / 2 - h / 2)
        # OpenCV warps at most four channels at a time.
        halves = (np.ascontiguousarray(layers[..., :4]), np.ascontiguousarray(layers[..., 4:]))
        layers = np.dstack([cv2.warpAffine(half, turn, out) for half in halves])
    layers = limit(layers)
    return Cutout(layers[..., :3], layers[..., 3], layers[..., 4])


def _side_light(rng: np.random.Generator, height: int, width: int) -> Image:
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.float32(rng.uniform(0.8, 1.1)) + np.float32(rng.normal(0, 0.08)) * x - np.float32(0.06) * y


def _window(thing: _Thing, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a thing lies in the picture, and which part of its cutout that is."""
    h, w = thing.cutout.alpha.shape
    top, left = thing.spot.corner(h, w)
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + h, height), min(left + w, width)
    y1, x1 = max(y0, y1), max(x0, x1)
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def _ownership(things: Sequence[_Thing], height: int, width: int) -> tuple[NDArray[np.int16], list[int]]:
    """For each pixel the index of the thing that is seen there, -1 for none; and each thing's pixels, also hidden."""
    owner = np.full((height, width), -1, np.int16)
    full = []
    for index, thing in enumerate(things):
        there, part = _window(thing, height, width)
        solid = thing.cutout.alpha >= 0.5
        owner[there][solid[part]] = index
        full.append(int(np.count_nonzero(solid)))
    return owner, full


def _seen(things: Sequence[_Thing], owner: NDArray[np.int16], full: Sequence[int], size: int) -> list[bool]:
    pixels = np.bincount(owner.ravel() + 1, minlength=len(things) + 1)[1:]
    least = MIN_PIXELS * (size / 256) ** 2
    return [n >= max(least, MIN_VISIBLE * whole) for n, whole in zip(pixels.tolist(), full, strict=True)]


def _compose(rng: np.random.Generator, place: Place, things: Sequence[_Thing]) -> Image:
    image = place.image.copy()
    height, width = image.shape[:2]
    lean, strength = rng.uniform(-1.3, 1.3), np.float32(rng.uniform(0.3, 0.75))
    length = rng.uniform(0.15, 0.55) * rng.choice([-1, 1])
    softness = rng.uniform(0.012, 0.05)
    for thing in things:
        shadow = _drop_shadow if place.horizon is None else _cast_shadow
        shade = shadow(thing, height, width, lean, length)
        shade = cv2.GaussianBlur(shade, (0, 0), max(0.7, softness * thing.spot.extent))
        image *= 1 - strength * shade[..., None]
        if place.horizon is not None:
            image *= 1 - _foot_shadow(thing, height, width)[..., None]
        there, part = _window(thing, height, width)
        image[there] = _over(thing.cutout, part, image[there])
    return limit(image)


def _over(cutout: Cutout, part: tuple[slice, slice], behind: Image) -> Image:
    alpha, clear = cutout.alpha[part][..., None], cutout.clear[part][..., None]
    # Glass keeps a quarter of its own light where it is clear, and dims what is behind it a little.
    own = 1 - 0.75 * clear / np.maximum(alpha, 1e-6)
    return np.asarray(cutout.rgb[part] * own + behind * (1 - alpha + 0.9 * clear), np.float32)


def _cast_shadow(thing: _Thing, height: int, width: int, lean: float, length: float) -> Image:
    """The silhouette laid down on the ground from its lowest row."""
    alpha = thing.cutout.alpha
    h, w = alpha.shape
    top, left = thing.spot.corner(h, w)
    base = top + 0.95 * h
    # A point at height e above the base falls to (x + lean * e, base - length * e); e = base row - row.
    lay = np.array([[1, -lean, left + lean * (h - 1)], [0, length, base - length * (h - 1)]], np.float64)
    return np.asarray(cv2.warpAffine(alpha, lay, (width, height)), np.float32)


def _foot_shadow(thing: _Thing, height: int, width: int) -> Image:
    """A dark line where a standing thing touches the ground, whatever the light."""
    alpha = thing.cutout.alpha
    h, w = alpha.shape
    top, left = thing.spot.corner(h, w)
    foot = np.zeros((height, width), np.float32)
    columns = np.flatnonzero(alpha[-max(2, h // 8) :].max(0) > 0.5)
    if columns.size:
        centre = (round(left + (columns[0] + columns[-1]) / 2), round(top + 0.97 * h))
        axes = (max(1, round(0.55 * (columns[-1] - columns[0]))), max(1, round(0.035 * thing.spot.extent)))
        cv2.ellipse(foot, centre, axes, 0, 0, 360, 0.75, -1)
    return np.asarray(cv2.GaussianBlur(foot, (0, 0), max(0.8, 0.025 * thing.spot.extent)), np.float32)


def _drop_shadow(thing: _Thing, height: int, width: int, lean: float, length: float) -> Image:
    """Seen from above: the silhouette, shifted away from the light."""
    h, w = thing.cutout.alpha.shape
    top, left = thing.spot.corner(h, w)
    reach = 0.1 * thing.spot.extent
    shift = np.array([[1, 0, left + reach * lean], [0, 1, top + reach * 3 * length]], np.float64)
    shade: Image = cv2.warpAffine(thing.cutout.alpha, shift, (width, height), flags=cv2.INTER_LINEAR)
    return shade
