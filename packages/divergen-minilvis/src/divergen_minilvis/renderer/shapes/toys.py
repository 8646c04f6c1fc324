"""Toys, balls and instruments."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]

ANY = (-180.0, 180.0)


def _on_ball(points: np.ndarray, r: float) -> np.ndarray:
    """Push points (k, 3) onto the sphere of radius `r`."""
    return np.asarray(r * points / np.linalg.norm(points, axis=1, keepdims=True))


def sports_ball(b: Builder) -> None:
    kind = b.pick("soccer", "basket", "tennis", "volley", "beach")
    circle = np.insert(solids.circle(41), 2, 0, 1)
    if kind == "soccer":
        b.ball(1.0, "white/leather")
        golden = (1 + 5**0.5) / 2
        centres = [(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)]
        for x, y, z in [p[k:] + p[:k] for p in centres for k in range(3)]:
            axis = np.array([x, y, z]) / np.hypot(1, golden)
            side = np.cross(axis, [0.3, 1, 0.2])
            side /= np.linalg.norm(side)
            ring = solids.regular(5) * 0.36
            flat = axis + ring[:, :1] * side + ring[:, 1:] * np.cross(axis, side)
            b.sheet([_on_ball(axis + (flat - axis) * t, 1.012) for t in (0.01, 0.5, 1)], "black/leather")
        return
    paint = {"basket": "orange/leather", "tennis": "lime/wool", "volley": "main/leather", "beach": "white/plastic"}[
        kind
    ]
    b.ball(1.0, paint)
    if kind == "beach":
        for k in range(6):
            t = np.linspace(-np.pi / 2, np.pi / 2, 13)
            meridians = [np.pi / 3 * k + s for s in np.linspace(0, np.pi / 6, 4)]
            b.sheet(
                [np.stack([np.cos(t) * np.cos(x), np.sin(t), np.cos(t) * np.sin(x)], -1) * 1.01 for x in meridians],
                b.pick("main", "accent"),
            )
        return
    a = np.linspace(0, 2 * np.pi, 61)
    wave = _on_ball(np.stack([np.cos(a), np.sin(a), 0.75 * np.cos(2 * a)], -1), 1.0)
    seam = "white/rubber" if kind == "tennis" else "black/rubber" if kind == "basket" else "accent/rubber"
    b.add(solids.tube(wave, 0.03, capped=False, sides=7), seam)
    if kind != "tennis":
        b.add(solids.tube(circle @ solids.rotation((0, 90, 0)).T, 0.022, capped=False, sides=7), seam)
        b.add(solids.tube(circle @ solids.rotation((90, 0, 0)).T, 0.022, capped=False, sides=7), seam)


def kite(b: Builder) -> None:
    w, cross = b.u(0.65, 0.95), b.u(0.25, 0.45)
    tips = [(0, 1.0), (w, cross), (0, -1.1), (-w, cross)]
    centre = (0, cross, 0.12)
    for k in range(4):
        (x0, y0), (x1, y1) = tips[k], tips[(k + 1) % 4]
        paint = "main" if k % 2 else "accent/fabric"
        b.sheet([[centre, centre], [(x0, y0, 0), (x1, y1, 0)]], paint)
    b.tube([(0, 1, -0.02), (0, -1.1, -0.02)], 0.02, "wood/wooden", sides=6)
    b.tube([(-w, cross, -0.02), centre, (w, cross, -0.02)], 0.02, "wood/wooden", sides=6)
    swing = b.u(0.1, 0.3) * b.pick(-1, 1)
    t = np.linspace(0, 1, 30)
    tail = np.stack([swing * np.sin(7 * t) * t**0.5, -1.1 - 1.1 * t, 0 * t], -1)
    b.tube(tail, 0.014, "grey/fabric", sides=5)
    for k in range(5, 30, 6):
        x, y, _ = tail[k]
        for side in (-1, 1):
            b.sheet(
                [[(x, y, 0), (x, y, 0)], [(x + side * 0.16, y + 0.08, 0.02), (x + side * 0.16, y - 0.08, 0.02)]],
                b.pick("main", "accent/fabric"),
            )


def guitar(b: Builder) -> None:
    electric = b.chance(0.35)
    w = b.u(0.55, 0.68)
    half = [
        (0.0, 0.62),
        (w * 0.5, 0.58),
        (w * 0.72, 0.35),
        (w * 0.55, 0.05),
        (w * 0.8, -0.2),
        (w, -0.5),
        (w * 0.75, -0.85),
        (0.0, -0.95),
    ]
    left = [(-x, y) for x, y in reversed(half[1:-1])]
    if electric:
        half[1:3] = [(w * 0.45, 0.62), (w * 0.85, 0.78)]
        left[-2:] = [(-w * 0.8, 0.7), (-w * 0.45, 0.5)]
    ring = solids.smooth([*half, *left], 60, closed=True)
    b.pillow(ring, 0.14 if electric else 0.3, rim=0.05)
    front = 0.08 if electric else 0.155
    if electric:
        b.pillow(ring * [0.55, 0.6] + [0.1, -0.1], 0.02, "white/plastic", (0, 0, front), rim=0.01)
        for y in (-0.1, -0.3):
            b.box((0.3, 0.09, 0.05), "black/plastic", (0, y, front + 0.02), corner=0.02)
    else:
        b.revolve([(0, 0), (0.17, 0), (0.17, 0.012), (0, 0.012)], "black/flat", (0, 0.02, front), (90, 0, 0))
        b.ring(0.19, 0.018, "darkwood/wooden", (0, 0.02, front))
    b.box((0.34, 0.07, 0.05), "darkwood/wooden", (0, -0.5, front + 0.02), corner=0.01)
    b.box((0.15, 1.25, 0.07), "darkwood/wooden", (0, 1.1, front), corner=0.02)
    for k in range(9):
        b.box((0.15, 0.012, 0.02), "silver/metal", (0, 0.6 + 1.1 * (1 - 0.88**k), front + 0.036), corner=0.004)
    b.box((0.24, 0.36, 0.06), "accent/wooden", (0, 1.88, front - 0.03), (-8, 0, 0), corner=0.03)
    for k in range(3):
        for side in (-1, 1):
            b.ball((0.05, 0.03, 0.03), "silver/metal", (side * 0.15, 1.76 + 0.11 * k, front - 0.02))
    for k in range(6):
        x = -0.05 + 0.02 * k
        b.tube([(x * 1.5, -0.5, front + 0.05), (x, 1.72, front + 0.05)], 0.005, "silver/metal", sides=4)


def teddy_bear(b: Builder) -> None:
    head, belly = b.u(0.44, 0.52), b.u(0.5, 0.6)
    b.ball((belly, 0.6, belly * 0.9), "main", (0, -0.1, 0))
    b.ball((belly * 0.65, 0.4, 0.2), "accent/fur", (0, -0.12, belly * 0.76))
    b.ball((head * 1.1, head, head), "main", (0, 0.75, 0.05))
    b.ball((0.22, 0.17, 0.18), "accent/fur", (0, 0.63, head * 0.95))
    b.ball((0.075, 0.055, 0.05), "black/plastic", (0, 0.7, head + 0.17))
    for side in (-1, 1):
        b.ball((0.18, 0.18, 0.1), "main", (side * head * 0.85, 0.75 + head * 0.8, 0))
        b.ball((0.11, 0.11, 0.06), "accent/fur", (side * head * 0.85, 0.75 + head * 0.8, 0.07))
        b.ball(0.058, "black/glass", (side * 0.18, 0.83, head * 0.97))
        b.ball((0.19, 0.44, 0.2), "main", (side * belly * 1.05, 0.05, 0.12), (-25, 0, side * b.u(25, 60)))
        b.ball((0.23, 0.24, 0.48), "main", (side * 0.4, -0.6, 0.38), (0, side * 18, 0))
        b.ball((0.17, 0.19, 0.06), "accent/fur", (side * 0.54, -0.6, 0.8), (0, side * 18, 0))
    if b.chance(0.5):
        for side in (-1, 1):
            b.ball((0.19, 0.12, 0.08), "red/fabric", (side * 0.17, 0.36, belly * 0.85), (0, 0, side * 14))
        b.ball(0.07, "red/fabric", (0, 0.36, belly * 0.95))


def balloon(b: Builder) -> None:
    b.curve([(0, -1.0), (0.1, -1.02), (0.05, -0.93), (0.45, -0.55), (0.8, 0.1), (0.62, 0.72), (0, 0.95)], count=24)
    t = np.linspace(0, 1, 16)
    sway = b.u(-0.25, 0.25)
    b.tube(np.stack([sway * np.sin(5 * t) * t, -1 - 1.2 * t, 0 * t], -1), 0.012, "grey/fabric", sides=5)


PROGRAMS: dict[str, ShapeProgram] = {
    "sports_ball": ShapeProgram(sports_ball, ("sky", "yellow", "red", "white"), ("red", "navy", "lime"), "leather",
        ANY, (-60, 60), ANY, aliases=("ball", "soccer_ball", "basketball", "tennis_ball", "volleyball",
        "beachball", "football")),
    "kite": ShapeProgram(kite, ("red", "yellow", "blue", "purple", "lime"), ("yellow", "blue", "orange", "white"),
        "fabric", (-30, 30), (-20, 20), (-35, 35)),
    "guitar": ShapeProgram(guitar, ("wood", "tan", "red", "black", "amber"), ("darkwood", "black"), "wooden", (-30,
        30), (-10, 15), (-50, 50)),
    "teddy_bear": ShapeProgram(teddy_bear, ("tan", "brown", "cream", "chestnut", "grey"), ("cream", "beige",
        "white"), "fur", (-35, 35), (-5, 20), aliases=("teddy", "stuffed_toy")),
    "balloon": ShapeProgram(balloon, ("red", "blue", "yellow", "pink", "lime", "purple"), material="rubber",
        pitch=(-15, 10), roll=(-15, 15)),
}  # fmt: skip
