"""Sanitary ware."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


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


def toilet(b: Builder) -> None:
    b.curve(
        [
            (0, -0.7),
            (0.36, -0.7),
            (0.34, -0.55),
            (0.24, -0.3),
            (0.34, -0.05),
            (0.5, 0.12),
            (0.52, 0.2),
            (0.4, 0.2),
            (0.2, 0.0),
            (0, -0.02),
        ],
        count=26,
        at=(0, 0, 0.1),
    )
    a = np.linspace(0, 2 * np.pi, 33)
    oval = np.stack([0.44 * np.cos(a), 0 * a + 0.23, 0.1 + 0.52 * np.sin(a)], -1)
    b.add(solids.tube(oval, 0.1, flat=0.4, capped=False), "main")
    b.box((1.05, 0.75, 0.36), "main", (0, 0.5, -0.58), corner=0.08, top=1.05)
    b.box((1.16, 0.09, 0.44), "main", (0, 0.92, -0.58), corner=0.04)
    if b.chance(0.6):
        lid = solids.smooth(
            [(-0.42, 0), (0.42, 0), (0.5, 0.5), (0.3, 0.95), (-0.3, 0.95), (-0.5, 0.5)], 40, closed=True
        )
        b.plate(lid, 0.07, "main", (0, 0.28, -0.34), (-8, 0, 0), bevel=0.03)
    b.ball((0.1, 0.04, 0.04), "silver/chrome", (-0.36, 0.72, -0.38))


def sink(b: Builder) -> None:
    w, d = b.u(0.8, 1.0), 0.65
    ring = solids.rectangle(2 * w, 2 * d, b.u(0.15, 0.5))
    b.add(
        solids.loft(
            ring,
            [
                (-0.45, 0),
                (-0.45, 0.7),
                (-0.1, 0.92),
                (0, 1),
                (0.06, 1),
                (0.07, 0.97),
                (0.06, 0.86),
                (-0.2, 0.72),
                (-0.3, 0.5),
                (-0.32, 0),
            ],
        ),
        "main",
    )
    if b.chance(0.5):
        b.curve([(0.2, -0.4), (0.17, -0.9), (0.26, -1.5), (0, -1.5)], count=12)
    b.revolve([(0, -0.3), (0.09, -0.3), (0.09, -0.28), (0, -0.28)], "silver/chrome")
    b.tube(
        [(0, 0.05, -d * 0.93), (0, 0.5, -d * 0.93), (0, 0.62, -d * 0.75), (0, 0.58, -d * 0.35), (0, 0.48, -d * 0.32)],
        0.05,
        "silver/chrome",
        bend=18,
    )
    for side in (-1, 1):
        b.revolve(
            [(0, 0), (0.08, 0), (0.05, 0.14), (0.09, 0.16), (0.09, 0.22), (0, 0.22)],
            "silver/chrome",
            (side * 0.3, 0.06, -d * 0.92),
        )


PROGRAMS: dict[str, ShapeProgram] = {
    "toilet": ShapeProgram(toilet, ("white", "white", "cream", "mint"), material="ceramic", yaw=(-50, 50),
        pitch=(12, 35)),
    "sink": ShapeProgram(sink, ("white", "white", "cream"), material="ceramic", yaw=(-40, 40), pitch=(22, 45)),
}  # fmt: skip
