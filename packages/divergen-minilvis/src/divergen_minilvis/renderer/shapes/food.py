"""Fruit, vegetables and dishes."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]

LYING = (-180.0, 180.0)


def _stem(b: Builder, foot: float, length: float, paint: str = "brown/wooden") -> None:
    lean = b.u(-0.12, 0.12)
    b.tube(
        [(0, foot, 0), (lean * 0.4, foot + length * 0.5, 0), (lean, foot + length, 0)],
        [0.03, 0.025, 0.04],
        paint,
        bend=5,
    )


def _leaf(b: Builder, at: tuple[float, float, float], length: float, turn: float, paint: str = "leaf/leaf") -> None:
    t = np.linspace(0, 1, 9)
    width = length * 0.32 * np.sin(np.pi * t**0.8)
    x = length * t
    y = length * 0.35 * np.sin(t * 2.2)
    rows = [np.stack([x, y + 0.4 * abs(side) * width, side * width], -1) for side in (-1, -0.5, 0, 0.5, 1)]
    b.sheet(rows, paint, at, (0, turn, 0))


def apple(b: Builder) -> None:
    tall, waist = b.u(0.85, 1.08), b.u(0.72, 0.95)
    profile = [(0.0, -0.72), (0.2, -0.8), (0.42 * waist, -0.78), (0.86, -0.25), (1.0, 0.22), (0.82, 0.66), (0.42, 0.76)]
    b.curve([(r, y * tall) for r, y in [*profile, (0.14, 0.62), (0.0, 0.5)]])
    if b.chance(0.85):
        _stem(b, 0.5 * tall, b.u(0.25, 0.5))
    if b.chance(0.4):
        _leaf(b, (0.02, 0.68 * tall, 0.0), b.u(0.45, 0.7), b.u(-80, 80))


def orange(b: Builder) -> None:
    tall = b.u(0.9, 1.02)
    b.ball((1.0, tall, 1.0))
    b.ball((0.08, 0.05, 0.08), "darkgreen/leaf", (0, tall, 0))
    if b.chance(0.25):
        _leaf(b, (0, tall, 0), b.u(0.5, 0.8), b.u(-90, 90))


def tomato(b: Builder) -> None:
    tall = b.u(0.72, 0.9)
    b.curve(
        [(0, -0.9 * tall), (0.6, -0.8 * tall), (1, -0.05), (0.75, 0.7 * tall), (0.25, 0.82 * tall), (0, 0.7 * tall)]
    )
    for k in range(5):
        _leaf(b, (0, 0.76 * tall, 0), b.u(0.4, 0.55), 72 * k + b.u(-15, 15), "darkgreen/leaf")
    _stem(b, 0.75 * tall, b.u(0.1, 0.3), "darkgreen/leaf")


def pear(b: Builder) -> None:
    neck, tall = b.u(0.26, 0.42), b.u(1.0, 1.3)
    profile = [
        (0, -0.9),
        (0.35, -0.95),
        (0.8, -0.6),
        (0.82, -0.2),
        (0.55, 0.3),
        (neck, 0.7),
        (neck * 0.7, 0.95),
        (0, 1.0),
    ]
    b.curve([(r, y * tall) for r, y in profile])
    _stem(b, 0.95 * tall, b.u(0.25, 0.4))
    if b.chance(0.3):
        _leaf(b, (0, 1.02 * tall, 0), 0.55, b.u(-90, 90))


def lemon(b: Builder) -> None:
    nose = b.u(0.12, 0.22)
    b.curve([(0, -1.1), (nose, -1), (0.6, -0.7), (0.78, 0), (0.6, 0.65), (nose, 0.95), (nose * 0.8, 1.08), (0, 1.12)])


def banana(b: Builder) -> None:
    bow, count = b.u(0.45, 0.75), b.pick(1, 1, 2, 3)
    for k in range(count):
        b.place(at=(0.0, -0.14 * k, -0.22 * k), turn=(18.0 * k, b.u(-5, 5), 4.0 * k))
        path = [(-1.02, 0.5 * bow + 0.25, 0), (-0.85, 0.3 * bow, 0), (-0.4, -0.15 * bow, 0)]
        path += [(0.15, -0.22 * bow, 0), (0.7, 0.12 * bow, 0), (0.98, 0.55 * bow, 0)]
        b.tube(path, [0.07, 0.12, 0.21, 0.22, 0.18, 0.06], "main", bend=20, sides=9)
        b.ball((0.065, 0.09, 0.065), "darkwood/food", (1.0, 0.59 * bow, 0), (0, 0, -35))
        b.ball((0.08, 0.11, 0.08), "brown/food", (-1.04, 0.52 * bow + 0.29, 0), (0, 0, 25))


def strawberry(b: Builder) -> None:
    tall = b.u(1.0, 1.35)
    profile = [(0, -tall), (0.25, -0.85 * tall), (0.62, -0.25), (0.75, 0.25), (0.5, 0.55), (0, 0.6)]
    b.curve(profile)
    for ring in range(6):
        y = -0.75 * tall + ring * 0.235 * tall
        radius = float(np.interp(y, [-tall, -0.85 * tall, -0.25, 0.25, 0.55], [0, 0.27, 0.63, 0.76, 0.5]))
        for k in range(3 + 2 * ring if ring < 4 else 10):
            angle = 6.283 * (k + 0.5 * (ring % 2)) / (3 + 2 * ring if ring < 4 else 10)
            b.ball((0.025, 0.045, 0.025), "yellow/skin", (radius * np.cos(angle), y, radius * np.sin(angle)))
    for k in range(7):
        _leaf(b, (0, 0.58, 0), b.u(0.45, 0.6), 51 * k + b.u(-15, 15), "leaf/leaf")
    _stem(b, 0.55, 0.3, "leaf/leaf")


def carrot(b: Builder) -> None:
    width, bend = b.u(0.17, 0.27), b.u(-0.12, 0.12)
    path = [(0, 0.75, 0), (0, 0.66, 0), (bend, 0, 0), (bend * 1.4, -0.7, 0), (bend * 0.8, -1.15, 0)]
    b.tube(path, [width * 0.5, width, width * 0.78, width * 0.4, 0.015], bend=16)
    for k in range(4):
        y = b.u(-0.5, 0.5)
        b.tube([(-0.12 + bend, y, width * 0.62), (0.1 + bend, y + 0.01, width * 0.66)], 0.012, "rust/food", sides=5)
        if k > b.u(1, 4):
            break
    for _ in range(b.pick(5, 7, 9)):
        lean, z, top = b.u(-0.45, 0.45), b.u(-0.3, 0.3), b.u(1.15, 1.7)
        b.tube(
            [(0, 0.72, 0), (lean * 0.4, 1.0, z * 0.5), (lean, top, z)],
            [0.025, 0.02, 0.015],
            "leaf/leaf",
            bend=6,
            sides=6,
        )
        for t in (0.55, 0.8, 1.0):
            _leaf(b, (lean * t, 0.72 + (top - 0.72) * t, z * t), 0.22, b.u(0, 360), "leaf/leaf")


def broccoli(b: Builder) -> None:
    for x, z in [(0, 0), (-0.35, 0.1), (0.35, 0.05), (0.05, -0.3)]:
        b.tube([(0, -0.95, 0), (x * 0.5, -0.4, z * 0.5), (x, 0.1, z)], [0.26, 0.2, 0.16], "sage/food", bend=7)
    spread = b.u(0.75, 1.0)
    for k in range(34):
        height = 1 - (k + 0.5) / 34 * 1.15
        ring = np.sqrt(max(1 - height * height, 0))
        angle = 2.4 * k + b.u(-0.3, 0.3)
        size = b.u(0.17, 0.27)
        b.ball(size, "main/stone", (spread * ring * np.cos(angle), 0.25 + 0.55 * height, spread * ring * np.sin(angle)))


def mushroom(b: Builder) -> None:
    cap, tall = b.u(0.7, 1.0), b.u(0.55, 1.0)
    b.curve([(0, -tall), (b.u(0.24, 0.38), -tall), (0.24, -0.4), (0.2, 0.1), (0, 0.1)], "cream/food", count=12)
    b.curve([(0, 0.02), (cap * 0.9, -0.05), (cap, 0.06), (cap * 0.8, 0.42), (0.3, 0.66), (0, 0.68)], "main")
    if b.chance(0.45):
        for k in range(12):
            angle, r = 2.4 * k, 0.85 * cap * np.sqrt((k + 0.5) / 12)
            y = 0.66 - 0.52 * (r / cap) ** 2.2
            b.ball((0.09, 0.04, 0.09), "accent/food", (r * np.cos(angle), y, r * np.sin(angle)))


def donut(b: Builder) -> None:
    thick = b.u(0.3, 0.42)
    b.ring(0.68, thick, "bread/bread", turn=(90, 0, 0))
    angle = np.linspace(0, 2 * np.pi, 37)
    drip = 0.1 + 0.07 * np.sin(angle * b.pick(5, 6, 7) + b.u(0, 6)) + 0.03 * np.sin(angle * 11)
    rows = []
    for t in np.linspace(0, 1, 9):
        phi = np.pi * (1 + 2 * drip) * t - np.pi * drip
        r = 0.68 + (thick * 1.05) * np.cos(phi)
        rows.append(np.stack([r * np.cos(angle), thick * 1.05 * np.sin(phi), r * np.sin(angle)], -1))
    if b.chance(0.85):
        b.sheet(rows, "main/skin")
        for _ in range(b.pick(0, 26, 40)):
            a, p, d = b.u(0, 6.28), b.u(0.5, 2.4), b.u(0, 180)
            r, y = 0.68 + thick * 1.08 * np.cos(p), thick * 1.08 * np.sin(p)
            paint = b.pick("red", "yellow", "white", "sky", "lime", "pink")
            b.box((0.11, 0.035, 0.035), f"{paint}/plastic", (r * np.cos(a), y, r * np.sin(a)), (0, d, 0), corner=0.012)


def pizza(b: Builder) -> None:
    slices = b.pick(8, 8, 7, 1)
    sweep = 44.0 if slices == 1 else 45.0 * slices
    wedge = (
        np.concatenate([solids.circle(25, start=90 - sweep / 2, sweep=sweep), [(0, 0)]])
        if sweep < 360
        else solids.circle(37)
    )
    if sweep < 360:
        wedge = np.concatenate([wedge, wedge[:1]])
    inner = wedge * 0.9
    b.add(solids.loft(wedge, [(-0.05, 0), (-0.05, 0.97), (0.0, 1), (0.06, 0.98), (0.06, 0)]), "crust/bread")
    b.add(solids.loft(inner, [(0.05, 0), (0.05, 1), (0.085, 0.98), (0.09, 0)]), "main/food")
    arc = np.radians(np.linspace(90 - sweep / 2, 90 + sweep / 2, 33))
    b.tube(np.stack([0.95 * np.cos(arc), 0.05 + 0 * arc, 0.95 * np.sin(arc)], -1), 0.085, "crust/bread", sides=9)
    topping = b.pick(("accent", 0.13), ("darkgreen", 0.09), ("charcoal", 0.07), ("maroon", 0.12))
    for k in range(26):
        r, a = 0.8 * np.sqrt((k + 0.6) / 26), np.radians(90 - sweep / 2 + (k * 137.5) % sweep)
        if sweep < 60 and (r < 0.35 or abs(np.degrees(a) - 90) > 14):
            continue
        if k % 3 == 0:
            b.ball(
                (0.06, 0.02, 0.04),
                f"{b.pick('leaf', 'darkgreen')}/leaf",
                (r * np.cos(a), 0.1, r * np.sin(a)),
                (0, b.u(0, 180), 0),
            )
        else:
            b.ball((topping[1], 0.035, topping[1]), f"{topping[0]}/food", (r * np.cos(a), 0.09, r * np.sin(a)))


def cake(b: Builder) -> None:
    layers, r = b.pick(1, 2, 3), b.u(0.8, 1.0)
    y = -0.5
    b.revolve([(0, y - 0.08), (1.25, y - 0.06), (1.3, y), (0, y)], "white/ceramic")
    for _ in range(layers):
        h = b.u(0.4, 0.6)
        b.revolve([(0, y), (r * 0.97, y), (r, y + 0.05), (r, y + h - 0.08), (r * 0.95, y + h), (0, y + h)])
        count = 16
        for k in range(count):
            a = 6.283 * k / count
            b.ball(0.09, "accent/skin", (r * 0.97 * np.cos(a), y + h, r * 0.97 * np.sin(a)))
        y += h
        r *= b.u(0.62, 0.75)
    if b.chance(0.5):
        for k in range(b.pick(3, 5)):
            a = 2.4 * k
            x, z = 0.6 * r * np.cos(a), 0.6 * r * np.sin(a)
            b.tube([(x, y, z), (x, y + 0.4, z)], 0.035, b.pick("pink/wax", "sky/wax", "yellow/wax"))
            b.ball((0.04, 0.08, 0.04), "orange/flat", (x, y + 0.48, z))
    else:
        b.ball(0.14, "red/skin", (0, y + 0.1, 0))


def sandwich(b: Builder) -> None:
    shape = b.pick("triangle", "square")
    outline = (
        np.array([(-0.95, -0.6), (0.95, -0.6), (0, 0.75), (-0.95, -0.6)])
        if shape == "triangle"
        else solids.rectangle(1.7, 1.6, 0.3)
    )
    fillings = b.pick(
        ("leaf/leaf", "red/food", "cheese/wax"),
        ("cheese/wax", "salmon/food", "leaf/leaf"),
        ("salmon/food", "leaf/leaf"),
    )
    y = -0.3
    for k, paint in enumerate(["main/bread", *fillings, "main/bread"]):
        thick = b.u(0.2, 0.28) if paint.startswith("main") else b.u(0.06, 0.12)
        size = 1.0 if paint.startswith("main") else b.u(1.0, 1.08)
        ring = solids.smooth(np.repeat(outline, 1, 0)[:-1], 45, closed=True) if k and k <= len(fillings) else outline
        rows = [
            (y, 0),
            (y, 0.95 * size),
            (y + 0.04, size),
            (y + thick - 0.04, size),
            (y + thick, 0.95 * size),
            (y + thick, 0),
        ]
        b.add(solids.loft(np.concatenate([ring, ring[:1]]), rows), paint)
        if paint.startswith("main"):
            rows = [(y + 0.03, 1.004), (y + 0.05, 1.012), (y + 0.09, 1.012), (y + 0.11, 1.004)]
        y += thick


def hot_dog(b: Builder) -> None:
    length = b.u(0.95, 1.15)
    for side in (-1, 1):
        path = [(-length * 0.92, 0, side * 0.2), (0, -0.04, side * 0.25), (length * 0.92, 0, side * 0.2)]
        b.tube(path, [0.16, 0.27, 0.16], "bread/bread", bend=14, flat=1.1)
        b.ball((0.2, 0.24, 0.2), "bread/bread", (-length * 0.9, 0, side * 0.19))
        b.ball((0.2, 0.24, 0.2), "bread/bread", (length * 0.9, 0, side * 0.19))
    b.tube([(-length * 1.12, 0.17, 0), (0, 0.13, 0), (length * 1.12, 0.17, 0)], 0.17, "main/skin", bend=12)
    for side in (-1, 1):
        b.ball(0.17, "main/skin", (side * length * 1.12, 0.17, 0))
    x = np.linspace(-0.95, 0.95, 41) * length
    wave = np.stack([x, 0.32 + 0 * x, 0.08 * np.sin(x * 14)], -1)
    b.tube(wave, 0.032, b.pick("yellow/skin", "yellow/skin", "red/skin"), sides=7)


FRUIT = {"material": "skin", "roll": (-25.0, 25.0), "pitch": (5.0, 40.0), "yaw": (-180.0, 180.0)}
PROGRAMS: dict[str, ShapeProgram] = {
    "apple": ShapeProgram(apple, ("red", "crimson", "lime", "scarlet", "red"), material="skin", roll=(-12, 12)),
    "orange": ShapeProgram(orange, ("orange", "amber"), material="peel", roll=(-12, 12), aliases=("orange_fruit",
        "mandarin_orange", "clementine")),
    "tomato": ShapeProgram(tomato, ("red", "scarlet"), material="skin", pitch=(10, 45), roll=(-12, 12)),
    "pear": ShapeProgram(pear, ("lime", "mustard", "yellow", "sage"), material="peel", roll=(-12, 12)),
    "lemon": ShapeProgram(lemon, ("yellow", "yellow", "lime"), material="peel", roll=(30, 150), pitch=(0, 30),
        aliases=("lime",)),
    "banana": ShapeProgram(banana, ("yellow", "yellow", "mustard", "lime"), material="skin", roll=(-40, 40)),
    "strawberry": ShapeProgram(strawberry, ("red", "crimson"), material="skin", roll=(-30, 30)),
    "carrot": ShapeProgram(carrot, ("orange",), material="skin", roll=LYING, pitch=(0, 15)),
    "broccoli": ShapeProgram(broccoli, ("green", "darkgreen", "leaf"), material="stone", pitch=(5, 35)),
    "mushroom": ShapeProgram(mushroom, ("beige", "brown", "red", "tan"), ("white", "cream"), material="food",
        pitch=(0, 25)),
    "donut": ShapeProgram(donut, ("pink", "chocolate", "white", "brown"), material="skin", pitch=(35, 75),
        aliases=("doughnut",)),
    "pizza": ShapeProgram(pizza, ("cheese", "amber"), ("red", "maroon"), material="food", pitch=(35, 80),
        yaw=(-180, 180)),
    "cake": ShapeProgram(cake, ("cream", "pink", "chocolate", "white"), ("white", "red", "pink"), material="wax",
        pitch=(12, 35), aliases=("birthday_cake", "wedding_cake")),
    "sandwich": ShapeProgram(sandwich, ("bread", "tan", "straw"), material="bread", pitch=(8, 30), yaw=(-60, 60)),
    "hot_dog": ShapeProgram(hot_dog, ("rust", "maroon"), material="skin", pitch=(30, 65), roll=(-30, 30)),
}  # fmt: skip
