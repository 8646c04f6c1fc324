"""What stands in streets and gardens."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]

LETTERS: dict[str, list[tuple[float, float]]] = {
    "S": [
        (1, 0.85),
        (0.7, 1),
        (0.25, 0.95),
        (0.1, 0.75),
        (0.3, 0.55),
        (0.75, 0.45),
        (0.9, 0.25),
        (0.7, 0.03),
        (0.25, 0),
        (0, 0.15),
    ],
    "T": [(0, 1), (1, 1), (0.5, 1), (0.5, 0)],
    "O": [(0.5, 1), (0.1, 0.8), (0.1, 0.2), (0.5, 0), (0.9, 0.2), (0.9, 0.8), (0.5, 1)],
    "P": [(0, 0), (0, 1), (0.7, 1), (0.95, 0.8), (0.7, 0.52), (0, 0.5)],
}


def _write(b: Builder, text: str, at: tuple[float, float, float], size: float, paint: str, thick: float) -> None:
    for k, letter in enumerate(text):
        points = [(at[0] + size * (0.62 * x + 0.85 * k), at[1] + size * y, at[2]) for x, y in LETTERS[letter]]
        b.tube(points, thick, paint, sides=6)


def stop_sign(b: Builder) -> None:
    ring = solids.regular(8, start=22.5)
    b.plate(ring, 0.05, "white/paint", bevel=0.01)
    b.plate(ring * 0.93, 0.02, "main/paint", (0, 0, 0.03), bevel=0.004)
    _write(b, "STOP", (-0.66, -0.22, 0.045), 0.42, "white/paint", 0.045)
    if b.chance(0.75):
        b.tube([(0, 0.6, -0.06), (0, -b.u(1.5, 3.0), -0.06)], 0.055, "grey/metal")


def traffic_light(b: Builder) -> None:
    r, lit = 0.24, b.pick(0, 1, 2)
    b.box((0.78, 2.1, 0.5), "main", corner=0.08)
    for k, (on, off) in enumerate([("red", "maroon"), ("amber", "brown"), ("lime", "darkgreen")]):
        y = 0.64 - 0.64 * k
        b.ball((r, r, 0.12), f"{on if k == lit else off}/glass" if k != lit else f"{on}/wax", (0, y, 0.24))
        a = np.radians(np.linspace(0, 180, 13))
        hood = [np.stack([r * 1.15 * np.cos(a), y + r * 1.15 * np.sin(a), 0 * a + z], -1) for z in (0.22, 0.55)]
        b.sheet(hood, "main")
    if b.chance(0.6):
        b.tube([(0, -1, 0), (0, -b.u(1.8, 3.0), 0)], 0.09, "grey/metal")


def fire_hydrant(b: Builder) -> None:
    tall = b.u(0.85, 1.15)
    b.curve([(0, 0), (0.48, 0), (0.48, 0.1), (0.34, 0.12), (0.32, tall * 0.5), (0.32, tall)], count=16)
    b.revolve([(0.32, tall), (0.44, tall), (0.44, tall + 0.09), (0.35, tall + 0.09)], "main")
    b.curve([(0.37, tall + 0.08), (0.34, tall + 0.25), (0.18, tall + 0.4), (0, tall + 0.43)], "accent/paint", count=10)
    b.box((0.14, 0.16, 0.14), "accent/paint", (0, tall + 0.48, 0), corner=0.02)
    for turn, r, out in [((0, 0, 90), 0.13, 0.46), ((0, 0, -90), 0.13, 0.46), ((90, 0, 0), 0.2, 0.5)]:
        b.revolve(
            [(0, 0), (r, 0), (r, out - 0.12), (r * 1.3, out - 0.12), (r * 1.3, out), (0, out)],
            "main",
            (0, tall * 0.68, 0),
            turn,
        )
        b.revolve(
            [(0, out), (r * 0.5, out), (r * 0.45, out + 0.07), (0, out + 0.07)],
            "accent/paint",
            (0, tall * 0.68, 0),
            turn,
        )


def parking_meter(b: Builder) -> None:
    b.tube([(0, -0.35, 0), (0, -b.u(1.6, 2.2), 0)], 0.08, "grey/metal")
    b.curve([(0, -0.45), (0.2, -0.42), (0.33, -0.2), (0.36, 0.2), (0.33, 0.55), (0.2, 0.75), (0, 0.8)], "main")
    b.plate(solids.rectangle(0.42, 0.3, 0.1), 0.1, "white/screen", (0, 0.42, 0.29), bevel=0.02)
    b.plate(solids.rectangle(0.34, 0.3, 0.05), 0.08, "silver/metal", (0, -0.02, 0.34), bevel=0.02)
    b.box((0.03, 0.14, 0.06), "black/metal", (0.05, 0.0, 0.38), corner=0.01)
    b.ball((0.05, 0.05, 0.04), "silver/metal", (-0.1, -0.02, 0.38))


def barrel(b: Builder) -> None:
    tall, fat = b.u(0.8, 1.0), b.u(0.62, 0.75)
    b.curve(
        [
            (0, -tall),
            (fat * 0.8, -tall),
            (fat, 0),
            (fat * 0.8, tall),
            (fat * 0.74, tall),
            (fat * 0.74, tall - 0.06),
            (0, tall - 0.06),
        ],
        count=30,
    )
    for y in (-0.72, -0.35, 0.35, 0.72):
        r = fat * (1 - 0.2 * y * y) + 0.012
        b.revolve(
            [
                (r * 0.995, y * tall - 0.06),
                (r + 0.005, y * tall - 0.05),
                (r + 0.005, y * tall + 0.05),
                (r * 0.995, y * tall + 0.06),
            ],
            "accent/iron",
        )


def traffic_cone(b: Builder) -> None:
    b.box((1.1, 0.1, 1.1), "main", (0, 0.05, 0), corner=0.05)
    tall = b.u(1.1, 1.6)
    b.revolve([(0.42, 0.08), (0.08, tall), (0.0, tall)])
    for low, high in [(0.35, 0.52), (0.65, 0.78)]:
        r0, r1 = 0.435 - 0.34 * low, 0.435 - 0.34 * high
        b.revolve(
            [(r0 - 0.01, low * tall), (r0, low * tall), (r1, high * tall), (r1 - 0.01, high * tall)], "white/plastic"
        )


def mailbox(b: Builder) -> None:
    b.plate(
        np.concatenate([solids.circle(17, sweep=180) * 0.4 + [0, 0.3], [(-0.4, -0.2), (0.4, -0.2), (0.4, 0.3)]]),
        1.3,
        "main/paint",
        bevel=0.03,
    )
    b.box((0.12, 1.4, 0.12), "wood/wooden", (0, -0.9, 0), corner=0.02)
    b.box((0.03, 0.4, 0.06), "accent/paint", (0.42, 0.5, 0.3), corner=0.01)
    b.box((0.03, 0.14, 0.2), "accent/paint", (0.42, 0.66, 0.22), corner=0.01)
    b.box((0.12, 0.05, 0.05), "silver/metal", (0, 0.5, 0.66), corner=0.01)


def flower(b: Builder) -> None:
    petals, layers = b.pick(5, 6, 8, 11), b.pick(1, 2)
    tall, wide, cupped = b.u(1.1, 1.7), b.u(0.16, 0.3) * 7 / petals + 0.05, b.u(0.05, 0.4)
    b.tube([(0, 0, 0), (b.u(-0.1, 0.1), -tall / 2, 0), (b.u(-0.2, 0.2), -tall, 0)], 0.035, "leaf/leaf", bend=9)
    for k in range(b.pick(1, 2, 3)):
        t = np.linspace(0, 1, 9)
        w = 0.13 * np.sin(np.pi * t)
        side = 1 if k % 2 else -1
        b.sheet(
            [
                np.stack([side * 0.6 * t, -tall * (0.55 + 0.1 * k) + 0.35 * np.sin(1.8 * t), w * s], -1)
                for s in (-1, 0, 1)
            ],
            "leaf/leaf",
        )
    b.place(turn=(b.u(25, 70), 0, b.u(-20, 20)))
    t = np.linspace(0.05, 1, 9)
    for layer in range(layers):
        for k in range(petals):
            a = 2 * np.pi * (k + 0.5 * layer) / petals
            r = (0.95 - 0.25 * layer) * t
            w = wide * np.sin(np.pi * t**0.8 * 0.92) * 2
            y = 0.06 * layer + (cupped + 0.15 * layer) * t**2
            rows = [
                np.stack([r * np.cos(a) - s * w * np.sin(a), y + 0.08 * abs(s), r * np.sin(a) + s * w * np.cos(a)], -1)
                for s in (-0.5, -0.25, 0, 0.25, 0.5)
            ]
            b.sheet(rows, "main")
    b.ball((0.24, 0.13, 0.24), "accent/stone", (0, 0.08, 0))


def birdhouse(b: Builder) -> None:
    wall = [(-0.5, -0.6), (0.5, -0.6), (0.5, 0.2), (0, 0.75), (-0.5, 0.2), (-0.5, -0.6)]
    b.plate(wall, 0.9, "main", bevel=0.02)
    for side in (-1, 1):
        b.box((0.95, 0.08, 1.15), "accent/wooden", (side * 0.32, 0.5, 0), (0, 0, -47.7 * side), corner=0.02)
    b.revolve([(0, 0), (0.17, 0), (0.17, 0.02), (0, 0.02)], "black/flat", (0, 0.05, 0.45), (90, 0, 0))
    b.tube([(0, -0.22, 0.4), (0, -0.22, 0.68)], 0.035, "wood/wooden", sides=8)


PROGRAMS: dict[str, ShapeProgram] = {
    "stop_sign": ShapeProgram(stop_sign, ("red", "crimson"), material="paint", yaw=(-40, 40), pitch=(-15, 8)),
    "traffic_light": ShapeProgram(traffic_light, ("charcoal", "mustard", "black", "darkgreen"), material="plastic",
        yaw=(-45, 45), pitch=(-15, 8), aliases=("traffic_signal",)),
    "fire_hydrant": ShapeProgram(fire_hydrant, ("red", "mustard", "yellow", "scarlet"), ("silver", "red", "white",
        "blue"), "paint", (-60, 60), (5, 28), aliases=("fireplug", "hydrant")),
    "parking_meter": ShapeProgram(parking_meter, ("grey", "charcoal", "silver", "blue"), material="metal",
        yaw=(-40, 40), pitch=(-5, 15)),
    "barrel": ShapeProgram(barrel, ("wood", "darkwood", "brown"), ("charcoal", "grey"), "wooden", (-90, 90), (8,
        30), aliases=("cask", "keg")),
    "traffic_cone": ShapeProgram(traffic_cone, ("orange", "scarlet"), material="rubber", yaw=(-60, 60), pitch=(8,
        30), aliases=("cone",)),
    "mailbox": ShapeProgram(mailbox, ("navy", "red", "grey", "white"), ("red", "gold"), "paint", (-60, 45), (4,
        22), aliases=("mailbox_(at_home)", "postbox", "letter_box")),
    "flower": ShapeProgram(flower, ("red", "pink", "yellow", "purple", "white", "orange"), ("amber", "yellow",
        "brown"), "leaf", (-30, 30), (-5, 20), (-15, 15), aliases=("daisy", "sunflower", "flower_arrangement",
        "tulip", "rose")),
    "birdhouse": ShapeProgram(birdhouse, ("wood", "red", "teal", "white"), ("darkwood", "brown", "charcoal"),
        "wooden", (-50, 50), (-5, 20)),
}  # fmt: skip
