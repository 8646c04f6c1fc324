"""Sports gear."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]

ANY = (-180.0, 180.0)


def frisbee(b: Builder) -> None:
    lip = b.u(0.12, 0.2)
    b.curve([(0.94, -lip), (1, -lip * 0.5), (0.97, 0.02), (0.8, 0.06), (0.4, 0.085), (0, 0.09)], count=20)
    if b.chance(0.7):
        b.revolve([(0.55, 0.078), (0.56, 0.088), (0.66, 0.08), (0.67, 0.07)], "accent")
        b.revolve([(0.3, 0.088), (0.0, 0.096)], "accent")


def skis(b: Builder) -> None:
    gap = b.u(0.12, 0.22)
    for side in (-1, 1):
        b.place(at=(side * gap, 0, 0), turn=(0, 0, b.u(-5, 5)))
        t = np.linspace(0, 1, 25)
        lift = 0.35 * np.clip((t - 0.86) / 0.14, 0, 1) ** 2
        w = np.interp(t, [0, 0.03, 0.5, 0.85, 0.96, 1], [0.05, 0.085, 0.065, 0.09, 0.05, 0.0])
        b.sheet([np.stack([w * s, -1.4 + 2.8 * t, lift + 0.02], -1) for s in (-1, 0, 1)], "main")
        b.sheet([np.stack([w * s * 1.02, -1.4 + 2.8 * t, lift], -1) for s in (-1, 0, 1)], "accent")
        b.box((0.12, 0.34, 0.08), "black/plastic", (0, -0.1, 0.05), corner=0.02)
        b.box((0.1, 0.1, 0.12), "silver/metal", (0, 0.1, 0.07), corner=0.02)
    if b.chance(0.4):
        for side in (-1, 1):
            b.place(at=(side * 0.45, 0, 0), turn=(0, 0, -side * 8))
            b.tube([(0, -1.1, 0), (0, 0.9, 0)], 0.018, "charcoal/metal", sides=6)
            b.tube([(0, 0.72, 0), (0, 0.95, 0)], 0.04, "black/rubber", sides=8)
            b.revolve([(0.03, -1.0), (0.11, -1.0), (0.03, -0.98)], "black/plastic")


def snowboard(b: Builder) -> None:
    w, waist = b.u(0.27, 0.34), b.u(0.8, 0.9)
    right = [(w * 0.55, 1.35), (w, 1.1), (w * waist, 0.0), (w, -1.1), (w * 0.55, -1.35), (0, -1.43)]
    ring = solids.smooth([(0, 1.43), *right, *[(-x, y) for x, y in reversed(right[:-1])]], 50, closed=True)
    b.pillow(ring, 0.06, rim=0.03, bend=0.05)
    b.pillow(ring * [0.72, 0.5] + [0, b.u(-0.4, 0.4)], 0.03, "accent/plastic", (0, 0, 0.025), rim=0.02)
    if b.chance(0.75):
        for y in (-0.45, 0.45):
            b.box((0.5, 0.2, 0.05), "black/plastic", (0, y, 0.06), (0, 0, b.u(-15, 15)), corner=0.02)
            b.tube(
                [(-0.2, y, 0.05), (-0.15, y, 0.22), (0.1, y, 0.24), (0.2, y, 0.05)],
                0.05,
                "charcoal/plastic",
                bend=10,
                flat=0.5,
            )


def surfboard(b: Builder) -> None:
    w, tail = b.u(0.3, 0.42), b.u(0.25, 0.6)
    right = [(w * 0.5, 1.15), (w, 0.3), (w * 0.97, -0.4), (w * tail, -1.3)]
    ring = solids.smooth(
        [(0, 1.5), *right, (0, -1.36 if tail > 0.45 else -1.48), *[(-x, y) for x, y in reversed(right)]],
        60,
        closed=True,
    )
    b.pillow(ring, 0.14, rim=0.2)
    b.box((0.025, 2.7, 0.03), "accent/plastic", (0, 0, 0.06), corner=0.01)
    for y in (0.5, -0.7) if b.chance(0.6) else ():
        b.box((1.7 * w, 0.16, 0.05), "accent/plastic", (0, y, 0.055), corner=0.02)
    fin = solids.smooth([(0, 0), (0.1, -0.25), (0.25, -0.3), (0.2, 0.0)], 20, closed=True)
    b.plate(np.stack([fin[:, 0], fin[:, 1]], -1), 0.03, "black/plastic", (0, -1.15, -0.08), (0, 90, 0), bevel=0.01)


def skateboard(b: Builder) -> None:
    t = np.linspace(-1, 1, 21)
    lift = 0.22 * np.clip((np.abs(t) - 0.68) / 0.32, 0, 1) ** 1.3
    w = 0.28 * np.sqrt(np.clip(1 - np.clip((np.abs(t) - 0.72) / 0.28, 0, 1) ** 2, 0.02, 1))
    for y, paint in [(0.03, "charcoal/stone"), (-0.03, "main")]:
        b.sheet([np.stack([1.2 * t, lift + y, w * s], -1) for s in (-1, 0, 1)], paint)
    edge = np.concatenate([np.stack([1.2 * t, lift, w], -1), np.stack([1.2 * t, lift, -w], -1)[::-1]])
    b.tube(np.concatenate([edge, edge[:1]]), 0.033, "main", sides=7)
    for x in (-0.68, 0.68):
        b.box((0.16, 0.14, 0.34), "silver/metal", (x, -0.12, 0), corner=0.03)
        for z in (-0.24, 0.24):
            b.revolve(
                [(0, -0.07), (0.11, -0.07), (0.13, -0.03), (0.13, 0.03), (0.11, 0.07), (0, 0.07)],
                "accent/rubber",
                (x, -0.23, z),
                (90, 0, 0),
            )


def baseball_bat(b: Builder) -> None:
    r = b.u(0.12, 0.17)
    b.curve(
        [
            (0, -1.2),
            (0.1, -1.19),
            (0.1, -1.12),
            (0.055, -1.08),
            (0.05, -0.5),
            (r * 0.75, 0.2),
            (r, 0.75),
            (r, 1.12),
            (r * 0.75, 1.2),
            (0, 1.21),
        ],
        count=34,
    )
    if b.chance(0.7):
        b.revolve([(0.056, -1.06), (0.066, -1.04), (0.064, -0.6), (0.05, -0.58)], "accent/leather")


def tennis_racket(b: Builder) -> None:
    a = np.linspace(0, 2 * np.pi, 37)
    rx, ry = b.u(0.46, 0.55), b.u(0.6, 0.7)
    b.add(
        solids.tube(np.stack([rx * np.sin(a), 0.75 + ry * np.cos(a), 0 * a], -1), 0.045, flat=1.3, capped=False), "main"
    )
    for side in (-1, 1):
        b.tube(
            [(side * rx * 0.62, 0.75 - ry * 0.78, 0), (side * 0.1, -0.18, 0), (side * 0.03, -0.4, 0)],
            0.038,
            "main",
            bend=10,
            sides=9,
        )
    b.tube([(0, -0.35, 0), (0, -1.15, 0)], [0.062, 0.075], "accent/leather")
    for k in range(-5, 6):
        x = rx * k / 6
        reach = ry * np.sqrt(1 - (k / 6) ** 2)
        b.tube([(x, 0.75 - reach, 0), (x, 0.75 + reach, 0)], 0.008, "cream/plastic", sides=4)
    for k in range(-6, 7):
        y = ry * k / 7
        reach = rx * np.sqrt(1 - (k / 7) ** 2)
        b.tube([(-reach, 0.75 + y, 0), (reach, 0.75 + y, 0)], 0.008, "cream/plastic", sides=4)


def baseball_glove(b: Builder) -> None:
    palm = solids.smooth(
        [(-0.55, -0.75), (0.35, -0.8), (0.7, -0.3), (0.7, 0.25), (-0.6, 0.3), (-0.75, -0.2)], 40, closed=True
    )
    b.pillow(palm, 0.5, rim=0.5, bend=0.15)
    for k in range(4):
        x = -0.52 + 0.36 * k
        lean = -0.12 + 0.09 * k
        b.tube(
            [(x, -0.1, 0.12), (x + lean * 0.5, 0.4, 0.1), (x + lean, 0.85 - 0.06 * abs(k - 1.4), 0.22)],
            [0.2, 0.21, 0.16],
            "main",
            bend=9,
            flat=0.8,
        )
        b.ball((0.15, 0.13, 0.13), "main", (x + lean, 0.87 - 0.06 * abs(k - 1.4), 0.22))
    b.tube([(0.5, -0.55, 0.15), (0.95, -0.1, 0.25), (1.0, 0.45, 0.35)], [0.24, 0.23, 0.16], "main", bend=10, flat=0.8)
    b.ball((0.15, 0.15, 0.13), "main", (1.0, 0.46, 0.35))
    for y in (0.25, 0.42, 0.59):
        b.tube([(0.6, y, 0.22), (0.95, y - 0.1, 0.34)], 0.035, "accent/leather", sides=7)
    for k in range(3):
        b.tube([(0.58, 0.2 + 0.17 * k, 0.24), (0.98, 0.32 + 0.06 * k, 0.36)], 0.03, "accent/leather", sides=7)


def dumbbell(b: Builder) -> None:
    r = b.u(0.35, 0.5)
    b.tube([(-0.9, 0, 0), (0.9, 0, 0)], 0.09, "accent/chrome")
    for side in (-1, 1):
        for k, scale in enumerate((1.0, 0.8)[: b.pick(1, 2)]):
            b.revolve(
                [
                    (0, -0.12),
                    (r * scale * 0.9, -0.12),
                    (r * scale, -0.08),
                    (r * scale, 0.08),
                    (r * scale * 0.9, 0.12),
                    (0, 0.12),
                ],
                "main",
                (side * (0.62 + 0.26 * k), 0, 0),
                (0, 0, 90),
            )


PROGRAMS: dict[str, ShapeProgram] = {
    "frisbee": ShapeProgram(frisbee, ("red", "blue", "yellow", "lime", "orange", "white"), ("white", "black",
        "navy"), pitch=(20, 70), roll=(-30, 30)),
    "skis": ShapeProgram(skis, ("red", "navy", "white", "lime", "black"), ("black", "yellow"), yaw=(-40, 40),
        pitch=(-10, 30), roll=(-60, 60), aliases=("ski",)),
    "snowboard": ShapeProgram(snowboard, ("navy", "red", "black", "teal", "purple"), ("yellow", "white", "orange",
        "lime"), yaw=(-45, 45), pitch=(-10, 30), roll=ANY),
    "surfboard": ShapeProgram(surfboard, ("white", "yellow", "sky", "red", "mint"), ("navy", "red", "black",
        "teal"), yaw=(-40, 40), pitch=(-10, 30), roll=(-60, 60)),
    "skateboard": ShapeProgram(skateboard, ("red", "wood", "teal", "black", "yellow"), ("white", "red", "lime",
        "cream"), "wooden", (-50, 50), (-25, 35), (-25, 25)),
    "baseball_bat": ShapeProgram(baseball_bat, ("tan", "wood", "black", "silver"), ("black", "red", "navy"),
        "wooden", pitch=(-15, 15), roll=ANY),
    "tennis_racket": ShapeProgram(tennis_racket, ("red", "navy", "black", "lime", "white"), ("black", "white"),
        yaw=(-45, 45), pitch=(-10, 25), roll=ANY, aliases=("racket", "badminton_racket")),
    "baseball_glove": ShapeProgram(baseball_glove, ("brown", "tan", "chestnut", "black"), ("straw", "chocolate"),
        "leather", (-35, 35), (-15, 25), (-40, 40), aliases=("baseball_mitt", "glove_baseball")),
    "dumbbell": ShapeProgram(dumbbell, ("charcoal", "black", "red", "teal"), ("silver",), "rubber", (-60, 60), (10,
        40)),
}  # fmt: skip
