"""Birds and people."""

from __future__ import annotations

import numpy as np

from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def bird(b: Builder) -> None:
    fat, tail = b.u(0.3, 0.42), b.u(0.5, 0.9)
    b.tube(
        [(-0.75, -0.12, 0), (-0.45, -0.02, 0), (0, 0, 0), (0.4, 0.18, 0), (0.55, 0.3, 0)],
        [0.1, fat * 0.7, fat, fat * 0.75, fat * 0.4],
        bend=20,
        sides=17,
    )
    b.ball(fat * 0.68, "main", (0.55, 0.46, 0))
    b.ball((fat * 0.7, fat * 0.62, fat * 0.75), "accent/fur", (0.22, -0.1, 0))
    b.tube([(0.55 + fat * 0.5, 0.46, 0), (0.55 + fat * b.u(1.2, 1.7), 0.42, 0)], [0.09, 0.01], "amber/plastic", sides=9)
    flying = b.chance(0.25)
    for side in (-1, 1):
        b.ball(0.045, "black/glass", (0.68, 0.54, side * fat * 0.55))
        if flying:
            t = np.linspace(0, 1, 9)
            w = 0.34 * np.sqrt(1 - t**2.5)
            b.sheet(
                [
                    np.stack([0.1 - 0.35 * t**2 + s * w, 0.1 + 0.5 * np.sin(t * 2), side * (fat * 0.5 + 1.1 * t)], -1)
                    for s in (-1, -0.3, 0.3, 1)
                ],
                "main",
            )
        else:
            b.ball((0.52, 0.22, 0.07), "main", (-0.22, 0.03, side * fat * 0.88), (0, side * 6, 12))
            b.ball((0.4, 0.1, 0.05), "accent/fur", (-0.35, -0.03, side * fat * 0.95), (0, side * 6, 12))
            b.tube(
                [(0.05, -fat * 0.8, side * 0.12), (0.02, -fat - 0.4, side * 0.14), (0.16, -fat - 0.42, side * 0.14)],
                0.022,
                "amber/plastic",
                sides=7,
            )
    b.plate(
        [(0, 0.1), (-tail, 0.16), (-tail, -0.16), (0, -0.1), (0, 0.1)],
        0.05,
        "main",
        (-0.65, -0.12, 0),
        (80, 0, 14),
        bevel=0.02,
    )


def person(b: Builder) -> None:
    shirt, trousers = "main", b.pick("navy/denim", "charcoal/fabric", "tan/fabric", "cobalt/denim")
    skin = b.pick("skin/skin", "peach/skin", "chestnut/skin", "brown/skin", "tan/skin")
    hair = b.pick("black/fur", "chocolate/fur", "brown/fur", "amber/fur", "grey/fur")
    build, step = b.u(0.85, 1.2), b.u(0.0, 0.3)
    b.tube(
        [(0, 0.02, 0), (0, 0.3, 0), (0, 0.62, 0), (0, 0.8, 0)],
        [0.2 * build, 0.2 * build, 0.26 * build, 0.12],
        shirt,
        bend=12,
        flat=0.62,
        sides=17,
    )
    for side in (-1, 1):
        swing = side * step
        hip, knee, foot = (side * 0.11, 0.05, 0), (side * 0.13, -0.42, swing * 0.6), (side * 0.14, -0.92, swing)
        b.tube([hip, knee, foot], [0.13 * build, 0.095 * build, 0.075], trousers, bend=10)
        b.ball((0.075, 0.06, 0.15), "black/leather", (foot[0], -0.97, foot[2] + 0.06))
        out, lift = b.u(0.02, 0.25), b.u(-0.45, 0.3) if b.chance(0.35) else -0.35
        shoulder, elbow = (
            (side * 0.24 * build, 0.7, 0),
            (side * (0.31 * build + out), 0.7 + min(lift, -0.05), -swing * 0.3),
        )
        hand = (side * (0.33 * build + out * 1.1), elbow[1] + (lift if lift > 0 else -0.28), -swing * 0.6 + 0.08)
        b.tube([shoulder, elbow], [0.085, 0.07], shirt)
        b.tube([elbow, hand], [0.062, 0.045], skin if b.chance(0.5) else shirt)
        b.ball((0.055, 0.07, 0.05), skin, hand)
    b.tube([(0, 0.75, 0), (0, 0.92, 0)], 0.065, skin)
    b.ball((0.125, 0.155, 0.14), skin, (0, 1.0, 0.01))
    b.ball((0.138, 0.145, 0.145), hair, (0, 1.05, -0.03))
    if b.chance(0.45):
        b.ball((0.14, b.u(0.16, 0.3), 0.09), hair, (0, 0.92, -0.09))
    for side in (-1, 1):
        b.ball(0.016, "black/glass", (side * 0.05, 1.0, 0.145))


PROGRAMS: dict[str, ShapeProgram] = {
    "bird": ShapeProgram(bird, ("sky", "red", "brown", "yellow", "navy", "grey"), ("white", "orange", "black"),
        "fur", (-40, 40), (-5, 18), front=-90, aliases=("pigeon", "sparrow", "parakeet", "bluebird", "parrot",
        "dove", "gull")),
    "person": ShapeProgram(person, ("red", "white", "teal", "grey", "mustard", "green"), ("white",), "fabric",
        (-60, 60), (-3, 12), aliases=("man", "woman", "human")),
}  # fmt: skip
