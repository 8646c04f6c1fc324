"""Rendering styles as data: the ranges from which light, palette, texture and lens of one picture are drawn."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

__all__ = ["FAULTS", "FLAWS", "LOOKS", "SPOILT", "STYLES", "Look", "Shot", "draw_shot"]

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """Ranges of one style; all relative and without unit unless said.

    Attributes:
        elevation: Of the key light, degrees.
        azimuth: Of the key light from the camera, degrees, either side.
        key: Strength of the key light.
        ambient: Strength of the light from all around.
        warmth: Of the light: positive is warm.
        gloss: Factor on highlights.
        texture: Factor on the materials' textures.
        occlusion: Darkening of creases.
        saturation: Factor.
        contrast: Factor about middle grey.
        exposure: Factor on the brightness.
        jitter: Spread of the objects' colours.
        pastel: Mixture with white.
        levels: Steps of cel shading; 0 shades smoothly.
        outline: Width of drawn contours, in hundredths of the object's extent.
        ink: Strength of the contours.
        wash: Pigment flow and paper of a watercolour.
        hatch: Pencil instead of paint.
        noise: Standard deviation of the grain, in grey levels.
        blur: Of the lens, in hundredths of the picture.
        shadow: Strength of the shadow on the ground.
        backdrop: Brightness of a white background.
        gradient: Strength of the background's gradient and vignetting.
        fill: The object's longer side as a part of the picture's.
        spread: How far off the centre the object may be, as a part of the free space.
        flaw: Probability that the picture is a failure, as those of diffusion models are: see `FLAWS`.
    """

    elevation: Range
    azimuth: Range
    key: Range
    ambient: Range
    warmth: Range = (0.0, 0.0)
    gloss: Range = (1.0, 1.0)
    texture: Range = (1.0, 1.0)
    occlusion: Range = (0.4, 0.6)
    saturation: Range = (1.0, 1.0)
    contrast: Range = (1.0, 1.0)
    exposure: Range = (1.0, 1.0)
    jitter: Range = (0.05, 0.05)
    pastel: Range = (0.0, 0.0)
    levels: Range = (0.0, 0.0)
    outline: Range = (0.0, 0.0)
    ink: Range = (0.0, 0.0)
    wash: Range = (0.0, 0.0)
    hatch: Range = (0.0, 0.0)
    noise: Range = (0.0, 0.0)
    blur: Range = (0.0, 0.0)
    shadow: Range = (0.0, 0.0)
    backdrop: Range = (0.97, 1.0)
    gradient: Range = (0.0, 0.0)
    fill: Range = (0.45, 0.82)
    spread: Range = (0.0, 0.6)
    flaw: Range = (0.05, 0.05)


LOOKS: dict[str, Look] = {
    "photo": Look(
        elevation=(30, 65), azimuth=(15, 60), key=(0.65, 0.95), ambient=(0.32, 0.5), warmth=(-0.04, 0.08),
        gloss=(0.7, 1.2), texture=(0.8, 1.3), occlusion=(0.5, 0.9), saturation=(0.8, 1.05), contrast=(1.0, 1.15),
        exposure=(0.9, 1.1), jitter=(0.05, 0.1), noise=(1.0, 3.0), blur=(0.0, 0.3), shadow=(0.2, 0.65),
        backdrop=(0.9, 1.0), gradient=(0.0, 0.16),
    ),
    "cgi": Look(
        elevation=(40, 75), azimuth=(10, 45), key=(0.5, 0.7), ambient=(0.5, 0.65), warmth=(-0.02, 0.03),
        gloss=(1.2, 1.7), texture=(0.1, 0.35), occlusion=(0.8, 1.2), saturation=(0.9, 1.15), contrast=(0.92, 1.02),
        exposure=(1.0, 1.12), jitter=(0.02, 0.06), pastel=(0.08, 0.25), noise=(0.0, 0.4), shadow=(0.12, 0.35),
        backdrop=(0.95, 1.0), gradient=(0.0, 0.08), fill=(0.5, 0.8), spread=(0.0, 0.3), flaw=(0.03, 0.03),
    ),
    "illustration": Look(
        elevation=(35, 60), azimuth=(30, 60), key=(0.55, 0.75), ambient=(0.45, 0.6), gloss=(0.3, 0.7),
        texture=(0.0, 0.15), occlusion=(0.1, 0.3), saturation=(1.15, 1.5), contrast=(1.0, 1.15), exposure=(1.0, 1.12),
        jitter=(0.03, 0.1), levels=(2, 4), outline=(0.5, 1.3), ink=(0.6, 1.0), shadow=(0.0, 0.2),
        backdrop=(0.98, 1.0), gradient=(0.0, 0.02), fill=(0.5, 0.85),
    ),
    "watercolor": Look(
        elevation=(30, 60), azimuth=(20, 60), key=(0.45, 0.65), ambient=(0.55, 0.7), warmth=(0.0, 0.06),
        gloss=(0.1, 0.4), texture=(0.4, 0.8), occlusion=(0.3, 0.6), saturation=(0.75, 1.1), contrast=(0.85, 1.0),
        exposure=(1.02, 1.18), jitter=(0.06, 0.12), pastel=(0.08, 0.25), outline=(0.3, 0.7), ink=(0.1, 0.45),
        wash=(0.6, 1.0), noise=(1.0, 2.5), shadow=(0.0, 0.25), backdrop=(0.94, 0.99), gradient=(0.0, 0.06),
        spread=(0.0, 0.8), flaw=(0.08, 0.08),
    ),
    "real": Look(
        elevation=(8, 80), azimuth=(0, 85), key=(0.35, 1.3), ambient=(0.18, 0.6), warmth=(-0.14, 0.2),
        gloss=(0.4, 1.5), texture=(0.5, 1.8), occlusion=(0.3, 1.2), saturation=(0.5, 1.2), contrast=(0.8, 1.3),
        exposure=(0.65, 1.25), jitter=(0.06, 0.18), noise=(1.0, 8.0), blur=(0.0, 0.6), shadow=(0.15, 0.8),
        backdrop=(0.8, 1.0), gradient=(0.0, 0.35), fill=(0.35, 0.85), spread=(0.0, 1.0), flaw=(0.0, 0.0),
    ),
}  # fmt: skip
STYLES = tuple(LOOKS)

SPOILT = ("astray", "torn", "noise")
"""How all pictures fail where that is asked for: another category's object, half of one, or one made of noise."""

FLAWS = ("cropped", "faint", "astray")
"""How a picture fails: the object leaves the frame, hardly differs from the background, or is another category's."""
FAULTS = (*FLAWS, "torn", "noise")
"""How a picture of a `member.Member` may fail: as above, or half of the object is missing, or it is made of noise."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One draw from a `Look`: the numbers of one picture. Fields mean what they mean there."""

    elevation: float
    azimuth: float
    key: float
    ambient: float
    warmth: float
    gloss: float
    texture: float
    occlusion: float
    saturation: float
    contrast: float
    exposure: float
    jitter: float
    pastel: float
    levels: float
    outline: float
    ink: float
    wash: float
    hatch: float
    noise: float
    blur: float
    shadow: float
    backdrop: float
    gradient: float
    fill: float
    spread: float
    flaw: float


def draw_shot(style: str, words: str, rng: np.random.Generator) -> Shot:
    """Draw the numbers of one picture.

    Args:
        style: A name in `STYLES`.
        words: The prompt's own style (see `Attributes.style`) or "": it changes the shading and keeps the lens.
        rng: One number is drawn per field, so that pictures of one seed correspond across styles.
    """
    look = LOOKS[style]
    draws = dict(zip((f.name for f in fields(Look)), rng.random(len(fields(Look))).tolist(), strict=True))
    guest = LOOKS.get({"clay": "cgi"}.get(words, words), look)
    kept = {"flaw", "noise", "blur", "backdrop", "gradient", "fill", "spread", "azimuth", "elevation"}
    numbers = {}
    for name, draw in draws.items():
        low, high = getattr(look if name in kept else guest, name)
        numbers[name] = low + (high - low) * draw
    if draws["spread"] < 0.5:
        numbers["azimuth"] *= -1
    if words == "sketch":
        numbers.update(hatch=1.0, outline=max(numbers["outline"], 0.7), ink=1.0, saturation=0.1)
    if words in ("monochrome", "vintage"):
        numbers.update(saturation=0.0 if words == "monochrome" else 0.45)
    if words == "vintage":
        numbers.update(warmth=0.13, contrast=0.85, noise=numbers["noise"] + 3)
    return Shot(**numbers)
