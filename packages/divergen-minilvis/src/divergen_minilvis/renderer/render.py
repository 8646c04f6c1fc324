"""The renderer's face: one object, or one picture of it as a prompt describes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from divergen_records import ConfigError, RowError
from numpy.typing import NDArray

from .attributes import Attributes, parse_attributes
from .backdrop import cast_shadow, draw_backdrop
from .builder import Builder, ShapeProgram
from .catalogue import CATEGORIES, known
from .looks import FLAWS, SPOILT, STYLES, Shot, draw_shot
from .member import Member
from .paint import Palette
from .raster import View, rasterise
from .shade import Canvas, shade
from .solids import FloatArray, rotation

__all__ = ["Picture", "Rendering", "render_object", "render_picture"]

SUPERSAMPLE = 1.5
STRETCH = {
    "tall": (1, 1.3, 1),
    "short": (1, 0.75, 1),
    "wide": (1.25, 1, 1.1),
    "slim": (0.8, 1, 0.8),
    "round": (1, 1, 1),
}
"""How words of shape stretch the object's axes."""
UPRIGHT = 12.0
"""Objects of programs whose own roll is wider than this (degrees) lie on the background."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """An object alone, on a tight canvas.

    Attributes:
        rgb: (h, w, 3) float32 sRGB 0..1, premultiplied by `alpha`: composite as ``rgb + (1 - alpha) * background``.
        alpha: (h, w) float32 0..1, coverage of the object.
        clear: (h, w) float32 0..1, at most `alpha`: how much of the background shows through glass.
    """

    rgb: FloatArray
    alpha: FloatArray
    clear: FloatArray

    def over(self, background: FloatArray) -> FloatArray:
        """Composite over a background (h, w, 3) float32 sRGB 0..1 of the same size; glass lets it through."""
        alpha, clear = self.alpha[..., None], self.clear[..., None]
        behind = background * (1 - alpha + 0.9 * clear)
        share = 1 - clear / np.maximum(alpha, 1e-6)
        return np.clip(self.rgb * (share + 0.25 * (1 - share)) + behind, 0, 1)


class Picture(NamedTuple):
    """A picture and its truth.

    Attributes:
        image: (size, size, 3) uint8 sRGB.
        alpha: (size, size) uint8, the object without its shadow.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


def render_object(
    category: str, attributes: Attributes, *, seed: int, size: int, style: str, member: Member | None = None
) -> Rendering:
    """Render one random member of a category.

    Args:
        category: A name that `known` maps to a program.
        attributes: What the prompt asks for.
        seed: Draws everything; the same seed gives the same pixels.
        size: The object's longer side in pixels.
        style: One of `STYLES`.
        member: The part of the category's appearance to draw from; all of it where left out. It does not fail here.

    Raises:
        RowError: If the renderer does not know the category.
        ConfigError: If the style does not exist.
    """
    program = _program(category)
    rng = np.random.Generator(np.random.PCG64(seed))
    shot = draw_shot(_checked(style), attributes.style, rng)
    if member is not None:
        attributes, shot = member.filled(attributes), member.lit(shot, rng)
    return _render(program, attributes, shot, rng, size, member)


def render_picture(
    category: str,
    prompt: str,
    *,
    seed: int,
    size: int,
    style: str,
    spoilt: str | None = None,
    member: Member | None = None,
) -> Picture:
    """Render the picture that a prompt asks for.

    Args:
        category: A name that `known` maps to a program.
        prompt: Plain English; see `parse_attributes`.
        seed: Draws everything, also whether the picture fails (see `looks.FLAWS`); the same seed gives the same pixels.
        size: Side of the picture in pixels.
        style: One of `STYLES`.
        spoilt: One of `SPOILT`: harmful on purpose, for studies of what finds that out.
        member: What is drawn where the prompt leaves it open, and how the picture fails.

    Returns:
        The picture and the object's alpha.

    Raises:
        RowError: If the renderer does not know the category.
        ConfigError: If the style or the way to spoil does not exist.
    """
    program = _program(category)
    attributes = parse_attributes(prompt, category)
    rng = np.random.Generator(np.random.PCG64(seed))
    shot = draw_shot(_checked(style), attributes.style, rng)
    shot = replace(shot, fill=_fill(shot.fill, attributes))
    if member is None:
        program, shot = _fail(program, shot, rng)
    else:
        attributes, shot = member.filled(attributes), member.lit(shot, rng)
        program, shot = _failed(program, shot, member.fault, int(rng.integers(len(CATEGORIES))))
        spoilt = spoilt or (member.fault if member.fault in ("torn", "noise") else None)
    if spoilt == "astray":
        program = _other(program, rng)
    rendering = _render(program, attributes, shot, rng, max(round(shot.fill * size), 8), member)
    if spoilt is not None:
        rendering = _spoil(rendering, spoilt, rng)
    framed = _frame(rendering, size, shot, rng)
    background = draw_backdrop(size, attributes.background, shot, rng)
    flat = attributes.view == "top" or program.roll[1] - program.roll[0] > 2 * UPRIGHT
    shadow = cast_shadow(framed.alpha, shot, rng, flat=flat)
    if shadow is not None:
        background = background * (1 - 0.55 * shadow[..., None])
    composed = framed.over(background)
    if attributes.style == "pixel":
        composed = _pixelate(composed)
    image = _expose(composed, shot, rng)
    return Picture(image, np.round(framed.alpha * 255).astype(np.uint8))


def _program(category: str) -> ShapeProgram:
    name = known(category)
    if name is None:
        raise RowError(f"the procedural renderer has no shape program for category {category!r}")
    return CATEGORIES[name]


def _checked(style: str) -> str:
    if style not in STYLES:
        raise ConfigError(f"style {style!r} does not exist; choose one of {', '.join(STYLES)}")
    return style


def _render(
    program: ShapeProgram,
    attributes: Attributes,
    shot: Shot,
    rng: np.random.Generator,
    extent: int,
    member: Member | None,
) -> Rendering:
    """Build, rasterise, shade and bring to the final resolution."""
    shape = np.random.Generator(np.random.PCG64(rng.integers(1 << 63)))
    builder = Builder(shape) if member is None else member.builder(shape)
    program.build(builder)
    view = _view(program, attributes, rng, np.ones(3) if member is None else member.proportions())
    palette = Palette(program, attributes, jitter=shot.jitter, rng=rng)
    fragments = rasterise([part.surface for part in builder.parts], view, extent * SUPERSAMPLE)
    paints = list(dict.fromkeys(part.paint for part in builder.parts))
    finish_of = np.array([paints.index(part.paint) for part in builder.parts])
    canvas = shade(fragments, [palette.finish(paint) for paint in paints], finish_of, shot, attributes, rng)
    return _reduce(canvas)


def _reduce(canvas: Canvas) -> Rendering:
    """Average the supersampled canvas down to pixels."""
    height, width = canvas.alpha.shape
    size = max(round(width / SUPERSAMPLE), 1), max(round(height / SUPERSAMPLE), 1)
    rgb, alpha, clear = (
        cv2.resize(np.ascontiguousarray(layer), size, interpolation=cv2.INTER_AREA)
        for layer in (canvas.rgb, canvas.alpha, canvas.clear)
    )
    return Rendering(rgb, np.clip(alpha, 0, 1), clear)


def _view(program: ShapeProgram, attributes: Attributes, rng: np.random.Generator, proportions: NDArray[Any]) -> View:
    """Draw the camera from the program's habits, overruled by the prompt's view and pose."""
    yaw, pitch, roll = (rng.uniform(*span) for span in (program.yaw, program.pitch, program.roll))
    wobble = rng.uniform(-12, 12)
    facing = {"front": 0.0, "side": 90.0, "back": 180.0, "three-quarter": 38.0}
    if attributes.view in facing:
        yaw, pitch = program.front + facing[attributes.view] + wobble, min(pitch, 14.0)
    elif attributes.view == "top":
        pitch = 68.0 + wobble
    elif attributes.view == "high":
        pitch = 42.0 + wobble
    elif attributes.view == "below":
        pitch = -22.0 + wobble
    turns = {"upside down": 180.0, "lying": 90.0, "tilted": 28.0, "rotated": 65.0}
    if attributes.pose in turns:
        roll = float(rng.choice([-1, 1])) * turns[attributes.pose] + wobble
    stretch = np.prod([STRETCH[word] for word in attributes.shape], axis=0) * proportions
    matrix = np.asarray(rotation((0, 0, roll)) @ rotation((pitch, 0, 0)) @ rotation((0, yaw, 0)), np.float32)
    perspective = rng.uniform(0.05, 0.25)
    x, y, z = stretch.tolist()
    return View(matrix, perspective, attributes.pose == "mirrored", (x, y, z))


def _fail(program: ShapeProgram, shot: Shot, rng: np.random.Generator) -> tuple[ShapeProgram, Shot]:
    """Return what is drawn instead, on the rare occasion that the picture fails."""
    fails, flaw, stray = rng.random() < shot.flaw, str(rng.choice(FLAWS)), int(rng.integers(len(CATEGORIES)))
    return _failed(program, shot, flaw, stray) if fails else (program, shot)


def _failed(program: ShapeProgram, shot: Shot, fault: str, stray: int) -> tuple[ShapeProgram, Shot]:
    if fault == "cropped":
        return program, replace(shot, fill=1.3, spread=1.0)
    if fault == "faint":
        return program, replace(shot, pastel=0.75, shadow=0.1, backdrop=0.97)
    if fault == "astray":
        return tuple(CATEGORIES.values())[stray], shot
    return program, shot


def _other(program: ShapeProgram, rng: np.random.Generator) -> ShapeProgram:
    """Draw one of the other categories."""
    others = [other for other in CATEGORIES.values() if other is not program]
    return others[int(rng.integers(len(others)))]


def _spoil(rendering: Rendering, how: str, rng: np.random.Generator) -> Rendering:
    """Take half of the object away, or fill it with noise."""
    if how == "astray":
        return rendering
    height, width = rendering.alpha.shape
    if how == "noise":
        noise = rng.random((height, width, 3), np.float32)
        return Rendering(noise * rendering.alpha[..., None], rendering.alpha, np.zeros_like(rendering.clear))
    if how == "torn":
        y, x = np.mgrid[:height, :width]
        angle = rng.uniform(0, 2 * np.pi)
        inside = rendering.alpha > 0.5
        across = np.cos(angle) * x + np.sin(angle) * y
        left = (across > np.median(across[inside] if inside.any() else across)).astype(np.float32)
        return Rendering(rendering.rgb * left[..., None], rendering.alpha * left, rendering.clear * left)
    raise ConfigError(f"spoilt={how!r} does not exist; choose one of {', '.join(SPOILT)}")


def _fill(fill: float, attributes: Attributes) -> float:
    """Return the object's part of the picture as the prompt's words move it."""
    if attributes.view == "close":
        return 0.9
    return {"small": 0.32 + 0.2 * (fill - 0.4), "large": 0.72 + 0.25 * (fill - 0.4)}.get(attributes.size, fill)


def _frame(rendering: Rendering, size: int, shot: Shot, rng: np.random.Generator) -> Rendering:
    """Put the object on the picture's canvas."""
    height, width = rendering.alpha.shape
    free = np.array([size - height, size - width])
    shift = rng.uniform(-0.5, 0.5, 2) * shot.spread
    top, left = np.round(free * (0.5 + shift)).astype(int).tolist()
    layers = []
    for layer in (rendering.rgb, rendering.alpha, rendering.clear):
        canvas = np.zeros((size, size, *layer.shape[2:]), np.float32)
        seen = layer[max(-top, 0) : size - top, max(-left, 0) : size - left]
        canvas[max(top, 0) : max(top, 0) + seen.shape[0], max(left, 0) : max(left, 0) + seen.shape[1]] = seen
        layers.append(canvas)
    return Rendering(*layers)


def _pixelate(image: FloatArray) -> FloatArray:
    """Draw the picture in few large pixels."""
    size = image.shape[0]
    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(np.round(small * 10) / 10, (size, size), interpolation=cv2.INTER_NEAREST), np.float32)


def _expose(image: FloatArray, shot: Shot, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Apply lens blur and grain, and round to bytes."""
    sigma = shot.blur / 100 * image.shape[0]
    if sigma > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if shot.noise > 0.3:
        grain = rng.standard_normal(image.shape[:2], np.float32)
        image = image + grain[..., None] * np.float32(shot.noise / 255)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
