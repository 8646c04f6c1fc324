"""Cycles, aeroplanes and boats; their right side faces the viewer, their nose points to +x."""

from __future__ import annotations

import numpy as np

from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def _two_wheels(b: Builder, r: float, span: float, thick: float) -> None:
    for x in (-span, span):
        b.ring(r, thick, "black/rubber", (x, 0, 0))
        b.ring(r - thick * 1.2, thick * 0.4, "silver/metal", (x, 0, 0))
        b.revolve([(0, -0.06), (0.05, -0.06), (0.05, 0.06), (0, 0.06)], "silver/metal", (x, 0, 0), (90, 0, 0))


def bicycle(b: Builder) -> None:
    r, span = 0.48, b.u(0.68, 0.78)
    _two_wheels(b, r, span, b.u(0.022, 0.045))
    for x in (-span, span):
        for k in range(8):
            a = np.radians(22.5 * k)
            b.tube(
                [(x - r * np.cos(a), -r * np.sin(a), 0), (x + r * np.cos(a), r * np.sin(a), 0)],
                0.006,
                "silver/metal",
                sides=4,
            )
    crank, seat, head = (-0.08, -0.05, 0), (-0.28, 0.58, 0), (0.46, b.u(0.55, 0.62), 0)
    low = b.chance(0.3)
    for p, q in [
        (crank, seat),
        ((-0.24, 0.45, 0) if not low else (-0.15, 0.2, 0), head),
        (crank, (0.49, 0.42, 0)),
        ((-span, 0, 0), crank),
        ((-span, 0, 0), (-0.24, 0.45, 0)),
        ((span, 0, 0), head),
    ]:
        b.tube([p, q], 0.032, "main/paint", sides=9)
    b.tube([head, (0.43, 0.78, 0)], 0.025, "silver/metal", sides=8)
    b.tube(
        [(0.5, 0.76, 0.3), (0.44, 0.8, 0.12), (0.43, 0.8, 0), (0.44, 0.8, -0.12), (0.5, 0.76, -0.3)],
        0.024,
        "black/rubber",
        bend=12,
        sides=8,
    )
    b.tube([seat, (-0.31, 0.7, 0)], 0.022, "silver/metal", sides=8)
    b.ball((0.19, 0.05, 0.09), "black/leather", (-0.3, 0.73, 0))
    b.ring(0.12, 0.015, "charcoal/metal", (*crank[:2], 0.06))
    b.tube([crank, (0.02, -0.22, 0.1), (0.02, -0.22, 0.2)], 0.018, "charcoal/metal", sides=6)
    b.tube([crank, (-0.18, 0.12, -0.1), (-0.18, 0.12, -0.2)], 0.018, "charcoal/metal", sides=6)
    if b.chance(0.3):
        b.box((0.34, 0.26, 0.34), "straw/wicker", (0.62, 0.66, 0), corner=0.04, top=1.2)


def motorcycle(b: Builder) -> None:
    span = b.u(0.7, 0.85)
    _two_wheels(b, 0.34, span, 0.1)
    b.ball((0.36, 0.17, 0.15), "main/paint", (0.12, 0.48, 0), (0, 0, -8))
    b.ball((0.3, 0.24, 0.17), "silver/metal", (0.02, 0.08, 0))
    for k in range(4):
        b.box((0.3, 0.03, 0.42), "charcoal/metal", (0.05, 0.0 + 0.07 * k, 0), corner=0.01)
    b.ball((0.36, 0.08, 0.14), "black/leather", (-0.35, 0.44, 0), (0, 0, 6))
    b.ball((0.24, 0.09, 0.12), "main/paint", (-0.68, 0.4, 0), (0, 0, -18))
    b.tube([(span, 0, 0.12), (0.5, 0.62, 0.1)], 0.035, "silver/chrome", sides=8)
    b.tube([(span, 0, -0.12), (0.5, 0.62, -0.1)], 0.035, "silver/chrome", sides=8)
    b.tube(
        [(0.32, 0.76, 0.38), (0.46, 0.72, 0.2), (0.48, 0.66, 0), (0.46, 0.72, -0.2), (0.32, 0.76, -0.38)],
        0.03,
        "black/rubber",
        bend=12,
        sides=8,
    )
    b.ball((0.1, 0.11, 0.11), "silver/chrome", (0.62, 0.55, 0))
    b.tube([(0.1, -0.05, 0.16), (-0.2, -0.14, 0.2), (-0.95, -0.1, 0.2)], [0.04, 0.05, 0.07], "silver/chrome", bend=10)
    a = np.radians(np.linspace(35, 145, 13))
    for x, paint in [(span, "main/paint"), (-span, "main/paint")]:
        b.tube(np.stack([x + 0.46 * np.cos(a), 0.46 * np.sin(a), 0 * a], -1), 0.11, paint, flat=0.4)
    b.tube([(-span, 0, 0.1), (0.0, 0.0, 0.1)], 0.04, "charcoal/metal", sides=8)


def airplane(b: Builder) -> None:
    long, r = b.u(1.4, 1.7), b.u(0.17, 0.22)
    b.tube(
        [
            (-long, 0.1, 0),
            (-long * 0.7, 0.05, 0),
            (-0.5, 0, 0),
            (long * 0.6, 0, 0),
            (long * 0.88, -0.02, 0),
            (long, -0.05, 0),
        ],
        [0.03, r * 0.7, r, r, r * 0.7, 0.03],
        "main/paint",
        bend=24,
        sides=21,
    )
    sweep, span = b.u(0.35, 0.75), b.u(1.25, 1.6)
    for side in (-1, 1):
        wing = [(0.4, 0), (0.4 - sweep, span), (0.15 - sweep, span), (-0.3, 0)]
        b.plate([*wing, wing[0]], 0.05, "main/paint", (0.05, -0.06, 0), (90 * side, 0, 0), bevel=0.02)
        tail = [(0.0, 0), (-0.35, 0.5), (-0.5, 0.5), (-0.4, 0)]
        b.plate([*tail, tail[0]], 0.035, "main/paint", (-long * 0.72, 0.08, 0), (90 * side, 0, 0), bevel=0.012)
        for k in range(b.pick(1, 2)):
            z = side * (0.45 + 0.4 * k)
            x = 0.28 - sweep * abs(z) / span
            b.tube([(x - 0.2, -0.18, z), (x + 0.22, -0.18, z)], [0.07, 0.1], "accent/metal", sides=13)
    fin = [(0.05, 0), (-0.32, 0.52), (-0.5, 0.52), (-0.38, 0)]
    b.plate([*fin, fin[0]], 0.04, "accent/paint", (-long * 0.7, 0.1, 0), bevel=0.012)
    for k in range(13):
        for side in (1, -1):
            b.ball((0.03, 0.035, 0.015), "navy/screen", (-long * 0.5 + k * 0.1 * long, 0.05, side * r * 0.98))
    b.ball((0.1, 0.05, r * 0.55), "navy/screen", (long * 0.87, 0.05, 0))


def boat(b: Builder) -> None:
    kind, long = b.pick("sail", "row", "motor"), b.u(1.0, 1.3)
    t = np.linspace(-1, 1, 17)
    beam = 0.36 * np.sqrt(np.clip(1 - np.maximum(t, -0.75) ** 2, 0.0, 1)) ** 0.8 * np.where(t < -0.75, 0.95, 1)
    deck = 0.05 + 0.16 * np.maximum(t, 0) ** 2
    rows = []
    for s in np.linspace(-1, 1, 11):
        depth = 0.42 * (1 - np.abs(s) ** 2.5)
        rows.append(
            np.stack(
                [
                    long * t * (1 - 0.12 * depth),
                    deck - depth * (0.3 + 0.7 * np.sqrt(np.clip(beam / 0.36, 0, 1))),
                    beam * s,
                ],
                -1,
            )
        )
    b.sheet(rows, "main/paint")
    edge = np.stack([long * t, deck + 0.01, beam], -1)
    for side in (1, -1):
        b.tube(edge * [1, 1, side], 0.03, "accent/wooden", sides=7)
    if kind == "row":
        for x in (-0.5, 0.0, 0.45):
            b.box((0.16, 0.04, 0.62), "wood/wooden", (x, 0.0, 0), corner=0.01)
        for side in (1, -1):
            b.tube([(0.2, 0.15, side * 0.2), (-0.3, -0.1, side * 0.95)], 0.025, "wood/wooden", sides=7)
        return
    b.sheet([edge * [0.97, 1, s] for s in (-0.97, 0, 0.97)], "tan/wooden")
    if kind == "motor":
        b.box((0.8, 0.3, 0.44), "white/paint", (-0.15, 0.2, 0), corner=0.06, top=0.85)
        b.box((0.7, 0.13, 0.46), "screen/screen", (-0.13, 0.27, 0), corner=0.03)
        b.box((0.16, 0.3, 0.2), "black/plastic", (-long, 0.08, 0), corner=0.04)
        return
    high = b.u(1.5, 2.0)
    b.tube([(0.1, 0, 0), (0.1, high, 0)], 0.028, "wood/wooden", sides=8)
    u = np.linspace(0, 1, 8)
    for tip, foot, paint in [(-0.75 * long, 0.22, "white/fabric"), (0.9 * long, 0.25, "accent/fabric")]:
        sail = [
            [
                (
                    0.1 + (tip - 0.1) * v * (1 - w),
                    foot + (high - 0.08 - foot) * w * (1 if tip < 0 else 0.85),
                    0.25 * np.sin(3.1 * v) * (1 - w),
                )
                for v in u
            ]
            for w in u
        ]
        b.sheet(sail, paint)


PAINTS = ("red", "white", "navy", "silver", "black", "yellow", "teal", "green", "grey")

PROGRAMS: dict[str, ShapeProgram] = {
    "bicycle": ShapeProgram(bicycle, PAINTS, ("black",), "paint", (-35, 35), (0, 15), front=-90, aliases=("bike",)),
    "motorcycle": ShapeProgram(motorcycle, ("red", "black", "navy", "orange", "green"), ("black",), "paint", (-40,
        40), (0, 18), front=-90, aliases=("motorbike", "motor_scooter")),
    "airplane": ShapeProgram(airplane, ("white", "white", "silver", "sky"), ("navy", "red", "green", "orange"),
        "paint", (-60, 60), (-20, 40), (-12, 12), front=-90, aliases=("aeroplane", "jet_plane", "fighter_jet")),
    "boat": ShapeProgram(boat, ("white", "red", "navy", "wood", "teal"), ("wood", "white", "red"), "paint", (-60,
        60), (5, 28), front=-90, aliases=("sailboat", "ship", "rowboat", "canoe", "dinghy")),
}  # fmt: skip
