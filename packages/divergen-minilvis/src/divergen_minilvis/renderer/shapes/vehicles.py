"""Cars, buses, lorries and trains; their right side faces the viewer, their nose points to +x."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def _wheel(b: Builder, x: float, y: float, z: float, r: float, width: float = 0.16) -> None:
    """Add a tyre with its rim about the z axis."""
    turn = (90, 0, 0)
    half = width / 2
    b.revolve(
        [(r * 0.6, -half), (r * 0.93, -half), (r, -half * 0.6), (r, half * 0.6), (r * 0.93, half), (r * 0.6, half)],
        "black/rubber",
        (x, y, z),
        turn,
    )
    side = 1 if z >= 0 else -1
    b.revolve(
        [(0, half * 0.7), (r * 0.2, half * 0.75), (r * 0.55, half * 0.55), (r * 0.64, half)]
        if side > 0
        else [(0, -half * 0.7), (r * 0.55, -half * 0.6), (r * 0.64, -half)],
        "silver/metal",
        (x, y, z),
        turn,
    )


def _window(b: Builder, outline: list[tuple[float, float]], z: float, paint: str = "screen/screen") -> None:
    """Add panes on both sides of a body."""
    for side in (1, -1):
        b.plate([*outline, outline[0]], 0.02, paint, (0, 0, side * z), bevel=0.004)


def car(b: Builder) -> None:
    kind = b.pick("sedan", "hatch", "suv", "coupe", "pickup")
    long, wide = b.u(1.15, 1.35), b.u(0.45, 0.55)
    belt, roof = (
        {"suv": 0.42, "pickup": 0.38}.get(kind, 0.3),
        {"sedan": 0.68, "hatch": 0.7, "suv": 0.88, "coupe": 0.6, "pickup": 0.8}[kind] * b.u(0.95, 1.05),
    )
    front, back = {
        "sedan": (0.62, -0.85),
        "hatch": (0.65, -1.05),
        "suv": (0.65, -1.12),
        "coupe": (0.55, -0.95),
        "pickup": (0.6, -0.25),
    }[kind]
    body = [
        (-long, 0.0),
        (-long, belt * 0.8),
        (-long * 0.93, belt),
        (0.6, belt),
        (long * 0.92, belt * 0.78),
        (long, belt * 0.4),
        (long, 0.0),
        (-long, 0),
    ]
    outline = np.concatenate([np.linspace(p, q, 5, endpoint=False) for p, q in pairwise(body)])
    b.plate(np.concatenate([outline, outline[:1]]), 2 * wide, "main/paint", bevel=0.07)
    top = (back + 0.22 if kind != "pickup" else back + 0.05, front - 0.35)
    roofline = [
        (back, belt - 0.04),
        (top[0], roof - 0.06),
        (top[0] + 0.12, roof),
        (top[1] - 0.1, roof),
        (top[1], roof - 0.05),
        (front, belt - 0.04),
    ]
    b.add(_cabin(roofline, wide * 0.93, wide * 0.76), "main/paint")
    low, high = belt + 0.01, roof - 0.07
    mid = (top[0] + top[1]) / 2
    for x0, x1, t0, t1 in [
        (back + 0.16, mid - 0.03, top[0] + 0.08, mid - 0.03),
        (mid + 0.03, front - 0.12, mid + 0.03, top[1] - 0.04),
    ]:
        for side in (1, -1):
            z0, z1 = (side * wide * (0.945 - 0.17 * (y - belt) / (roof - belt)) for y in (low, high))
            b.sheet([[(x0, low, z0), (x1, low, z0)], [(t0, high, z1), (t1, high, z1)]], "screen/screen")
    for x0, x1 in [(front + 0.012, top[1] + 0.03), (back - 0.012, top[0] - 0.03)]:
        b.sheet(
            [[(x0, low, -wide * 0.8), (x0, low, wide * 0.8)], [(x1, high, -wide * 0.68), (x1, high, wide * 0.68)]],
            "screen/screen",
        )
    r = 0.24 if kind in ("suv", "pickup") else 0.21
    for x in (-long * 0.62, long * 0.62):
        for z in (-wide * 0.92, wide * 0.92):
            b.revolve(
                [(0, 0), (r * 1.18, 0), (r * 1.18, 0.05), (0, 0.05)],
                "black/rubber",
                (x, 0.02, z - (0.0 if z > 0 else 0.05)),
                (90, 0, 0),
            )
            _wheel(b, x, 0.0, z + (0.03 if z > 0 else -0.03), r)
    for z in (-wide * 0.72, wide * 0.72):
        b.ball((0.05, 0.07, 0.11), "white/chrome", (long * 0.985, belt * 0.52, z))
        b.box((0.04, 0.1, 0.18), "red/plastic", (-long, belt * 0.62, z), corner=0.015)
    b.box((0.04, 0.13, wide * 0.9), "black/plastic", (long, belt * 0.25, 0), corner=0.015)
    b.box((0.25, 0.02, 0.012), "silver/metal", (0.0, belt * 0.75, wide + 0.004), corner=0.005)


def _cabin(line: list[tuple[float, float]], low: float, high: float) -> solids.Surface:
    """Return a cabin: a line over the length, spanned across, narrower at the top."""
    points = np.asarray(line, np.float32)
    height = (points[:, 1] - points[:, 1].min()) / np.ptp(points[:, 1])
    half = low + (high - low) * height
    rows = []
    for share in (-1.0, -1.0, -0.96, -0.6, 0.6, 0.96, 1.0, 1.0):
        edge = np.array([points[:, 0], points[:, 1] * (1 if abs(share) < 0.99 else 0.985), half * share]).T
        rows.append(edge)
    rows[0] = rows[0] * [1, 0, 1] + [0, points[:, 1].min(), 0]
    rows[-1] = rows[-1] * [1, 0, 1] + [0, points[:, 1].min(), 0]
    return solids.sheet(np.stack(rows))


def bus(b: Builder) -> None:
    long, tall, wide, double = b.u(1.4, 1.8), 0.78, 0.42, b.chance(0.25)
    high = tall * (1.55 if double else 1.0)
    b.box((2 * long, high, 2 * wide), "main/paint", (0, high / 2 - 0.05, 0), corner=0.09)
    decks = (0.5 * tall, 1.1 * tall) if double else (0.55 * tall,)
    for y in decks:
        count = b.pick(6, 7)
        for k in range(count):
            x = long * (-0.9 + 1.62 * k / (count - 1))
            for side in (1, -1):
                b.box((long * 1.35 / count, 0.3, 0.02), "screen/screen", (x, y, side * wide), corner=0.03)
        b.box((0.03, 0.34, 1.7 * wide), "screen/screen", (long, y, 0), corner=0.05)
    b.box((0.22, 0.62, 0.02), "charcoal/screen", (long * 0.86, 0.28, wide), corner=0.02)
    b.box((2 * long, 0.07, 2 * wide + 0.02), "accent/paint", (0, 0.13, 0), corner=0.02)
    for x in (-long * 0.6, long * 0.6):
        for z in (-wide, wide):
            _wheel(b, x, -0.04, z * 0.95, 0.19)
    for z in (-wide * 0.75, wide * 0.75):
        b.ball((0.03, 0.06, 0.08), "white/chrome", (long, 0.08, z))


def truck(b: Builder) -> None:
    wide, cargo = 0.45, b.pick("box", "box", "tank", "bed")
    b.box((0.75, 0.85, 2 * wide), "main/paint", (1.0, 0.4, 0), corner=0.1, top=(0.85, 0.95))
    b.box((0.03, 0.3, 1.6 * wide), "screen/screen", (1.345, 0.58, 0), (0, 0, 9), corner=0.02)
    _window(b, [(0.8, 0.42), (1.25, 0.42), (1.2, 0.72), (0.82, 0.72)], wide * 0.97)
    b.box((2.7, 0.12, 1.6 * wide), "charcoal/metal", (0, -0.05, 0), corner=0.03)
    if cargo == "box":
        b.box((1.9, b.u(0.95, 1.2), 2.1 * wide), "accent/paint", (-0.42, 0.6, 0), corner=0.04)
    elif cargo == "tank":
        b.ball((1.0, 0.46, 0.46), "accent/chrome", (-0.42, 0.46, 0))
        b.tube([(-1.25, 0.46, 0), (0.4, 0.46, 0)], 0.44, "accent/chrome", sides=25)
    else:
        for x, z, w, d in [
            (-0.42, wide, 1.9, 0.05),
            (-0.42, -wide, 1.9, 0.05),
            (-1.36, 0, 0.05, 2 * wide),
            (0.5, 0, 0.05, 2 * wide),
        ]:
            b.box((w, 0.42, d), "main/paint", (x, 0.2, z), corner=0.02)
        for k in range(6):
            b.ball(b.u(0.16, 0.3), "soil/stone", (-1.1 + 0.27 * k, 0.28, b.u(-0.2, 0.2)))
    for x in (-1.1, -0.75, 0.95):
        for z in (-wide, wide):
            _wheel(b, x, -0.12, z * 0.92, 0.21, 0.18)
    for z in (-wide * 0.75, wide * 0.75):
        b.ball((0.03, 0.06, 0.08), "white/chrome", (1.37, 0.12, z))


def train(b: Builder) -> None:
    long, wide = b.u(1.6, 2.0), 0.38
    nose = b.u(0.25, 0.7)
    rows = [
        (-long, 0, 0),
        (-long, 1, 1),
        (long - nose, 1, 1),
        (long - nose * 0.4, 0.85, 0.82, 0, -0.05),
        (long, 0.45, 0.5, 0, -0.16),
        (long, 0, 0, 0, -0.16),
    ]
    ring = solids.rectangle(2 * wide, 0.8, 0.12)
    full = [(*r, 0, 0) if len(r) == 3 else r for r in rows]
    solid = solids.loft(ring, full)
    b.add(solids.Surface(solid.points[..., [1, 2, 0]].copy(), solid.uv), "main/paint", (0, 0.4, 0))
    for k in range(b.pick(7, 8, 9)):
        x = -long * 0.9 + k * 0.34
        if x < long - nose - 0.15:
            for side in (1, -1):
                b.box((0.24, 0.24, 0.02), "screen/screen", (x, 0.55, side * wide), corner=0.03)
    b.box((2 * long - nose, 0.08, 2 * wide + 0.02), "accent/paint", (-nose / 2, 0.26, 0), corner=0.02)
    b.sheet(
        [
            [(long - nose * 0.55, 0.42 + 0.32, -0.26), (long - nose * 0.55, 0.74, 0.26)],
            [(long - nose * 0.08, 0.48, -0.2), (long - nose * 0.08, 0.48, 0.2)],
        ],
        "screen/screen",
    )
    for x in np.linspace(-long * 0.85, long * 0.7, 6):
        for z in (-wide * 0.8, wide * 0.8):
            _wheel(b, float(x), -0.04, z, 0.13, 0.1)


PAINTS = ("red", "white", "navy", "silver", "black", "yellow", "teal", "green", "grey")

PROGRAMS: dict[str, ShapeProgram] = {
    "car": ShapeProgram(car, PAINTS, ("black", "white"), "paint", (-50, 50), (4, 25), front=-90,
        aliases=("car_(automobile)", "automobile", "taxi", "cab_(taxi)", "sedan", "race_car", "jeep",
        "pickup_truck")),
    "bus": ShapeProgram(bus, ("red", "yellow", "white", "blue", "green"), ("white", "navy", "black"), "paint",
        (-50, 45), (4, 22), front=-90, aliases=("bus_(vehicle)", "school_bus", "minivan", "van")),
    "truck": ShapeProgram(truck, PAINTS, ("white", "silver", "cream", "sky"), "paint", (-50, 45), (4, 22),
        front=-90, aliases=("lorry", "tow_truck", "trailer_truck", "garbage_truck")),
    "train": ShapeProgram(train, ("white", "red", "blue", "green", "silver"), ("red", "navy", "yellow"), "paint",
        (-60, 25), (4, 22), front=-90, aliases=("train_(railroad_vehicle)", "locomotive",
        "passenger_car_(part_of_a_train)")),
}  # fmt: skip
