"""Kitchen and bathroom appliances."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def _front_buttons(
    b: Builder, rows: int, cols: int, size: tuple[float, float], at: tuple[float, float, float], paint: str
) -> None:
    """Add a grid of keys on a face toward +z."""
    w, h = size
    for i in range(rows):
        for j in range(cols):
            x, y = at[0] + w * ((j + 0.5) / cols - 0.5), at[1] + h * (0.5 - (i + 0.5) / rows)
            b.box((w / cols * 0.78, h / rows * 0.72, 0.05), paint, (x, y, at[2]), corner=0.015)


def microwave(b: Builder) -> None:
    w, tall = 1.0, b.u(0.52, 0.65)
    b.box((2 * w, 2 * tall, 1.1), "main", (0, 0, -0.55), corner=0.04)
    b.box((1.35 * w, 1.75 * tall, 0.05), "charcoal/plastic", (-0.27 * w, 0, 0.01), corner=0.03)
    b.box((1.05 * w, 1.25 * tall, 0.04), "black/screen", (-0.33 * w, 0, 0.03), corner=0.02)
    b.tube([(0.33 * w, -tall * 0.7, 0.09), (0.33 * w, tall * 0.7, 0.09)], 0.04, "silver/metal")
    b.box((0.4, 0.16, 0.03), "emerald/screen", (0.7 * w, tall * 0.68, 0.01), corner=0.01)
    _front_buttons(b, 4, 3, (0.42, tall * 0.95), (0.7 * w, -tall * 0.2, 0.01), "accent/plastic")


def oven(b: Builder) -> None:
    w, tall = 0.8, b.u(0.85, 1.0)
    b.box((2 * w, 2 * tall, 1.4), "main", (0, 0, -0.7), corner=0.03)
    b.box((1.8 * w, 1.2 * tall, 0.05), "main", (0, -tall * 0.25, 0.02), corner=0.03)
    b.box((1.3 * w, 0.75 * tall, 0.05), "black/screen", (0, -tall * 0.28, 0.04), corner=0.03)
    b.tube([(-w * 0.75, tall * 0.26, 0.12), (w * 0.75, tall * 0.26, 0.12)], 0.04, "silver/metal")
    for k in range(b.pick(4, 5)):
        b.revolve(
            [(0, 0), (0.09, 0), (0.08, 0.1), (0, 0.1)],
            "accent/plastic",
            (-w * 0.72 + 0.36 * w * k, tall * 0.7, 0.01),
            (90, 0, 0),
        )
    for x in (-0.4, 0.4):
        for z in (-0.35, -1.0):
            b.revolve([(0, 0), (0.26, 0), (0.26, 0.03), (0, 0.03)], "black/iron", (x, tall, z))
            b.add(
                solids.tube(np.insert(0.2 * solids.circle(19), 1, 0.05, 1), 0.03, capped=False, sides=7),
                "charcoal/iron",
                (x, tall, z),
            )


def toaster(b: Builder) -> None:
    w, tall, d = b.u(0.75, 0.95), b.u(0.5, 0.62), b.u(0.34, 0.42)
    b.box((2 * w, 2 * tall, 2 * d), "main", corner=0.2, top=0.94)
    for sz in (-1, 1):
        b.box((1.4 * w, 0.04, 0.16), "black/plastic", (0, tall * 0.98, sz * d * 0.35), corner=0.02)
        if b.chance(0.7):
            b.box((1.15 * w, 0.5, 0.12), "bread/bread", (0, tall + 0.08, sz * d * 0.35), corner=0.05)
    b.box((0.08, 0.1, 0.2), "black/plastic", (w + 0.02, tall * 0.3, 0), corner=0.03)
    b.revolve([(0, 0), (0.1, 0), (0.1, 0.06), (0, 0.06)], "black/plastic", (w * 0.65, -tall * 0.5, d), (90, 0, 0))
    b.box((1.9 * w, 0.1, 1.9 * d), "black/plastic", (0, -tall, 0), corner=0.04)


def refrigerator(b: Builder) -> None:
    w, tall, split = b.u(0.55, 0.7), b.u(1.05, 1.25), b.pick(0.35, -0.25, 0.0)
    b.box((2 * w, 2 * tall, 1.0), "main", (0, 0, -0.5), corner=0.04)
    if b.chance(0.3):
        for sx in (-1, 1):
            b.box((0.97 * w, 1.95 * tall, 0.1), "main", (sx * w * 0.5, 0, 0.04), corner=0.04)
            b.tube([(sx * 0.08, -tall * 0.4, 0.15), (sx * 0.08, tall * 0.5, 0.15)], 0.03, "silver/metal")
        return
    low, high = tall * (1 + split), tall * (1 - split)
    for middle, size in [(-tall + low / 2, low), (tall - high / 2, high)]:
        b.box((1.98 * w, size * 0.97, 0.1), "main", (0, middle, 0.04), corner=0.04)
        b.tube([(-w * 0.8, middle - size * 0.25, 0.15), (-w * 0.8, middle + size * 0.25, 0.15)], 0.03, "silver/metal")


def hair_drier(b: Builder) -> None:
    r = b.u(0.33, 0.42)
    b.revolve(
        [
            (0, -0.75),
            (r * 0.8, -0.75),
            (r * 1.05, -0.6),
            (r, 0),
            (r * 0.72, 0.6),
            (r * 0.72, 0.95),
            (r * 0.6, 0.95),
            (r * 0.55, 0.5),
            (0, 0.5),
        ],
        "main",
        (0, 0.5, 0),
        (0, 0, -90),
    )
    b.revolve(
        [(r * 0.76, 0.78), (r * 0.78, 0.8), (r * 0.78, 1.0), (r * 0.76, 1.0)],
        "accent/plastic",
        (0, 0.5, 0),
        (0, 0, -90),
    )
    b.tube([(-0.25, 0.3, 0), (-0.2, -0.3, 0), (-0.1, -1.0, 0)], [0.2, 0.17, 0.19], "main", bend=10, flat=0.8)
    b.tube(
        [(-0.1, -0.98, 0), (0.0, -1.25, 0), (0.4, -1.3, 0.1), (0.7, -1.1, 0)], 0.04, "black/rubber", bend=12, sides=8
    )
    b.box((0.1, 0.2, 0.05), "accent/plastic", (-0.2, 0.0, 0.17), corner=0.02)


PROGRAMS: dict[str, ShapeProgram] = {
    "microwave": ShapeProgram(microwave, ("white", "silver", "black"), ("white", "grey"), "metal", (-40, 40), (4,
        22), aliases=("microwave_oven",)),
    "oven": ShapeProgram(oven, ("white", "silver", "black", "red"), ("black", "silver"), "metal", (-40, 40), (8,
        28), aliases=("stove",)),
    "toaster": ShapeProgram(toaster, ("silver", "red", "white", "mint", "black"), material="chrome", yaw=(-50, 50),
        pitch=(12, 32)),
    "refrigerator": ShapeProgram(refrigerator, ("white", "silver", "red", "mint"), material="metal", yaw=(-40, 40),
        pitch=(2, 16), aliases=("fridge", "freezer")),
    "hair_drier": ShapeProgram(hair_drier, ("pink", "black", "red", "purple", "white"), ("black", "silver"),
        "plastic", (-35, 35), (-5, 20), (-30, 30), aliases=("hair_dryer", "hairdryer")),
}  # fmt: skip
