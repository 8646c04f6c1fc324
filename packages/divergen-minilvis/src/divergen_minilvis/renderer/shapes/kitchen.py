"""Tableware, cookware and vessels."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def _handle(b: Builder, x: float, low: float, high: float, reach: float, thick: float, paint: str = "main") -> None:
    mid = (low + high) / 2
    path = [
        (x, high, 0),
        (x + reach * 0.8, high + 0.02, 0),
        (x + reach, mid, 0),
        (x + reach * 0.7, low, 0),
        (x - 0.03, low - 0.03, 0),
    ]
    b.tube(path, thick, paint, bend=16, flat=b.u(1.0, 1.6))


def cup(b: Builder) -> None:
    top, foot, tall = b.u(0.5, 0.62), b.u(0.36, 0.58), b.u(0.8, 1.25)
    wall = 0.05
    belly = b.u(0.0, 0.08)
    b.curve(
        [(0, 0), (foot, 0), (foot + belly, 0.06), ((foot + top) / 2 + belly, tall / 2), (top, tall), (top - wall, tall),
         ((foot + top) / 2 + belly - wall, tall / 2), (foot - wall, 0.1), (0, 0.08)], count=30,
    )  # fmt: skip
    if b.chance(0.8):
        _handle(b, (foot + top) / 2, tall * 0.22, tall * 0.8, b.u(0.26, 0.36), 0.055)
    if b.chance(0.35):
        b.revolve([(0, tall * 0.86), (top * 0.93, tall * 0.86)], "chocolate/skin")
    elif b.chance(0.3):
        b.revolve(
            [(top * 0.99, tall * 0.84), (top + 0.006, tall * 0.84), (top + 0.006, tall * 0.95), (top, tall * 0.95)],
            "accent",
        )


def bowl(b: Builder) -> None:
    tall, foot = b.u(0.42, 0.68), b.u(0.3, 0.45)
    b.curve(
        [(0, 0), (foot, 0), (foot, 0.06), (0.75, tall * 0.45), (1, tall), (0.95, tall), (0.7, tall * 0.48),
         (foot - 0.05, 0.12), (0, 0.1)], count=30,
    )  # fmt: skip
    if b.chance(0.3):
        b.revolve([(0, tall * 0.75), (0.86, tall * 0.75)], b.pick("amber/food", "red/food", "leaf/leaf", "cream/food"))


def bottle(b: Builder) -> None:
    kind = b.pick("wine", "beer", "water", "soda")
    r, neck = b.u(0.3, 0.4), b.u(0.1, 0.14)
    body = {"wine": 1.1, "beer": 0.85, "water": 1.3, "soda": 1.0}[kind] * b.u(0.9, 1.1)
    shoulder = b.u(0.15, 0.4)
    tall = body + shoulder + b.u(0.35, 0.7)
    if kind == "water":
        neck, tall = b.u(0.14, 0.2), body + shoulder + 0.15
    profile = [(0, 0), (r * 0.95, 0), (r, 0.06), (r, body * 0.5), (r, body), (r * 0.85, body + shoulder * 0.5)]
    profile += [(neck * 1.1, body + shoulder), (neck, tall - 0.1), (neck, tall), (0, tall)]
    b.curve(profile, count=34)
    b.revolve([(0, tall), (neck * 1.25, tall - 0.02), (neck * 1.25, tall + 0.12), (0, tall + 0.13)], "accent/metal")
    if b.chance(0.75):
        low, high = body * b.u(0.15, 0.3), body * b.u(0.65, 0.9)
        b.revolve([(r * 1.0, low), (r * 1.015, low), (r * 1.015, high), (r, high)], "cream/paper")
        b.revolve(
            [(r * 1.02, low + 0.1), (r * 1.025, low + 0.1), (r * 1.025, low + 0.25), (r * 1.02, low + 0.25)],
            "accent/paper",
        )


def wine_glass(b: Builder) -> None:
    wide, tall, rim = b.u(0.42, 0.58), b.u(0.75, 1.0), b.u(0.3, 0.42)
    b.curve([(0, 0), (0.44, 0), (0.42, 0.03), (0.06, 0.08), (0.035, 0.4), (0.045, 0.8), (0, 0.82)], count=20)
    bowl_profile = [(0.04, 0.78), (wide * 0.7, 0.92), (wide, 0.8 + tall * 0.45), (rim, 0.8 + tall)]
    b.curve(bowl_profile, count=18)
    if b.chance(0.5):
        level = 0.8 + tall * b.u(0.3, 0.55)
        wine = b.pick("burgundy/glass", "burgundy/skin", "amber/glass", "salmon/glass")
        b.curve([(0, 0.84), (wide * 0.66, 0.96), (wide * 0.97, level), (0, level)], wine, count=14)


def fork(b: Builder) -> None:
    tines, length = b.pick(3, 4, 4), b.u(0.7, 0.95)
    width = 0.34
    b.pillow(_cutlery_handle(b, length), 0.07, rim=0.06, bend=0.0)
    palm = [(0, -0.05), (0.07, 0.02), (0.17, 0.18), (0.17, 0.4), (-0.17, 0.4), (-0.17, 0.18), (-0.07, 0.02)]
    b.pillow(solids.smooth(palm, 40, closed=True), 0.06, rim=0.05)
    for k in range(tines):
        x = -width / 2 + 0.035 + k * (width - 0.07) / (tines - 1)
        b.tube([(x, 0.32, 0), (x, 0.6, 0.03), (x * 0.96, 0.85, -0.01)], [0.034, 0.03, 0.012], bend=8, flat=0.7, sides=8)


def _cutlery_handle(b: Builder, length: float) -> solids.FloatArray:
    w, neck = b.u(0.055, 0.1), b.u(0.028, 0.04)
    right = [(neck, 0.0), (neck, -0.25), (w * 0.8, -length * 0.75), (w, -length), (w * 0.6, -length - 0.07)]
    left = [(-x, y) for x, y in reversed(right)]
    return solids.smooth([*right, *left], 50, closed=True)


def spoon(b: Builder) -> None:
    length, w, tall = b.u(0.7, 0.95), b.u(0.17, 0.24), b.u(0.28, 0.36)
    b.pillow(_cutlery_handle(b, length), 0.07, rim=0.06)
    t = np.linspace(0.02, 1, 9)[:, None]
    angle = np.linspace(0, 2 * np.pi, 29)[None]
    rows = np.stack(
        np.broadcast_arrays(
            w * t * np.cos(angle),
            tall - 0.04 + tall * t * np.sin(angle) * (1 + 0.1 * np.sin(angle)),
            -0.12 * (1 - t**2) + 0 * angle,
        ),
        -1,
    )
    b.sheet(rows)
    b.add(solids.tube(rows[-1], 0.016, sides=7, capped=False), "main")


def knife(b: Builder) -> None:
    length, wide, kitchen = b.u(0.9, 1.3), b.u(0.09, 0.2), b.chance(0.5)
    tip = b.pick(0.0, wide * 0.7)
    blade = solids.smooth(
        [
            (-wide * 0.4, 0),
            (-wide * 0.42, length * 0.5),
            (-wide * 0.4 + tip * 0.5, length * 0.9),
            (tip * 0.2, length),
            (wide * 0.5, length * 0.8),
            (wide * 0.62, length * 0.4),
            (wide * 0.6, 0.03),
        ],
        60,
        closed=True,
    )
    b.pillow(blade, 0.035, "silver/metal" if kitchen else "main", rim=0.12)
    handle = solids.rectangle(wide * b.u(0.8, 1.05), b.u(0.55, 0.75), wide * 0.35)
    b.plate(handle, 0.1, "main/wooden" if kitchen else "main", (0.02, -0.3, 0), bevel=0.03)
    if kitchen:
        for y in (-0.12, -0.3, -0.48):
            b.ball((0.022, 0.022, 0.02), "silver/metal", (0.02, y, 0.045))


def plate(b: Builder) -> None:
    rim = b.u(0.55, 0.72)
    b.curve(
        [(0, -0.04), (rim, -0.04), (0.85, 0.02), (1, 0.1), (0.99, 0.13), (0.84, 0.06), (rim, 0.0), (0, 0.0)], count=26
    )
    if b.chance(0.5):
        b.revolve([(0.9, 0.075), (0.905, 0.09), (0.96, 0.122), (0.965, 0.11)], "accent/ceramic")


def teapot(b: Builder) -> None:
    fat, tall = b.u(0.75, 0.95), b.u(0.6, 0.8)
    b.curve([(0, -tall), (0.45, -tall), (0.5, -tall + 0.06), (fat, -0.1), (0.6, 0.5), (0.32, 0.6), (0, 0.6)], count=22)
    b.curve([(0, 0.56), (0.36, 0.58), (0.3, 0.68), (0.08, 0.76), (0.1, 0.86), (0.06, 0.93), (0, 0.94)], count=14)
    path = [(fat * 0.7, -0.35, 0), (fat + 0.25, -0.15, 0), (fat + 0.35, 0.25, 0), (fat + 0.55, 0.5, 0)]
    b.tube(path, [0.2, 0.13, 0.09, 0.07], bend=14)
    if b.chance(0.7):
        _handle(b, -fat * 0.8, -0.35, 0.35, -b.u(0.45, 0.6), 0.07)
    else:
        b.tube([(-0.55, 0.5, 0), (-0.45, 1.25, 0), (0.45, 1.25, 0), (0.55, 0.5, 0)], 0.05, "accent/metal", bend=16)


def pan(b: Builder) -> None:
    deep, long = b.u(0.2, 0.5), b.u(1.0, 1.5)
    b.revolve(
        [
            (0, 0),
            (0.72, 0),
            (0.78, 0.04),
            (0.9, deep),
            (0.93, deep),
            (0.92, deep - 0.02),
            (0.76, 0.08),
            (0.7, 0.05),
            (0, 0.05),
        ]
    )
    b.tube(
        [(0.82, deep * 0.7, 0), (1.1, deep + 0.06, 0), (0.9 + long, deep + b.u(0.05, 0.25), 0)],
        [0.05, 0.06, 0.085],
        "black/plastic",
        bend=10,
        flat=0.6,
    )


def pot(b: Builder) -> None:
    tall = b.u(0.6, 1.0)
    b.revolve([(0, 0), (0.68, 0), (0.72, 0.05), (0.74, tall), (0.78, tall), (0.78, tall + 0.03), (0, tall + 0.03)])
    for side in (-1, 1):
        b.tube(
            [
                (side * 0.72, tall * 0.75, -0.16),
                (side * 0.98, tall * 0.78, -0.12),
                (side * 0.98, tall * 0.78, 0.12),
                (side * 0.72, tall * 0.75, 0.16),
            ],
            0.045,
            "accent/plastic",
            bend=12,
        )
    if b.chance(0.7):
        b.curve([(0.76, tall + 0.03), (0.6, tall + 0.12), (0.2, tall + 0.2), (0, tall + 0.2)], count=10)
        b.ball((0.1, 0.08, 0.1), "accent/plastic", (0, tall + 0.28, 0))


def vase(b: Builder) -> None:
    tall = b.u(1.5, 2.0)
    foot, belly, neck, lip = b.u(0.25, 0.42), b.u(0.45, 0.72), b.u(0.16, 0.34), b.u(0.24, 0.46)
    at = b.u(0.3, 0.55)
    outer = [(0, 0), (foot, 0), (foot, 0.05), (belly, tall * at), (neck, tall * 0.82), (lip, tall)]
    b.curve(
        [*outer, (lip - 0.04, tall), (neck - 0.04, tall * 0.82), (neck * 0.7, tall * 0.7), (0, tall * 0.68)], count=34
    )


PROGRAMS: dict[str, ShapeProgram] = {
    "cup": ShapeProgram(cup, ("white", "red", "navy", "teal", "mustard", "black"), material="ceramic", pitch=(12,
        40), yaw=(-60, 60), aliases=("mug", "coffee_cup", "teacup")),
    "bowl": ShapeProgram(bowl, ("white", "sky", "terracotta", "teal", "cream"), material="ceramic", pitch=(15, 50),
        yaw=(-180, 180), aliases=("soup_bowl",)),
    "bottle": ShapeProgram(bottle, ("darkgreen", "brown", "sky", "emerald", "white", "red"), material="glass",
        pitch=(0, 14), aliases=("wine_bottle", "beer_bottle", "water_bottle")),
    "wine_glass": ShapeProgram(wine_glass, ("white", "lightgrey"), material="glass", pitch=(5, 22),
        aliases=("wineglass",)),
    "fork": ShapeProgram(fork, ("silver", "silver", "gold"), material="metal", pitch=(-8, 30), roll=(-180, 180)),
    "spoon": ShapeProgram(spoon, ("silver", "silver", "gold", "wood"), material="metal", pitch=(-8, 30),
        roll=(-180, 180)),
    "knife": ShapeProgram(knife, ("silver", "black", "wood"), material="metal", pitch=(-8, 30), roll=(-180, 180)),
    "plate": ShapeProgram(plate, ("white", "cream", "sky", "navy"), ("navy", "gold", "red", "green"),
        material="ceramic", pitch=(25, 75)),
    "teapot": ShapeProgram(teapot, ("white", "navy", "terracotta", "silver", "green"), material="ceramic",
        pitch=(5, 28), yaw=(-40, 40), aliases=("teakettle",)),
    "pan": ShapeProgram(pan, ("charcoal", "black", "silver", "red"), material="metal", pitch=(18, 60), yaw=(-60,
        60), aliases=("frying_pan", "pan_(for_cooking)", "saucepan")),
    "pot": ShapeProgram(pot, ("silver", "red", "navy", "silver"), ("black",), material="metal", pitch=(12, 35),
        yaw=(-30, 30), aliases=("cooking_pot", "stockpot")),
    "vase": ShapeProgram(vase, ("navy", "white", "terracotta", "teal", "red"), material="ceramic", pitch=(4, 22)),
}  # fmt: skip
