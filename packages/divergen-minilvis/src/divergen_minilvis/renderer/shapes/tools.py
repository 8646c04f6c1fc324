"""Tools, and things to write and light with."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]

ANY = (-180.0, 180.0)


def scissors(b: Builder) -> None:
    opening, long = b.u(6, 24), b.u(0.95, 1.25)
    for side in (-1, 1):
        b.place(turn=(0, 0, side * opening), at=(0, 0, 0.035 * side))
        blade = [(-0.09, -0.1), (0.09, -0.12), (0.11, 0.1), (0.02, long), (-0.03, long * 0.98), (-0.09, 0.1)]
        b.plate([(x * side, y) for x, y in [*blade, blade[0]]], 0.05, "silver/metal", bevel=0.02)
        b.tube(
            [(0, -0.05, 0), (side * 0.06, -0.35, 0), (side * 0.12, -0.5, 0)],
            [0.08, 0.07, 0.08],
            "main",
            bend=8,
            flat=0.7,
        )
        a = np.linspace(0, 2 * np.pi, 29)
        b.add(
            solids.tube(
                np.stack([side * 0.2 + 0.19 * np.cos(a), -0.76 + 0.29 * np.sin(a), 0 * a], -1), 0.065, capped=False
            ),
            "main",
        )
    b.place()
    b.ball((0.06, 0.06, 0.08), "silver/chrome")


def toothbrush(b: Builder) -> None:
    b.tube(
        [(0, -1.3, 0), (0.02, -0.7, 0), (0, 0, 0.02), (0, 0.5, 0), (0, 1.0, 0)],
        [0.07, 0.1, 0.08, 0.05, 0.08],
        "main",
        bend=22,
        flat=0.7,
    )
    b.box((0.19, 0.5, 0.07), "main", (0, 0.92, 0), corner=0.06)
    for i in range(6):
        for j in range(3):
            paint = "white/plastic" if (i + j) % 2 or b.chance(0.4) else "accent/plastic"
            b.tube(
                [(-0.055 + 0.055 * j, 0.73 + 0.08 * i, 0.02), (-0.055 + 0.055 * j, 0.73 + 0.08 * i, 0.26)],
                0.032,
                paint,
                sides=7,
            )


def hammer(b: Builder) -> None:
    b.tube([(0, -1.2, 0), (0, -0.4, 0), (0, 0.85, 0)], [0.1, 0.075, 0.07], "main", bend=12, flat=0.8)
    b.box((0.5, 0.22, 0.2), "silver/metal", (0, 0.85, 0), corner=0.05)
    b.revolve(
        [(0, 0), (0.12, 0), (0.12, 0.25), (0.16, 0.28), (0.16, 0.42), (0.13, 0.44), (0, 0.44)],
        "silver/metal",
        (0.2, 0.85, 0),
        (0, 0, -90),
    )
    if b.chance(0.6):
        for z in (-0.07, 0.07):
            b.tube(
                [(-0.2, 0.87, 0), (-0.5, 0.85, z), (-0.75, 0.66, z * 1.3)],
                [0.11, 0.08, 0.02],
                "silver/metal",
                bend=9,
                flat=0.6,
            )
    else:
        b.box((0.4, 0.24, 0.2), "silver/metal", (-0.35, 0.85, 0), corner=0.05)
    b.tube([(0, -1.22, 0), (0, -0.55, 0)], [0.115, 0.09], b.pick("main", "accent/rubber"), flat=0.85)


def screwdriver(b: Builder) -> None:
    b.curve([(0, -1.1), (0.16, -1.08), (0.19, -0.85), (0.15, -0.55), (0.19, -0.3), (0.12, -0.15), (0, -0.14)], count=22)
    b.tube([(0, -0.2, 0), (0, b.u(0.7, 1.2), 0)], 0.05, "silver/chrome")
    b.revolve([(0.13, -0.17), (0.15, -0.15), (0.08, -0.05), (0, -0.05)], "accent/plastic")


def wrench(b: Builder) -> None:
    w = b.u(0.1, 0.14)
    a = np.radians(np.linspace(130, -130 + 180, 15) + 0)
    jaw = [(0.33 * np.cos(t) * 1.0, 1.0 + 0.33 * np.sin(t)) for t in np.radians(np.linspace(55, -75, 10))]
    mirror = [(-x, y) for x, y in reversed(jaw)]
    notch = [(-0.13, 1.28), (-0.13, 0.98), (0.0, 0.88), (0.13, 0.98), (0.13, 1.28)]
    low = [(w, 0.65), (w * 0.8, -0.7)]
    ring_end = [(0.27 * np.sin(t), -0.95 - 0.27 * np.cos(t)) for t in np.linspace(2.6, -2.6, 19)]
    outline = [*jaw, *low, *ring_end, *[(-x, y) for x, y in reversed(low)], *mirror, *notch]
    hole = solids.regular(6) * 0.14 + np.array([0, -0.95])
    b.pillow(outline, 0.13 + 0 * float(a[0]), rim=0.04, holes=[hole])


def key(b: Builder) -> None:
    bow = b.pick(solids.circle(25) * 0.38, solids.star(3, 0.75, start=90) * 0.45, solids.rectangle(0.75, 0.62, 0.2))
    head = np.asarray(bow, np.float32) + np.array([0, 0.75], np.float32)
    b.pillow(head, 0.12, rim=0.05, holes=[solids.circle(17) * 0.15 + np.array([0, 0.84])])
    teeth = [(-0.09, 0.5), (0.09, 0.5)]
    y = 0.0
    while y > -0.95:
        deep = b.u(0.0, 0.12)
        teeth += [(0.09 + deep, y), (0.09 + deep, y - 0.11)]
        y -= 0.15
    teeth += [(0.0, -1.1), (-0.09, -1.0), (-0.09, 0.5)]
    b.pillow(teeth, 0.09, rim=0.04)


def candle(b: Builder) -> None:
    r, tall = b.u(0.14, 0.45), b.u(1.1, 1.6)
    b.curve(
        [(0, 0), (r, 0), (r, tall * 0.5), (r, tall * 0.97), (r * 0.85, tall), (r * 0.4, tall - 0.05), (0, tall - 0.06)],
        count=24,
    )
    for _ in range(b.pick(0, 2, 3)):
        a, y = b.u(0, 6.28), b.u(0.4, 0.8) * tall
        b.tube(
            [(r * np.cos(a), tall * 0.98, r * np.sin(a)), (r * 1.02 * np.cos(a), y, r * 1.02 * np.sin(a))],
            [0.04, 0.055],
            "main",
            sides=8,
        )
    b.tube([(0, tall - 0.06, 0), (0.02, tall + 0.14, 0)], 0.018, "black/fabric", sides=6)
    if b.chance(0.75):
        b.curve([(0, tall + 0.08), (0.075, tall + 0.18), (0.06, tall + 0.28), (0, tall + 0.46)], "amber/flat", count=12)
        b.curve([(0, tall + 0.09), (0.045, tall + 0.15), (0, tall + 0.28)], "cream/flat", (0, 0, 0.05), count=8)
    if r < 0.25 and b.chance(0.7):
        b.curve(
            [(0, -0.2), (0.42, -0.2), (0.4, -0.15), (0.1, -0.1), (r + 0.06, 0.02), (r + 0.05, 0.12), (r, 0.12)],
            "accent/brass",
            count=16,
        )


def box(b: Builder) -> None:
    w, tall, d = b.u(0.7, 1.0), b.u(0.45, 0.8), b.u(0.5, 0.8)
    b.box((2 * w, 2 * tall, 2 * d), "main", corner=0.015)
    if b.chance(0.5):
        b.box((2 * w + 0.01, 0.02, 0.2), "accent/plastic", (0, tall, 0), corner=0.005)
        b.box((0.02, 0.35, 0.2), "accent/plastic", (w, tall - 0.17, 0), corner=0.005)
        b.box((0.02, 0.35, 0.2), "accent/plastic", (-w, tall - 0.17, 0), corner=0.005)
    else:
        for side, lean in ((1, b.u(20, 70)), (-1, b.u(20, 70))):
            turn = solids.rotation((-side * lean, 0, 0))
            middle = (
                np.array([0, tall, side * d])
                + turn @ np.array([0, 0, side * d * 0.48]) * np.array([1, -1, 1])
                + [0, 0, 0]
            )
            b.box((2 * w, 0.03, d), "main", middle, (side * lean, 0, 0), corner=0.01)
        b.box((1.9 * w, 0.02, 1.9 * d), "darkwood/paper", (0, tall + 0.005, 0), corner=0.005)


def pencil(b: Builder) -> None:
    r = 0.09
    b.add(solids.loft(solids.regular(6), [(-1.1, 0), (-1.1, r), (-1.0, r), (0.8, r), (0.82, r)]), "main")
    b.revolve([(r * 0.98, 0.8), (0.03, 1.1)], "straw/wooden")
    b.revolve([(0.034, 1.09), (0.0, 1.2)], "black/plastic")
    b.revolve([(r * 1.08, -1.28), (r * 1.08, -1.08)], "silver/metal")
    b.curve([(0, -1.45), (r * 0.9, -1.42), (r * 0.95, -1.28)], "salmon/rubber", count=8)


PROGRAMS: dict[str, ShapeProgram] = {
    "scissors": ShapeProgram(scissors, ("red", "black", "orange", "blue", "teal"), pitch=(-10, 30), roll=ANY,
        aliases=("shears",)),
    "toothbrush": ShapeProgram(toothbrush, ("sky", "pink", "lime", "white", "red", "purple"), ("sky", "red",
        "lime"), yaw=(-75, 75), pitch=(-10, 20), roll=ANY),
    "hammer": ShapeProgram(hammer, ("wood", "tan", "red", "black"), ("black", "red", "navy"), "wooden", (-30, 30),
        (-10, 25), ANY),
    "screwdriver": ShapeProgram(screwdriver, ("red", "yellow", "blue", "orange", "lime"), ("black",), "plastic",
        pitch=(-15, 20), roll=ANY),
    "wrench": ShapeProgram(wrench, ("silver", "steel", "charcoal"), material="metal", pitch=(-15, 30), roll=ANY,
        aliases=("spanner",)),
    "key": ShapeProgram(key, ("gold", "silver", "bronze"), material="metal", pitch=(-15, 30), roll=ANY),
    "candle": ShapeProgram(candle, ("cream", "red", "white", "lavender", "sage"), ("gold",), "wax", pitch=(4, 25),
        aliases=("taper",)),
    "pencil": ShapeProgram(pencil, ("yellow", "red", "green", "navy", "orange"), material="paint", pitch=(-15, 20),
        roll=ANY, aliases=("pen", "crayon")),
}  # fmt: skip
