"""Four-legged animals; they show their right side, the head toward +x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


@dataclass(frozen=True, slots=True)
class Beast:
    """Proportions of a four-legged animal, in units of half its body's length.

    Attributes:
        body: Height and width of the trunk.
        leg: Length and thickness of the legs.
        neck: Length, rise in degrees and thickness.
        head: Length and height; the muzzle is part of the length.
        muzzle: Thickness of the muzzle against the head.
        ear: Length, width and paint.
        tail: Length, thickness and droop: 1 hangs, -1 stands.
        horn: "", "horns", "antlers", "ossicones", "trunk", "mane" or "wool".
        coat: "", "stripes", "patches" or "spots".
        snout: Paint of the muzzle's end.
    """

    body: tuple[float, float] = (0.4, 0.34)
    leg: tuple[float, float] = (0.75, 0.1)
    neck: tuple[float, float, float] = (0.45, 45, 0.2)
    head: tuple[float, float] = (0.3, 0.2)
    muzzle: float = 0.6
    ear: tuple[float, float] = (0.14, 0.08)
    tail: tuple[float, float, float] = (0.6, 0.04, 1.0)
    horn: str = ""
    coat: str = ""
    snout: str = "black/leather"


def _beast(b: Builder, k: Beast) -> None:
    grow = b.u(0.9, 1.12)
    high, wide = k.body[0] * grow, k.body[1] * grow
    b.tube(
        [(-1, 0.02, 0), (-0.85, 0.04, 0), (-0.2, -0.03, 0), (0.4, 0, 0), (0.85, 0.02, 0), (1.0, 0.02, 0)],
        [0.45 * high, high * 0.93, high, high * 0.95, high * 0.9, high * 0.5],
        bend=22,
        flat=wide / high,
        sides=19,
    )
    stride = b.u(-0.22, 0.22)
    length, thick = k.leg[0] * b.u(0.92, 1.08), k.leg[1]
    for x, sign in [(0.72, 1), (-0.72, -1)]:
        for side in (-1, 1):
            swing = stride * side * sign
            z = side * wide * 0.62
            foot = (x + swing, -high * 0.6 - length, z)
            b.tube(
                [
                    (x, 0.3 * high, z * 0.75),
                    (x, -0.15 * high, z * 0.85),
                    (x + swing * 0.3 - 0.04 * sign, -high * 0.6 - length * 0.4, z),
                    foot,
                ],
                [thick * 0.8, thick * 2.0, thick * 1.15, thick],
                bend=9,
            )
            b.ball(
                (thick * 1.35, thick * 0.7, thick * 1.25),
                k.snout if k.coat != "spots" else "main",
                (foot[0] + 0.04, foot[1], z),
            )
    _head(b, k, high)
    reach, droop = k.tail[0], k.tail[2]
    if reach:
        path = [
            (-0.95, 0.15 * high, 0),
            (-1.0 - 0.3 * reach, 0.15 * high - 0.2 * droop * reach, 0),
            (-1.05 - 0.35 * reach, 0.1 - droop * reach, b.u(-0.1, 0.1)),
        ]
        b.tube(path, [k.tail[1] * 1.3, k.tail[1], k.tail[1] * 0.7], bend=10)
        if k.horn == "mane" or k.coat == "patches":
            b.ball((0.09, 0.2, 0.09), "accent/fur", path[-1])
    _coat(b, k, high, wide)


def _head(b: Builder, k: Beast, high: float) -> None:
    rise = np.radians(k.neck[1] + b.u(-15, 12))
    root = np.array([0.85, 0.3 * high, 0])
    nape = root + k.neck[0] * np.array([np.cos(rise), np.sin(rise), 0])
    b.tube(
        [root - [0.15, 0.12, 0], (root + nape) / 2 + [0.02, 0, 0], nape],
        [k.neck[2] * 1.5, k.neck[2] * 1.1, k.neck[2] * 0.95],
        bend=8,
        flat=0.8,
    )
    long, tall = k.head
    tilt = b.u(-30, -8)
    turn = b.u(-25, 25)
    b.place(at=(float(nape[0]), float(nape[1]), 0.0), turn=(0, turn, tilt))
    b.ball((long * 0.65, tall, tall * 0.85), at=(0.25 * long, 0, 0))
    tip = long * 1.15
    b.tube([(0.3 * long, -0.05 * tall, 0), (tip, -0.18 * tall, 0)], [tall * 0.8, tall * k.muzzle], "main")
    b.ball(
        (tall * k.muzzle * 0.6, tall * k.muzzle * 0.98, tall * k.muzzle * 0.95),
        k.snout if k.muzzle < 0.7 else "accent/skin",
        (tip, -0.18 * tall, 0),
    )
    lift = -0.8 if k.ear[0] > 0.25 and b.chance(0.6) else 1.0
    for side in (-1, 1):
        b.ball(tall * 0.15, "black/glass", (0.45 * long, tall * 0.32, side * tall * 0.74))
        if k.horn != "trunk":
            root, flop = np.array([-0.02, tall * 0.7, side * tall * 0.5]), b.u(0.1, 0.35) * side
            point = root + k.ear[0] * np.array([-0.3, 1.5 * lift, flop * 3])
            b.tube(
                [root, (root + point) / 2 + [0, 0, flop * 0.1], point],
                [k.ear[1], k.ear[1] * 0.9, 0.02],
                bend=7,
                flat=0.4,
            )
    _headgear(b, k, long, tall)
    b.place()
    if k.horn == "mane":
        for t in np.linspace(0, 1.1, 9):
            at = root + (nape - root) * t + np.array([-np.sin(rise), np.cos(rise), 0]) * k.neck[2] * 1.15
            b.ball((0.09, 0.14, 0.05), "accent/fur", at)


def _headgear(b: Builder, k: Beast, long: float, tall: float) -> None:
    if k.horn == "trunk":
        b.tube(
            [
                (tip := long * 0.9, -0.1, 0),
                (tip + 0.22, -0.45, 0),
                (tip + 0.2, -0.95, 0),
                (tip + b.u(0.25, 0.5), -1.2, 0),
            ],
            [0.2, 0.15, 0.11, 0.07],
            bend=16,
        )
        for side in (-1, 1):
            b.ball((0.3, 0.42, 0.05), "main", (-0.12, 0.02, side * tall * 1.1), (side * 10, side * 40, 0))
            b.tube(
                [(long * 0.8, -0.2, side * 0.16), (long + 0.25, -0.42, side * 0.2), (long + 0.5, -0.36, side * 0.2)],
                [0.05, 0.045, 0.01],
                "ivory/ceramic",
                bend=9,
            )
    for side in (-1, 1):
        if k.horn == "horns" and side:
            b.tube(
                [
                    (0, tall * 0.8, side * tall * 0.4),
                    (0.02, tall * 1.15, side * tall * 1.1),
                    (0.08, tall * 1.7, side * tall * 1.15),
                ],
                [0.05, 0.04, 0.01],
                "cream/ceramic",
                bend=8,
            )
        if k.horn == "ossicones":
            b.tube(
                [(0.05, tall * 0.7, side * 0.06), (0.0, tall * 1.7, side * 0.08)], [0.03, 0.035], "brown/fur", sides=8
            )


def _coat(b: Builder, k: Beast, high: float, wide: float) -> None:
    if k.coat == "stripes":
        for x in np.linspace(-0.85, 0.85, 11):
            a = np.radians(np.linspace(-35, 215, 17))
            sway = 0.05 * np.sin(3 * a)
            b.tube(
                np.stack(
                    [
                        x + sway,
                        high * 0.985 * np.sin(a) * (1 - 0.1 * abs(x)),
                        wide * 0.99 * np.cos(a) * (1 - 0.08 * abs(x)),
                    ],
                    -1,
                ),
                0.032,
                "accent/fur",
                sides=7,
            )
        for t in (0.2, 0.5, 0.8):
            at = np.array([0.85, 0.3 * high, 0]) + t * k.neck[0] * np.array([0.6, 0.75, 0])
            b.ring(k.neck[2] * (1.3 - 0.25 * t), 0.035, "accent/fur", at, (90, 0, -35))
    count, size = {"patches": (16, 0.22), "spots": (46, 0.1)}.get(k.coat, (0, 0.0))
    for n in range(count):
        x, a = -0.85 + 1.7 * ((n * 0.7549) % 1), np.radians(-50 + 280 * ((n * 0.5698) % 1))
        fat = np.sqrt(max(1 - (abs(x) * 0.75) ** 4, 0.2))
        s = size * b.u(0.7, 1.2)
        b.ball(
            (s, s * 0.8, 0.05),
            "accent/fur",
            (x, high * 0.93 * fat * np.sin(a), wide * 0.95 * fat * np.cos(a)),
            (-np.degrees(a) if np.cos(a) > 0 else 180 - np.degrees(a), 0, 0),
        )
    if k.coat == "spots" and k.neck[0] > 1:
        for n in range(16):
            share = n / 16
            rise = np.radians(k.neck[1])
            at = np.array([0.85, 0.3 * high, 0]) + share * k.neck[0] * np.array([np.cos(rise), np.sin(rise), 0])
            b.ball(
                (0.08, 0.1, 0.04),
                "accent/fur",
                at + np.array([0, 0, (1 if n % 2 else -1) * k.neck[2] * (1.05 - 0.25 * share) * 0.8]),
            )
    if k.horn == "wool":
        for n in range(42):
            x, a = -0.95 + 1.9 * ((n * 0.7549) % 1), np.radians(360 * ((n * 0.5698) % 1))
            b.ball(b.u(0.2, 0.27), "main", (x, high * 0.8 * np.sin(a), wide * 0.85 * np.cos(a)))


def _program(
    shape: Beast, colours: tuple[str, ...], accents: tuple[str, ...], aliases: tuple[str, ...] = ()
) -> ShapeProgram:
    """Return the program of a four-legged animal."""

    def build(b: Builder) -> None:
        _beast(b, shape)

    return ShapeProgram(build, colours, accents, "fur", (-40, 40), (0, 18), (-4, 4), front=-90, aliases=aliases)


HORSE = Beast((0.4, 0.32), (0.85, 0.085), (0.7, 55, 0.2), (0.36, 0.17), 0.62, (0.13, 0.06), (0.75, 0.09, 1.0), "mane")
PROGRAMS: dict[str, ShapeProgram] = {
    "cat": _program(Beast((0.46, 0.42), (0.62, 0.11), (0.22, 55, 0.27), (0.28, 0.34), 0.4, (0.24, 0.15), (1.0,
        0.085, -0.8), snout="salmon/skin"), ("orange", "grey", "black", "white", "tan"), ("white",), ("kitten",)),
    "dog": _program(Beast((0.46, 0.38), (0.78, 0.11), (0.4, 55, 0.27), (0.42, 0.29), 0.52, (0.28, 0.13), (0.65,
        0.08, -0.7)), ("tan", "brown", "black", "white", "amber"), ("white", "black"), ("puppy", "shepherd_dog",
        "bulldog")),
    "horse": _program(HORSE, ("chestnut", "brown", "black", "white", "grey"), ("black", "chocolate", "cream"),
        ("pony",)),
    "zebra": _program(Beast((0.42, 0.34), (0.75, 0.085), (0.62, 52, 0.21), (0.34, 0.17), 0.62, (0.15, 0.07), (0.6,
        0.05, 1.0), "mane", "stripes"), ("white",), ("black",)),
    "sheep": _program(Beast((0.46, 0.4), (0.45, 0.07), (0.3, 35, 0.2), (0.3, 0.17), 0.62, (0.14, 0.06), (0.2, 0.08,
        1.0), "wool", snout="black/leather"), ("cream", "white", "ivory"), ("black",), ("lamb_(animal)",
        "ram_(animal)")),
    "cow": _program(Beast((0.48, 0.4), (0.6, 0.1), (0.4, 28, 0.25), (0.42, 0.21), 0.72, (0.18, 0.08), (0.8, 0.035,
        1.0), "horns", "patches", "charcoal/leather"), ("white", "cream", "tan"), ("black", "brown", "chestnut"),
        ("bull", "calf", "cattle")),
    "elephant": _program(Beast((0.66, 0.56), (0.6, 0.2), (0.3, 25, 0.36), (0.42, 0.4), 0.5, (0.2, 0.1), (0.6, 0.04,
        1.0), "trunk", snout="grey/leather"), ("grey", "grey", "darkgrey"), ("grey",)),
    "bear": _program(Beast((0.56, 0.5), (0.4, 0.17), (0.3, 20, 0.32), (0.36, 0.28), 0.5, (0.1, 0.09), (0.1, 0.08,
        0.5)), ("brown", "chocolate", "black", "white", "chestnut"), ("tan",), ("polar_bear", "grizzly")),
    "giraffe": _program(Beast((0.4, 0.32), (1.05, 0.085), (1.5, 68, 0.17), (0.32, 0.15), 0.6, (0.13, 0.06), (0.6,
        0.035, 1.0), "ossicones", "spots"), ("straw", "tan", "amber"), ("brown", "chestnut")),
}  # fmt: skip
