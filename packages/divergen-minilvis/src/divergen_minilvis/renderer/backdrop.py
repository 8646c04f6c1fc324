"""What is behind the object: a white sweep that is never quite white, and the object's shadow on it."""

from __future__ import annotations

import cv2
import numpy as np

from .colours import COLOURS
from .looks import Shot
from .solids import FloatArray

__all__ = ["cast_shadow", "draw_backdrop"]


def draw_backdrop(size: int, colour: str, shot: Shot, rng: np.random.Generator) -> FloatArray:
    """Draw a studio background.

    Args:
        size: Side of the picture in pixels.
        colour: A colour's name, or "" for white.
        shot: Brightness, warmth and gradient of this picture.
        rng: Draws where the light falls, and the paper of a watercolour.

    Returns:
        (size, size, 3) float32 sRGB 0..1.
    """
    base = np.array(COLOURS[colour or "white"], np.float32) / 255
    if colour in ("", "white"):
        base = np.full(3, shot.backdrop, np.float32)
        base += np.array([shot.warmth, 0, -shot.warmth], np.float32) * np.float32(0.25 + rng.uniform(0, 0.2))
    x, y = np.meshgrid(np.linspace(-1, 1, 16, dtype=np.float32), np.linspace(-1, 1, 16, dtype=np.float32))
    centre, tilt = rng.uniform(-0.4, 0.4, 2), rng.normal(size=2) * 0.4
    fall = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) * 0.45 + x * tilt[0] + y * tilt[1]
    light = 1 - shot.gradient * np.clip(fall, -0.2, 1.5)
    if shot.wash:
        light = light - 0.02 * shot.wash * rng.random(light.shape)
    light = cv2.resize(light.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(light[..., None] * base, 0, 1), np.float32)


def cast_shadow(alpha: FloatArray, shot: Shot, rng: np.random.Generator, *, flat: bool) -> FloatArray | None:
    """Return how much light (size, size) the object takes from the background, 0..1.

    Args:
        alpha: (size, size) float32 the object's coverage.
        shot: Direction of the light and strength of the shadow.
        rng: Draws softness and length.
        flat: The object lies on the background (seen from above): the shadow follows its outline. Else it stands on
            the ground and the shadow is squashed about its foot.
    """
    softness, length = rng.uniform(0.012, 0.05), rng.uniform(0.6, 1.2)
    if shot.shadow < 0.05:
        return None
    size = alpha.shape[0]
    cells = 96
    small = cv2.resize(alpha, (cells, cells), interpolation=cv2.INTER_AREA)
    rows = np.flatnonzero(small.max(1) > 0.3)
    foot = float(rows[-1] + 1 if len(rows) else cells)
    lean = -np.sin(np.radians(shot.azimuth)) * length
    if flat:
        move = np.array([[1, 0, 2.5 * lean], [0, 1, 2.5 * length]], np.float32)
    else:
        squash = 0.28 * length * np.cos(np.radians(shot.elevation)) + 0.06
        skew = -0.5 * lean * np.cos(np.radians(shot.elevation))
        move = np.array([[1, skew, -skew * foot], [0, squash, foot * (1 - squash)]], np.float32)
    shadow = cv2.warpAffine(small, move, (cells, cells))
    shadow = cv2.GaussianBlur(shadow, (0, 0), softness * cells)
    return np.asarray(cv2.resize(shadow, (size, size), interpolation=cv2.INTER_LINEAR) * shot.shadow, np.float32)
