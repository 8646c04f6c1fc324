"""Bags, boxes, baskets and books."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def book(b: Builder) -> None:
    w, tall, thick = b.u(0.6, 0.8), b.u(0.85, 1.0), b.u(0.14, 0.4)
    if b.chance(0.3):
        t = np.linspace(0, 1, 12)
        arch = 0.28 * np.sin(np.pi * np.minimum(t * 1.6, 1)) ** 0.8 * (1 - 0.55 * t)
        for side in (-1, 1):
            b.sheet(
                [
                    np.stack([side * 1.3 * w * t, arch + 0.05, 0 * t + z], -1)
                    for z in np.linspace(-tall * 0.8, tall * 0.8, 5)
                ],
                "cream/paper",
            )
            b.box((1.36 * w, 0.04, 1.7 * tall), "main", (side * 0.68 * w, 0, 0), (0, 0, side * 3), corner=0.02)
            for k in range(9):
                z = -tall * 0.65 + tall * 0.15 * k
                b.tube(
                    [
                        (side * w * x, float(np.interp(x * w / (1.3 * w), t, arch)) + 0.062, z)
                        for x in np.linspace(0.25, b.u(0.9, 1.15), 6)
                    ],
                    0.012,
                    "grey/flat",
                    sides=4,
                )
        return
    b.box((2 * w, 2 * tall, thick * 0.82), "cream/paper", (0.03, 0, 0), corner=0.01)
    for side in (-1, 1):
        b.box((2.06 * w, 2.08 * tall, 0.045), "main", (0, 0, side * thick / 2), corner=0.015)
    b.box((0.06, 2.08 * tall, thick + 0.04), "main", (-1.03 * w, 0, 0), corner=0.025)
    for k in range(b.pick(1, 2, 3)):
        b.box(
            (w * b.u(0.8, 1.5), 0.12, 0.02),
            "accent/paper",
            (0, tall * (0.55 - 0.2 * k), thick / 2 + 0.02),
            corner=0.005,
        )
    if b.chance(0.5):
        b.plate(
            b.pick(solids.circle(25), solids.regular(4, start=45), solids.star(5, 0.45)) * 0.36,
            0.02,
            "accent/paper",
            (0, -tall * 0.3, thick / 2 + 0.025),
            bevel=0.004,
        )


def handbag(b: Builder) -> None:
    w, tall, flap = b.u(0.7, 0.95), b.u(0.5, 0.75), b.chance(0.5)
    b.box((2 * w, 2 * tall, 0.55), "main", corner=0.12, top=(b.u(0.75, 1.0), 0.6))
    for z in (0.14, -0.14) if not flap else (0,):
        high = b.u(0.5, 0.9)
        b.tube(
            [
                (-w * 0.5, tall * 0.85, z),
                (-w * 0.42, tall + high * 0.8, z),
                (0, tall + high, z),
                (w * 0.42, tall + high * 0.8, z),
                (w * 0.5, tall * 0.85, z),
            ],
            0.05,
            "main",
            bend=20,
            sides=9,
        )
    if flap:
        b.box((1.82 * w, tall * 1.0, 0.06), "main", (0, tall * 0.5, 0.24), (-7, 0, 0), corner=0.05)
        b.box((0.2, 0.16, 0.08), "gold/metal", (0, tall * 0.05, 0.31), corner=0.03)
    else:
        b.box((1.7 * w, 0.05, 0.05), "gold/metal", (0, tall * 0.72, 0.22), corner=0.02)
        b.ball((0.07, 0.1, 0.04), "gold/metal", (w * 0.5, tall * 0.5, 0.26))


def backpack(b: Builder) -> None:
    w, tall = b.u(0.6, 0.72), b.u(0.85, 1.0)
    body = solids.smooth(
        [(-w, -tall), (w, -tall), (w * 1.02, tall * 0.3), (w * 0.72, tall), (-w * 0.72, tall), (-w * 1.02, tall * 0.3)],
        40,
        closed=True,
    )
    b.pillow(body, 0.95, rim=0.45)
    pocket = solids.rectangle(1.5 * w, 0.85 * tall, 0.2)
    b.pillow(pocket, 0.45, "accent/fabric", (0, -tall * 0.45, 0.38), rim=0.2)
    b.tube([(-w * 0.62, -tall * 0.1, 0.56), (w * 0.62, -tall * 0.1, 0.56)], 0.022, "silver/metal", sides=6)
    b.tube(
        [
            (-w * 0.75, tall * 0.35, 0.4),
            (-w * 0.45, tall * 0.72, 0.42),
            (0, tall * 0.82, 0.44),
            (w * 0.45, tall * 0.72, 0.42),
            (w * 0.75, tall * 0.35, 0.4),
        ],
        0.022,
        "silver/metal",
        bend=14,
        sides=6,
    )
    b.tube(
        [(-0.16, tall * 0.95, 0), (-0.12, tall + 0.2, 0), (0.12, tall + 0.2, 0), (0.16, tall * 0.95, 0)],
        0.04,
        "black/fabric",
        bend=12,
        sides=8,
    )
    for side in (-1, 1):
        b.tube(
            [
                (side * w * 0.5, tall * 0.9, -0.25),
                (side * w * 1.0, tall * 0.4, -0.5),
                (side * w * 0.95, -tall * 0.7, -0.35),
            ],
            0.07,
            "black/fabric",
            bend=12,
            flat=0.5,
        )
        b.pillow(
            solids.rectangle(0.2, 0.6 * tall, 0.08),
            0.35,
            "accent/fabric",
            (side * w * 1.02, -tall * 0.5, 0),
            (0, 90, 0),
            rim=0.1,
        )


def suitcase(b: Builder) -> None:
    w, tall, hard = b.u(0.62, 0.85), b.u(0.85, 1.05), b.chance(0.6)
    b.box((2 * w, 2 * tall, 0.6), "main", corner=0.14)
    if hard:
        for k in range(6):
            b.box((0.06, 1.75 * tall, 0.64), "main", (w * (-0.75 + 0.3 * k), 0, 0), corner=0.025)
    else:
        b.box((1.5 * w, 0.9 * tall, 0.08), "main", (0, -tall * 0.35, 0.32), corner=0.06)
        b.tube([(-w * 0.7, tall * 0.18, 0.33), (w * 0.7, tall * 0.18, 0.33)], 0.02, "silver/metal", sides=6)
    b.tube(
        [(-0.18, tall, 0), (-0.14, tall + 0.13, 0), (0.14, tall + 0.13, 0), (0.18, tall, 0)],
        0.04,
        "black/plastic",
        bend=10,
        sides=8,
    )
    if b.chance(0.6):
        high = b.u(0.5, 0.9)
        for side in (-1, 1):
            b.tube([(side * 0.27, tall, -0.18), (side * 0.27, tall + high, -0.18)], 0.025, "silver/metal", sides=8)
        b.tube([(-0.3, tall + high, -0.18), (0.3, tall + high, -0.18)], 0.05, "black/plastic")
    for sx in (-1, 1):
        for z in (-0.18, 0.18):
            b.ball((0.06, 0.09, 0.09), "black/rubber", (sx * w * 0.8, -tall - 0.06, z))


def basket(b: Builder) -> None:
    tall, r, oval = b.u(0.5, 0.85), b.u(0.75, 0.9), b.u(0.7, 1.0)
    rows = [
        (0, 0, 0),
        (0, 0.75 * r, 0.75 * r * oval),
        (tall * 0.5, r * 0.92, r * oval * 0.92),
        (tall, r, r * oval),
        (tall, 0.93 * r, 0.93 * r * oval),
        (0.06, 0.7 * r, 0.7 * r * oval),
        (0.06, 0, 0),
    ]
    b.add(solids.loft(solids.circle(33), rows), "main")
    a = np.linspace(0, 2 * np.pi, 33)
    b.add(
        solids.tube(np.stack([r * np.cos(a), 0 * a + tall, r * oval * np.sin(a)], -1), 0.06, capped=False, sides=9),
        "main",
    )
    if b.chance(0.7):
        a = np.linspace(0, np.pi, 17)
        b.tube(np.stack([r * np.cos(a), tall + b.u(0.6, 0.9) * np.sin(a), 0 * a], -1), 0.055, "main", sides=9)


def bucket(b: Builder) -> None:
    tall, low = b.u(0.85, 1.1), b.u(0.4, 0.5)
    b.revolve(
        [
            (0, 0),
            (low, 0),
            (low + 0.02, 0.04),
            (0.62, tall),
            (0.67, tall),
            (0.67, tall + 0.05),
            (0.6, tall + 0.05),
            (low - 0.04, 0.05),
            (0, 0.05),
        ]
    )
    a, lean = np.linspace(0, np.pi, 19), b.u(-0.9, 0.9)
    b.tube(
        np.stack([0.66 * np.cos(a), tall + 0.62 * np.sin(a) * np.cos(lean), 0.62 * np.sin(a) * np.sin(lean)], -1),
        0.025,
        "accent/metal",
        sides=7,
    )
    if b.chance(0.5):
        y, z = tall + 0.62 * np.cos(lean), 0.62 * np.sin(lean)
        b.tube([(-0.16, y, z), (0.16, y, z)], 0.06, "wood/wooden")


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


LEATHERS = ("brown", "black", "red", "tan", "navy", "burgundy")
CLOTH = ("red", "navy", "grey", "teal", "mustard", "pink", "green", "purple")

PROGRAMS: dict[str, ShapeProgram] = {
    "book": ShapeProgram(book, ("red", "navy", "green", "brown", "teal", "mustard", "black"), ("gold", "white",
        "cream"), "leather", (-50, 50), (15, 50), aliases=("notebook", "hardback_book", "paperback_book")),
    "handbag": ShapeProgram(handbag, LEATHERS, ("gold",), "leather", (-40, 40), (4, 22), aliases=("purse",
        "tote_bag", "shopping_bag")),
    "backpack": ShapeProgram(backpack, CLOTH, ("charcoal", "black", "orange", "tan"), "fabric", (-45, 45), (0, 20),
        aliases=("rucksack", "knapsack")),
    "suitcase": ShapeProgram(suitcase, ("navy", "red", "silver", "teal", "black", "mustard", "pink"),
        material="plastic", yaw=(-45, 45), pitch=(4, 22), aliases=("luggage", "briefcase")),
    "basket": ShapeProgram(basket, ("straw", "tan", "wood"), material="wicker", pitch=(12, 38), yaw=(-90, 90),
        aliases=("wicker_basket", "hamper")),
    "bucket": ShapeProgram(bucket, ("silver", "red", "blue", "yellow", "teal"), ("silver",), "metal", (-60, 60),
        (12, 35), aliases=("pail",)),
    "box": ShapeProgram(box, ("tan", "tan", "straw", "white"), ("beige", "brown"), "paper", (-60, 60), (15, 40),
        aliases=("carton", "cardboard_box", "crate")),
}  # fmt: skip
