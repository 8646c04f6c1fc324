"""Furniture and what stands about a room."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def _legs(
    b: Builder, x: float, z: float, low: float, high: float, thick: float, paint: str, *, splay: float = 0.0
) -> None:
    for sx in (-1, 1):
        for sz in (-1, 1):
            foot = (sx * (x + splay), low, sz * (z + splay))
            b.tube([foot, (sx * x, high, sz * z)], [thick * 0.75, thick], paint, sides=9)


def chair(b: Builder) -> None:
    kind = b.pick("wood", "wood", "shell", "office")
    w, d, seat, back = b.u(0.42, 0.52), b.u(0.4, 0.5), 0.0, b.u(0.75, 1.05)
    b.box((2 * w, b.u(0.08, 0.16), 2 * d), "main", (0, seat, 0), corner=0.05)
    if kind == "office":
        b.tube([(0, 0, 0), (0, -0.7, 0)], 0.06, "grey/metal")
        for k in range(5):
            a = 1.257 * k
            b.tube([(0, -0.65, 0), (0.5 * np.cos(a), -0.75, 0.5 * np.sin(a))], 0.045, "black/plastic", sides=8)
            b.ball(0.07, "black/rubber", (0.5 * np.cos(a), -0.82, 0.5 * np.sin(a)))
    else:
        _legs(
            b, w * 0.85, d * 0.85, -0.85, 0.0, 0.05, "main" if kind == "wood" else "accent/wooden", splay=b.u(0, 0.12)
        )
    lean = b.u(0.05, 0.18)
    if kind == "wood":
        for sx in (-1, 1):
            b.tube([(sx * w * 0.88, 0, -d * 0.85), (sx * w * 0.88, back, -d * 0.85 - lean)], 0.05, "main", sides=9)
        bars = b.pick(1, 2, 3)
        for k in range(bars):
            y = back * (0.5 + 0.5 * (k + 0.6) / bars)
            b.box((1.76 * w, 0.34 / bars + 0.05, 0.05), "main", (0, y, -d * 0.85 - lean * y / back), corner=0.02)
    else:
        if kind == "office":
            b.tube([(0, 0, -d), (0, back * 0.5, -d - 0.08)], 0.05, "black/plastic")
        else:
            for x in (-0.5 * w, 0.5 * w):
                b.tube([(x, 0, -d * 0.9), (x, back * 0.4, -d - 0.06)], 0.045, "accent/wooden", sides=8)
        b.plate(
            solids.rectangle(1.9 * w, back * 0.8, 0.16),
            0.09,
            "main",
            (0, back * 0.58, -d - lean * 0.5),
            (-6, 0, 0),
            bevel=0.04,
        )
    if kind == "office" or b.chance(0.2):
        for sx in (-1, 1):
            b.tube(
                [(sx * w, 0, 0.1), (sx * (w + 0.08), 0.32, 0.2), (sx * (w + 0.08), 0.34, -0.3)],
                0.045,
                "accent",
                bend=9,
                sides=8,
            )


def stool(b: Builder) -> None:
    tall, r = b.u(0.7, 1.4), b.u(0.4, 0.55)
    b.revolve([(0, 0), (r * 0.95, 0), (r, 0.04), (r, 0.1), (r * 0.93, 0.14), (0, 0.15)])
    _legs(b, r * 0.55, r * 0.55, -tall, 0, 0.05, "accent/wooden", splay=b.u(0.05, 0.2))
    b.add(
        solids.tube(
            np.stack(
                [
                    r * 0.8 * np.cos(np.linspace(0, 6.283, 25)),
                    np.full(25, -tall * 0.6),
                    r * 0.8 * np.sin(np.linspace(0, 6.283, 25)),
                ],
                -1,
            ),
            0.035,
            capped=False,
            sides=8,
        ),
        "accent/wooden",
    )


def couch(b: Builder) -> None:
    w, seats, arm = b.u(0.95, 1.5), b.pick(2, 3), b.u(0.14, 0.26)
    back = b.u(0.45, 0.7)
    b.box((2 * w, 0.35, 0.9), "main", (0, -0.2, 0), corner=0.06)
    b.box((2 * w, back + 0.4, 0.25), "main", (0, back / 2 - 0.05, -0.42), (-6, 0, 0), corner=0.1)
    for sx in (-1, 1):
        b.box((arm, b.u(0.62, 0.66), 0.95), "main", (sx * w, 0.0, 0.02), corner=0.09)
        for z in (-0.35, 0.38):
            b.tube([(sx * w * 0.95, -0.35, z), (sx * w * 0.97, -0.52, z)], [0.05, 0.035], "darkwood/wooden", sides=8)
    each = (2 * w - arm) / seats
    for k in range(seats):
        x = -w + arm / 2 + each * (k + 0.5)
        b.box((each * 0.97, 0.2, 0.75), "main", (x, 0.06, 0.08), corner=0.08)
        b.box((each * 0.94, back * 0.85, 0.22), "main", (x, 0.12 + back * 0.4, -0.25), (-10, 0, 0), corner=0.09)
    if b.chance(0.4):
        b.box((0.4, 0.4, 0.16), "accent/fabric", (w * 0.6, 0.32, -0.05), (-18, -12, 8), corner=0.07)


def dining_table(b: Builder) -> None:
    tall = b.u(0.8, 1.1)
    if b.chance(0.3):
        r = b.u(0.8, 1.1)
        b.revolve([(0, 0), (r, 0), (r + 0.02, 0.03), (r, 0.08), (0, 0.08)])
        b.curve([(0.5, -tall), (0.4, -tall + 0.06), (0.09, -tall * 0.8), (0.13, -tall * 0.4), (0.1, 0)], "main")
        return
    w, d = b.u(0.8, 1.25), b.u(0.5, 0.75)
    b.box((2 * w, 0.09, 2 * d), "main", (0, 0, 0), corner=0.02)
    b.box((1.8 * w, 0.12, 1.75 * d), "main", (0, -0.1, 0), corner=0.01)
    for sx in (-1, 1):
        for sz in (-1, 1):
            b.box((0.12, tall, 0.12), "main", (sx * w * 0.9, -tall / 2, sz * d * 0.85), corner=0.02, top=b.u(1.0, 1.3))


def bed(b: Builder) -> None:
    w, long = b.u(0.6, 0.95), b.u(1.0, 1.2)
    b.box((2 * w, 0.22, 2 * long), "accent/wooden", (0, -0.15, 0), corner=0.03)
    b.box((1.95 * w, 0.26, 1.96 * long), "white/fabric", (0, 0.05, 0), corner=0.08)
    b.box((2.02 * w, 0.2, 1.35 * long), "main", (0, 0.12, 0.3 * long), corner=0.08)
    b.box((2.1 * w, b.u(0.7, 1.1), 0.1), "accent/wooden", (0, 0.2, -long - 0.04), corner=0.04)
    if b.chance(0.5):
        b.box((2.1 * w, 0.45, 0.09), "accent/wooden", (0, 0.0, long + 0.04), corner=0.04)
    for sx in (-1, 1) if w > 0.72 else (0,):
        b.box(
            (0.75 * min(w, 0.9), 0.18, 0.38),
            "white/fabric",
            (sx * w * 0.47, 0.26, -long * 0.75),
            (-12, 0, 0),
            corner=0.085,
        )
    for sx in (-1, 1):
        for sz in (-1, 1):
            b.box((0.1, 0.25, 0.1), "accent/wooden", (sx * w * 0.95, -0.35, sz * long * 0.95), corner=0.02)


def bench(b: Builder) -> None:
    w, slats = b.u(1.0, 1.5), b.pick(3, 4)
    for k in range(slats):
        b.box((2 * w, 0.05, 0.5 / slats), "main", (0, 0, -0.2 + 0.56 * k / slats), corner=0.015)
    if b.chance(0.75):
        for k in range(slats):
            y = 0.2 + 0.5 * k / slats
            b.box((2 * w, 0.44 / slats, 0.05), "main", (0, y, -0.32 - 0.15 * y), (-8, 0, 0), corner=0.015)
    for sx in (-0.85, 0.85):
        x = sx * w
        b.tube([(x, 0.7, -0.45), (x, 0.0, -0.3), (x, -0.55, -0.34)], 0.045, "black/iron", sides=8)
        b.tube(
            [(x, 0.28, -0.35), (x, 0.3, 0.25), (x, -0.05, 0.27), (x, -0.55, 0.3)], 0.045, "black/iron", bend=12, sides=8
        )
        b.tube([(x, -0.03, -0.3), (x, -0.03, 0.3)], 0.04, "black/iron", sides=8)


def potted_plant(b: Builder) -> None:
    b.revolve(
        [
            (0, -0.9),
            (0.3, -0.9),
            (0.33, -0.86),
            (0.45, -0.25),
            (0.5, -0.25),
            (0.5, -0.12),
            (0.42, -0.12),
            (0.4, -0.2),
            (0, -0.2),
        ],
        "accent/clay",
    )
    b.revolve([(0.4, -0.2), (0, -0.17)], "soil/stone")
    kind, count = b.pick("broad", "spiky", "bush"), b.pick(11, 14, 17)
    for k in range(count):
        angle = 2.4 * k + b.u(-0.3, 0.3)
        lean, tall = b.u(0.15, 0.75), b.u(0.5, 1.2)
        out = np.array([np.cos(angle), 0, np.sin(angle)])
        foot, tip = np.array([0, -0.2, 0]), lean * out + np.array([0, tall - 0.2 - 0.3 * lean, 0])
        side = np.array([-np.sin(angle), 0, np.cos(angle)])
        t = np.linspace(0, 1, 9)[:, None]
        if kind == "spiky":
            line = foot + (tip - foot) * t + out * 0.4 * t**2.5
            width = 0.09 * (1 - t**2)
        else:
            b.tube([foot, (foot + tip) / 2 + [0, 0.1, 0], tip], 0.018, "leaf/leaf", bend=5, sides=6)
            line = tip + out * (0.5 if kind == "broad" else 0.3) * t + np.array([0, 0.22, 0]) * np.sin(2.6 * t)
            width = (0.2 if kind == "broad" else 0.13) * np.sin(np.pi * np.clip(t, 0.01, 1) ** 0.75)
        b.sheet(np.stack([line + side * width * s + [0, 0.05 * abs(s), 0] for s in (-1, -0.5, 0, 0.5, 1)]), "main")


def lamp(b: Builder) -> None:
    tall, r = b.u(0.7, 1.3), b.u(0.35, 0.55)
    if b.chance(0.5):
        b.curve(
            [(0, 0), (0.3, 0), (0.3, 0.05), (b.u(0.08, 0.3), tall * 0.4), (0.06, tall), (0, tall)], "accent/ceramic"
        )
    else:
        b.revolve([(0, 0), (0.32, 0), (0.32, 0.05), (0.04, 0.08), (0.03, tall), (0, tall)], "accent/metal")
    top, high = r * b.u(0.5, 0.85), tall + b.u(0.4, 0.6)
    b.revolve([(r, tall - 0.08), (top, high), (top - 0.02, high), (r - 0.02, tall - 0.07)])
    b.ball(0.12, "cream/wax", (0, tall + 0.1, 0))


def clock(b: Builder) -> None:
    square = b.chance(0.25)
    ring = solids.rectangle(1.9, 1.9, 0.25) if square else solids.circle(41)
    b.plate(ring, 0.25, "main", bevel=0.05)
    b.plate(ring * 0.86, 0.02, "white/paper", (0, 0, 0.13), bevel=0.005)
    for hour in range(12):
        a = np.radians(30 * hour)
        long = 0.16 if hour % 3 == 0 else 0.09
        outer = np.array([np.sin(a), np.cos(a), 0]) * 0.78
        b.tube(
            [[*(outer[:2] * (1 - long)), 0.15], [*outer[:2], 0.15]],
            0.022 if hour % 3 else 0.032,
            "black/plastic",
            sides=6,
        )
    for length, thick, paint in [(0.45, 0.04, "black/metal"), (0.66, 0.028, "black/metal"), (0.7, 0.012, "red/metal")]:
        a = b.u(0, 6.28)
        b.tube(
            [(-0.12 * np.sin(a), -0.12 * np.cos(a), 0.17), (length * np.sin(a), length * np.cos(a), 0.17)],
            thick,
            paint,
            sides=6,
        )
    b.ball(0.05, "black/metal", (0, 0, 0.17))
    if b.chance(0.3):
        for sx in (-1, 1):
            b.ball((0.3, 0.24, 0.2), "accent/metal", (sx * 0.55, 1.08, 0), (0, 0, -28 * sx))
            b.tube([(sx * 0.6, -0.8, 0), (sx * 0.75, -1.15, 0)], 0.06, "accent/metal")


def ladder(b: Builder) -> None:
    w, tall, rungs = b.u(0.25, 0.38), b.u(1.0, 1.5), b.pick(5, 6, 7, 8)
    splay = b.u(0.0, 0.12)
    b.place(turn=(-12, 0, 0))
    for sx in (-1, 1):
        b.tube([(sx * (w + splay), -tall, 0), (sx * w, tall, 0)], 0.05, "main", flat=0.6, sides=9)
    for k in range(rungs):
        y = -tall + 2 * tall * (k + 0.5) / rungs
        b.tube([(-w - splay * 0.5, y, 0), (w + splay * 0.5, y, 0)], 0.04, "main", sides=8)
    if b.chance(0.5):
        b.place(turn=(14, 0, 0), at=(0, 0, -0.45))
        for sx in (-1, 1):
            b.tube([(sx * w, -tall * 1.05, 0), (sx * w * 0.95, tall, 0)], 0.04, "accent/metal", flat=0.6, sides=9)


def bookcase(b: Builder) -> None:
    w, tall, shelves = b.u(0.6, 0.9), b.u(0.9, 1.2), b.pick(3, 4, 5)
    b.box((2 * w, 2 * tall, 0.05), "main", (0, 0, -0.25), corner=0.01)
    for sx in (-1, 1):
        b.box((0.08, 2 * tall, 0.55), "main", (sx * w, 0, 0), corner=0.01)
    for k in range(shelves + 1):
        b.box((2 * w, 0.07, 0.55), "main", (0, -tall + 2 * tall * k / shelves, 0), corner=0.01)
    for k in range(shelves):
        x = -w + 0.12
        while x < w * b.u(0.5, 0.95):
            thick, high = b.u(0.06, 0.13), 2 * tall / shelves * b.u(0.55, 0.85)
            paint = b.pick("red/paper", "navy/paper", "green/paper", "cream/paper", "mustard/paper", "teal/paper")
            b.box((thick, high, 0.35), paint, (x, -tall + 2 * tall * k / shelves + high / 2 + 0.03, 0.03), corner=0.01)
            x += thick + 0.01


PROGRAMS: dict[str, ShapeProgram] = {
    "chair": ShapeProgram(chair, ("wood", "darkwood", "red", "white", "navy", "teal"), ("black", "wood",
        "darkwood"), "wooden", (-60, 60), (8, 28), front=0, aliases=("armchair", "folding_chair", "deck_chair")),
    "stool": ShapeProgram(stool, ("wood", "red", "black", "white"), ("wood", "darkwood", "silver"), "wooden", (-45,
        45), (12, 32)),
    "couch": ShapeProgram(couch, ("grey", "beige", "teal", "navy", "mustard", "burgundy", "brown"), ("mustard",
        "white", "red"), "fabric", (-40, 40), (8, 25), aliases=("sofa", "loveseat")),
    "dining_table": ShapeProgram(dining_table, ("wood", "darkwood", "white", "tan"), ("black",), "wooden", (-50,
        50), (12, 32), aliases=("table", "kitchen_table", "desk", "coffee_table")),
    "bed": ShapeProgram(bed, ("navy", "sky", "pink", "grey", "sage", "burgundy"), ("wood", "darkwood", "white"),
        "fabric", (-60, 60), (18, 38)),
    "bench": ShapeProgram(bench, ("wood", "darkwood", "green"), ("black",), "wooden", (-45, 45), (8, 25)),
    "potted_plant": ShapeProgram(potted_plant, ("leaf", "green", "darkgreen", "lime"), ("terracotta", "white",
        "teal", "charcoal"), "leaf", (-180, 180), (5, 25), aliases=("houseplant", "flowerpot")),
    "lamp": ShapeProgram(lamp, ("cream", "white", "red", "mustard", "teal"), ("gold", "navy", "silver",
        "terracotta"), "fabric", (-30, 30), (2, 18), aliases=("table_lamp", "lampshade", "floor_lamp")),
    "clock": ShapeProgram(clock, ("red", "black", "wood", "teal", "gold"), ("gold", "silver"), "plastic", (-40,
        40), (-5, 15), aliases=("wall_clock", "alarm_clock")),
    "ladder": ShapeProgram(ladder, ("wood", "silver", "red", "yellow"), ("silver",), "wooden", (-40, 40), (0, 20),
        aliases=("stepladder",)),
    "bookcase": ShapeProgram(bookcase, ("wood", "darkwood", "white"), ("black",), "wooden", (-40, 40), (5, 20),
        aliases=("bookshelf", "shelf")),
}  # fmt: skip
