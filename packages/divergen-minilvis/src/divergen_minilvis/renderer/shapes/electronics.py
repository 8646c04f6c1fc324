"""Devices."""

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


def tv(b: Builder) -> None:
    w, tall = 1.2, b.u(0.62, 0.75)
    if b.chance(0.2):
        b.box((2.0, 1.6, 0.9), "main", (0, 0, -0.4), corner=0.12)
        b.plate(solids.rectangle(1.4, 1.15, 0.2), 0.08, "screen/screen", (-0.2, 0.05, 0.06), bevel=0.06)
        for y in (0.4, 0.1):
            b.revolve([(0, 0), (0.1, 0), (0.1, 0.08), (0, 0.08)], "silver/metal", (0.77, y, 0.05), (90, 0, 0))
        for sx in (-1, 1):
            b.tube([(0, 0.8, -0.4), (sx * 0.5, 1.5, -0.4)], 0.02, "silver/metal", sides=6)
        return
    b.box((2 * w, 2 * tall, 0.09), "main", corner=0.03)
    b.box((2 * w - 0.1, 2 * tall - 0.1, 0.03), "screen/screen", (0, 0.01, 0.04), corner=0.01)
    if b.chance(0.5):
        b.tube([(0, -tall, 0), (0, -tall - 0.2, 0)], 0.07, "main", flat=0.5)
        b.box((0.9, 0.05, 0.4), "main", (0, -tall - 0.22, 0), corner=0.02)
    else:
        for foot in (-0.7, 0.7):
            b.tube(
                [(foot, -tall - 0.16, 0.2), (foot, -tall + 0.02, 0), (foot, -tall - 0.16, -0.2)], 0.03, "main", sides=8
            )


def laptop(b: Builder) -> None:
    w, d, lid = 1.0, b.u(0.65, 0.75), b.u(-35, -8)
    b.box((2 * w, 0.07, 2 * d), "main", (0, 0, 0), corner=0.03)
    b.box((1.7 * w, 0.02, d * 0.85), "charcoal/plastic", (0, 0.035, -d * 0.3), corner=0.01)
    for i in range(4):
        for j in range(11):
            b.box(
                (0.12, 0.03, 0.1), "black/plastic", (-0.77 + 0.154 * j, 0.05, -d * 0.3 - 0.24 + 0.145 * i), corner=0.014
            )
    b.box((0.55, 0.02, 0.4), "grey/plastic", (0, 0.035, d * 0.58), corner=0.01)
    matrix = solids.rotation((lid, 0, 0))
    hinge = np.array([0, 0.05, -d])
    tall = d * 0.98
    b.box((2 * w, 2 * tall, 0.05), "main", hinge + matrix @ [0, tall, 0], (lid, 0, 0), corner=0.02)
    b.box(
        (1.88 * w, 1.86 * tall, 0.02),
        b.pick("screen/screen", "sky/screen", "navy/screen"),
        hinge + matrix @ [0, tall, 0.025],
        (lid, 0, 0),
        corner=0.005,
    )


def mouse(b: Builder) -> None:
    long, wide, tall = b.u(0.9, 1.1), b.u(0.5, 0.6), b.u(0.36, 0.46)
    t = np.linspace(0, np.pi / 2, 10)
    ring = solids.smooth(
        [(0, -1), (0.8, -0.92), (0.95, 0), (1, 0.6), (0, 1), (-1, 0.6), (-0.95, 0), (-0.8, -0.92)], 32, closed=True
    )
    ring = np.concatenate([ring, ring[:1]]) * [wide, long]
    size = np.cos(t) ** 0.45
    rows = np.stack([0.12 + tall * np.sin(t), size, size, 0 * t, 0.16 * np.sin(t)], -1)
    b.add(solids.loft(ring, [(0, 0, 0, 0, 0), (0, 0.97, 0.97, 0, 0), (0.04, 1, 1, 0, 0), *rows]), "main")
    b.add(solids.loft(ring * 1.012, [(0.1, 0.99), (0.11, 1), (0.15, 1), (0.16, 0.99)]), "accent/plastic")
    top = 0.12 + tall
    b.revolve(
        [(0, -0.06), (0.12, -0.06), (0.13, 0), (0.12, 0.06), (0, 0.06)],
        "accent/rubber",
        (0, top * 0.84, -long * 0.5),
        (0, 0, 90),
    )
    b.tube(
        [(0, top * 0.5, -long * 0.94), (0, top * 0.8, -long * 0.7), (0, top * 0.97, -long * 0.3)],
        0.018,
        "accent/plastic",
        sides=6,
    )
    if b.chance(0.5):
        b.tube(
            [(0, 0.12, -long * 0.95), (0.1, 0.04, -long - 0.4), (-0.25, 0.03, -long - 0.75), (0.3, 0.03, -long - 1.0)],
            0.035,
            "accent/rubber",
            bend=18,
            sides=7,
        )


def remote(b: Builder) -> None:
    w, tall = b.u(0.24, 0.34), b.u(0.9, 1.15)
    b.plate(solids.rectangle(2 * w, 2 * tall, b.u(0.05, 0.2)), 0.2, "main", bevel=0.05)
    b.ball((0.06, 0.06, 0.03), "red/rubber", (-w * 0.55, tall * 0.85, 0.1))
    rows = b.pick(3, 4, 5)
    _front_buttons(
        b, rows, 3, (1.6 * w, 0.17 * rows), (0, -tall * 0.35, 0.1), b.pick("lightgrey/rubber", "grey/rubber")
    )
    b.ring(w * 0.5, 0.05, "accent/rubber", (0, tall * 0.38, 0.1))
    b.ball((w * 0.25, w * 0.25, 0.05), "accent/rubber", (0, tall * 0.38, 0.1))


def keyboard(b: Builder) -> None:
    w, d, rows, cols = b.u(1.1, 1.4), b.u(0.38, 0.48), 5, b.pick(13, 15)
    b.box((2 * w, 0.1, 2 * d), "main", corner=0.04, top=0.98)
    for i in range(rows):
        j = 0
        while j < cols:
            span = 5 if (i == rows - 1 and j == 4) else 1
            x = -w * 0.96 + 1.92 * w * (j + span / 2) / cols
            z = -d * 0.88 + 1.76 * d * (i + 0.5) / rows
            b.box(
                (1.92 * w / cols * span * 0.86, 0.08, 1.76 * d / rows * 0.82),
                "accent/plastic",
                (x, 0.07, z),
                corner=0.025,
                top=0.85,
            )
            j += span


def cell_phone(b: Builder) -> None:
    w, tall = b.u(0.45, 0.52), b.u(0.9, 1.05)
    b.plate(solids.rectangle(2 * w, 2 * tall, 0.12), 0.1, "main", bevel=0.03)
    if b.chance(0.75):
        b.plate(
            solids.rectangle(1.88 * w, 1.9 * tall, 0.1),
            0.02,
            b.pick("screen/screen", "sky/screen", "purple/screen", "teal/screen"),
            (0, 0, 0.05),
            bevel=0.005,
        )
        if b.chance(0.7):
            for i in range(5):
                for j in range(4):
                    paint = b.pick("red", "lime", "sky", "white", "orange", "yellow")
                    b.plate(
                        solids.rectangle(0.14, 0.14, 0.04),
                        0.02,
                        f"{paint}/flat",
                        (w * (-0.66 + 0.44 * j), tall * (0.7 - 0.26 * i), 0.062),
                        bevel=0.004,
                    )
        b.tube([(-0.1, tall * 0.93, 0.06), (0.1, tall * 0.93, 0.06)], 0.015, "black/plastic", sides=6)
    else:
        b.plate(solids.rectangle(0.42, 0.42, 0.1), 0.03, "accent/plastic", (-w * 0.45, tall * 0.72, 0.06), bevel=0.01)
        for x, y in [(-0.09, 0.09), (0.09, -0.09), (-0.09, -0.09)]:
            b.revolve(
                [(0, 0), (0.07, 0), (0.07, 0.05), (0, 0.05)],
                "black/glass",
                (-w * 0.45 + x, tall * 0.72 + y, 0.06),
                (90, 0, 0),
            )


def camera(b: Builder) -> None:
    b.box((1.9, 1.15, 0.6), "main", corner=0.12)
    b.box((1.86, 0.25, 0.56), "accent/metal", (0, 0.55, 0), corner=0.08)
    b.box((0.6, 0.35, 0.5), "main", (0, 0.72, 0), corner=0.1, top=0.7)
    r, long = b.u(0.38, 0.48), b.u(0.3, 0.7)
    b.revolve(
        [(r, 0), (r, long * 0.4), (r * 0.94, long * 0.45), (r * 0.94, long), (r * 0.8, long), (r * 0.75, long * 0.8)],
        "black/plastic",
        (0, -0.02, 0.28),
        (90, 0, 0),
    )
    b.curve(
        [(r * 0.78, long * 0.8), (r * 0.5, long * 0.92), (0, long * 0.95)], "navy/screen", (0, -0.02, 0.28), (90, 0, 0)
    )
    b.revolve([(0, 0), (0.13, 0), (0.13, 0.12), (0, 0.12)], "silver/metal", (0.68, 0.66, 0))
    b.box((0.25, 0.14, 0.05), "white/screen", (-0.65, 0.38, 0.3), corner=0.02)


def headphones(b: Builder) -> None:
    a = np.radians(np.linspace(-12, 192, 25))
    r = b.u(0.72, 0.85)
    b.tube(np.stack([r * np.cos(a), 0.25 + r * np.sin(a), 0 * a], -1), b.u(0.07, 0.12), "main", flat=1.6)
    for sx in (-1, 1):
        b.ball((0.17, 0.4, 0.36), "black/leather", (sx * (r - 0.17), -0.05, 0))
        b.ball((0.14, 0.36, 0.33), "main", (sx * r, -0.05, 0))
        b.ball((0.06, 0.2, 0.19), "accent/metal", (sx * (r + 0.12), -0.05, 0))


PROGRAMS: dict[str, ShapeProgram] = {
    "tv": ShapeProgram(tv, ("black", "charcoal", "silver"), material="plastic", yaw=(-35, 35), pitch=(-2, 15),
        aliases=("television_set", "monitor", "monitor_(computer_equipment)", "television")),
    "laptop": ShapeProgram(laptop, ("silver", "charcoal", "silver", "white"), material="metal", yaw=(-45, 45),
        pitch=(15, 40), aliases=("laptop_computer",)),
    "mouse": ShapeProgram(mouse, ("charcoal", "white", "grey", "red"), ("black", "charcoal", "grey"), "plastic",
        (-220, 60), (28, 60), aliases=("mouse_computer_equipment", "computer_mouse")),
    "remote": ShapeProgram(remote, ("black", "charcoal", "white", "grey"), ("grey", "charcoal", "navy"), "plastic",
        (-25, 25), (-50, 10), (-180, 180), aliases=("remote_control",)),
    "keyboard": ShapeProgram(keyboard, ("black", "white", "silver", "charcoal"), ("white", "charcoal", "grey"),
        "plastic", (-40, 40), (30, 70), aliases=("computer_keyboard",)),
    "cell_phone": ShapeProgram(cell_phone, ("black", "white", "navy", "red", "gold"), material="plastic", yaw=(-35,
        35), pitch=(-10, 25), roll=(-30, 30), aliases=("cellular_telephone", "phone", "smartphone",
        "mobile_phone")),
    "camera": ShapeProgram(camera, ("black", "charcoal", "brown"), ("silver", "charcoal"), "leather", (-40, 40),
        (0, 25)),
    "headphones": ShapeProgram(headphones, ("black", "white", "red", "navy"), ("silver", "gold"), "plastic", (-60,
        60), (-5, 25), aliases=("headset", "earphone")),
}  # fmt: skip
