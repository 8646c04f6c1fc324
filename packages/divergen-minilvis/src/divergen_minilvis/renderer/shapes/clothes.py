"""Clothes and what is worn."""

from __future__ import annotations

import numpy as np

from .. import solids
from ..builder import Builder, ShapeProgram

__all__ = ["PROGRAMS"]


def umbrella(b: Builder) -> None:
    ribs, tall = b.pick(6, 8, 8), b.u(0.42, 0.62)
    if b.chance(0.2):
        b.curve([(0.02, -0.95), (0.12, -0.9), (0.17, -0.6), (0.12, 0.2), (0.03, 0.85), (0, 0.86)], count=20)
        b.tube([(0, 0.8, 0), (0, 1.05, 0)], 0.025, "silver/metal", sides=7)
        b.revolve([(0.13, -0.45), (0.175, -0.43), (0.17, -0.36), (0.13, -0.34)], "accent/fabric")
    else:
        t = np.linspace(0.02, 1, 10)
        for k in range(ribs):
            rows = []
            for s in np.linspace(0, 1, 6):
                a = 2 * np.pi * (k + s) / ribs
                dip = 1 - 0.1 * np.sin(np.pi * s) * t
                rows.append(
                    np.stack(
                        [
                            1.1 * t * dip * np.cos(a),
                            tall * np.cos(t * np.pi / 2) ** 0.9 + 0.03 * np.sin(np.pi * s) * t,
                            1.1 * t * dip * np.sin(a),
                        ],
                        -1,
                    )
                )
            b.sheet(rows, "main" if k % 2 or ribs == 6 else b.pick("main", "accent/fabric"))
        b.tube([(0, tall, 0), (0, tall + 0.14, 0)], 0.02, "silver/metal", sides=7)
        b.tube([(0, tall, 0), (0, -1.0, 0)], 0.025, "silver/metal", sides=8)
    b.tube(
        [(0, -0.9, 0), (0, -1.2, 0), (0.1, -1.33, 0), (0.22, -1.28, 0), (0.25, -1.15, 0)], 0.045, "wood/wooden", bend=14
    )


def tie(b: Builder) -> None:
    w = b.u(0.17, 0.26)
    blade = [(-0.09, 0.85), (0.09, 0.85), (w, -0.85), (0, -1.15), (-w, -0.85), (-0.09, 0.85)]
    b.pillow(blade, 0.06, rim=0.06, bend=0.3)
    knot = [(-0.17, 1.12), (0.17, 1.12), (0.09, 0.82), (-0.09, 0.82), (-0.17, 1.12)]
    b.pillow(knot, 0.2, "main", (0, 0, 0.05), rim=0.12)
    if b.chance(0.6):
        a = np.radians(np.linspace(-70, 250, 30))
        b.tube(
            np.stack([0.34 * np.cos(a), 1.38 + 0.3 * np.sin(a), -0.15 - 0.15 * np.sin(a)], -1), 0.07, "main", flat=0.4
        )


def hat(b: Builder) -> None:
    kind, brim = b.pick("fedora", "top", "sun", "cap"), b.u(0.85, 1.15)
    if kind == "cap":
        b.curve([(0.6, 0), (0.62, 0.1), (0.52, 0.38), (0.25, 0.56), (0, 0.6)], count=16)
        b.ball(0.04, "main", (0, 0.61, 0))
        a = np.linspace(-1.1, 1.1, 13)
        b.sheet(
            [
                np.stack(
                    [
                        t * np.sin(a) * 0.64,
                        0.03 - 0.12 * (t - 0.9) - 0.1 * np.sin(a) ** 2,
                        0.62 * np.cos(a) * t + (t - 0.95) * 0.9,
                    ],
                    -1,
                )
                for t in (0.9, 1.2, 1.4)
            ],
            b.pick("main", "accent/fabric"),
        )
        return
    tall = {"fedora": 0.48, "top": 0.95, "sun": 0.42}[kind]
    brim *= {"fedora": 0.95, "top": 0.82, "sun": 1.15}[kind]
    wave = b.u(0.02, 0.12)
    a = np.linspace(0, 2 * np.pi, 33)
    b.sheet(
        [
            np.stack([r * np.cos(a), wave * (r - 0.5) * np.cos(2 * a) * 1.6, 1.12 * r * np.sin(a)], -1)
            for r in np.linspace(0.48, brim, 6)
        ],
        "main",
    )
    crown = [
        (0.52, 0, 0.56),
        (0.5, 0.2, 0.55),
        (0.46 if kind != "top" else 0.52, tall - 0.06, 0.5),
        (0.36 if kind != "top" else 0.5, tall, 0.42),
        (0.02, tall - (0.14 if kind == "fedora" else 0.0), 0.02),
    ]
    rows = solids.smooth([(y, x, z) for x, y, z in crown], 18)
    b.add(solids.loft(solids.circle(29), rows), "main")
    b.add(solids.loft(solids.circle(29), [(0.01, 0.525, 0.565), (0.13, 0.515, 0.56)], closed=False), "accent/fabric")


def sock(b: Builder) -> None:
    tall, w = b.u(0.7, 1.4), b.u(0.24, 0.32)
    path = [(0, tall, 0), (0, tall * 0.5, 0), (0.02, 0.05, 0), (0.12, -0.28, 0), (0.45, -0.42, 0), (0.85, -0.45, 0)]
    b.tube(path, [w, w, w * 0.95, w * 1.05, w * 0.9, w * 0.75], "main", bend=24, flat=0.6, sides=17)
    b.ball((w * 0.85, w * 0.74, w * 0.5), "accent/wool", (0.86, -0.45, 0))
    b.ball((w * 0.7, w * 0.8, w * 0.55), "accent/wool", (0.0, -0.32, 0))
    b.tube([(0, tall + 0.02, 0), (0, tall - 0.16, 0)], w * 1.05, "accent/wool", flat=0.62, sides=17)


def glove(b: Builder) -> None:
    b.pillow(
        solids.smooth(
            [(-0.38, -0.55), (0.38, -0.55), (0.45, 0.2), (0.3, 0.4), (-0.35, 0.4), (-0.45, 0.1)], 36, closed=True
        ),
        0.34,
        rim=0.25,
    )
    for k, length in enumerate((0.5, 0.62, 0.58, 0.42)):
        x, lean = -0.33 + 0.22 * k, (k - 1.5) * b.u(0.05, 0.1)
        b.tube(
            [(x, 0.2, 0), (x + lean * 0.5, 0.4 + length * 0.5, 0), (x + lean, 0.38 + length, 0)],
            [0.13, 0.125, 0.11],
            "main",
            bend=8,
            flat=0.85,
        )
        b.ball((0.11, 0.12, 0.095), "main", (x + lean, 0.38 + length, 0))
    b.tube([(0.3, -0.3, 0), (0.58, 0.0, 0.03), (0.66, 0.32, 0.05)], [0.17, 0.15, 0.11], "main", bend=8, flat=0.85)
    b.ball((0.11, 0.12, 0.095), "main", (0.66, 0.33, 0.05))
    b.pillow(solids.rectangle(0.86, 0.34, 0.08), 0.36, b.pick("main", "accent/wool"), (0, -0.68, 0), rim=0.18)


def shoe(b: Builder) -> None:
    t = np.linspace(0, 1, 15)
    half = np.interp(t, [0, 0.15, 0.45, 0.75, 0.93, 1], [0.22, 0.3, 0.27, 0.36, 0.26, 0.02])
    top = np.interp(t, [0, 0.1, 0.35, 0.5, 0.75, 0.93, 1], [0.62, 0.68, 0.6, 0.5, 0.3, 0.24, 0.08])
    if b.chance(0.3):
        top = top + np.interp(t, [0, 0.35, 0.5], [0.45, 0.45, 0])
    x = -1.0 + 2.1 * t
    a = np.linspace(0, np.pi, 13)[:, None]
    b.sheet(
        np.stack([np.broadcast_to(x, (13, 15)), 0.05 + (top - 0.05) * np.sin(a) ** 0.7, half * np.cos(a)], -1), "main"
    )
    ring = np.concatenate([np.stack([x, half * 1.07], -1), np.stack([x, -half * 1.07], -1)[::-1]])
    b.add(
        solids.loft(
            np.concatenate([ring, ring[:1]]),
            [(-0.1, 0), (-0.1, 0.99), (-0.08, 1.0), (0.06, 1.0), (0.08, 0.97), (0.08, 0)],
        ),
        "accent/rubber",
    )
    y_in = float(np.interp(0.2, t, top))
    b.ball((0.3, 0.05, 0.17), "charcoal/fabric", (-0.62, y_in - 0.02, 0), (0, 0, -6))
    for k in range(4):
        s = 0.42 + 0.09 * k
        y, z = float(np.interp(s, t, top)) - 0.01, 0.16
        b.tube(
            [(-1 + 2.1 * s, y - 0.04, -z), (-1 + 2.1 * s + 0.02, y + 0.02, 0), (-1 + 2.1 * s, y - 0.04, z)],
            0.028,
            "white/fabric",
            bend=7,
            sides=6,
        )


def glasses(b: Builder) -> None:
    rx, ry, dark = b.u(0.4, 0.5), b.u(0.3, 0.44), b.chance(0.4)
    corner = b.pick(0.12, 0.3, 0.44)
    for side in (-1, 1):
        rim = solids.rectangle(2 * rx, 2 * ry, corner) + np.array([side * (rx + 0.12), 0])
        b.add(solids.tube(np.insert(rim, 2, 0, 1), 0.045, capped=False, sides=9), "main")
        b.plate(rim * 1.0, 0.02, "charcoal/glass" if not dark else "black/screen", bevel=0.004)
        x = side * (2 * rx + 0.15)
        b.tube(
            [(x, ry * 0.5, 0), (x + side * 0.03, ry * 0.5, -0.6), (x, ry * 0.35, -1.3), (x, -0.15, -1.6)],
            0.04,
            "main",
            bend=14,
            sides=8,
        )
    b.tube([(-0.13, 0.05, 0), (0, 0.15, 0.04), (0.13, 0.05, 0)], 0.04, "main", bend=7, sides=8)


def watch(b: Builder) -> None:
    r = b.u(0.4, 0.48)
    a = np.linspace(0, 2 * np.pi, 33)
    b.place(turn=(0, 90, 0), at=(0, 0, -0.62))
    band = [np.stack([0.72 * np.cos(a), 0.72 * np.sin(a) * 1.1, 0 * a + z], -1) for z in (-0.2, -0.19, 0, 0.19, 0.2)]
    b.sheet(band, "accent/leather")
    b.place()
    b.revolve(
        [(0, 0), (r, 0), (r * 1.04, 0.06), (r * 1.04, 0.14), (r * 0.9, 0.19), (r * 0.88, 0.16)],
        "main",
        (0, 0, 0.08),
        (90, 0, 0),
    )
    b.revolve(
        [(0, 0.16), (r * 0.88, 0.16)], b.pick("white/paper", "black/paper", "navy/paper"), (0, 0, 0.09), (90, 0, 0)
    )
    for hour in range(12):
        t = np.radians(30 * hour)
        b.ball((0.025, 0.025, 0.01), "gold/metal", (r * 0.72 * np.sin(t), r * 0.72 * np.cos(t), 0.26))
    for length, thick in ((0.5, 0.022), (0.7, 0.014)):
        t = b.u(0, 6.28)
        b.tube([(0, 0, 0.265), (r * length * np.sin(t), r * length * np.cos(t), 0.265)], thick, "gold/metal", sides=5)
    b.ball((0.06, 0.06, 0.06), "main", (r * 1.1, 0, 0.18))


def jersey(b: Builder) -> None:
    w, tall, sleeve, out = b.u(0.55, 0.68), b.u(0.8, 1.0), b.u(0.25, 0.8), b.u(0.15, 0.5)
    cuff = np.array([w + sleeve * 0.85, tall - 0.35 - sleeve * (0.9 - out)])
    right = [
        (0.22, tall),
        (w * 0.95, tall - 0.12),
        (cuff[0] + 0.1, cuff[1] + 0.12),
        (cuff[0] - 0.12, cuff[1] - 0.14),
        (w * 0.95, tall - 0.65),
        (w, -tall),
    ]
    left = [(-x, y) for x, y in reversed(right)]
    neck = [(-0.14, tall - 0.12), (0, tall - 0.18), (0.14, tall - 0.12)]
    b.pillow([*right, *left, *neck], 0.3, rim=0.22)
    loop = solids.smooth(
        [
            (-0.2, tall, 0.1),
            (-0.13, tall - 0.12, 0.14),
            (0, tall - 0.18, 0.15),
            (0.13, tall - 0.12, 0.14),
            (0.2, tall, 0.1),
        ],
        15,
    )
    b.tube(loop, 0.04, "accent/fabric", sides=8)
    if b.chance(0.3):
        for k in range(4):
            b.ball((0.035, 0.035, 0.02), "accent/plastic", (0, tall * (0.5 - 0.4 * k), 0.16))


def crown(b: Builder) -> None:
    tips, tall = b.pick(5, 6, 8), b.u(0.5, 0.8)
    a = np.linspace(0, 2 * np.pi, 8 * tips + 1)
    edge = 0.35 * tall + 0.65 * tall * np.abs((a * tips / (2 * np.pi)) % 1 - 0.5) * 2
    b.sheet(
        [np.stack([(0.8 + 0.1 * y) * np.cos(a), y * edge, (0.8 + 0.1 * y) * np.sin(a)], -1) for y in (0.0, 0.5, 1.0)],
        "main",
    )
    for y in (0.02, 0.18):
        b.add(
            solids.tube(np.stack([0.82 * np.cos(a), 0 * a + y, 0.82 * np.sin(a)], -1), 0.035, capped=False, sides=8),
            "main",
        )
    for k in range(tips):
        t = 2 * np.pi * k / tips
        b.ball(0.07, b.pick("red/glass", "main", "white/ceramic"), (0.9 * np.cos(t), tall + 0.03, 0.9 * np.sin(t)))
        t += np.pi / tips
        b.ball(
            (0.07, 0.07, 0.07),
            b.pick("red/skin", "navy/skin", "emerald/skin"),
            (0.82 * np.cos(t), 0.1, 0.82 * np.sin(t)),
        )


CLOTH = ("red", "navy", "grey", "teal", "mustard", "pink", "green", "purple")

PROGRAMS: dict[str, ShapeProgram] = {
    "umbrella": ShapeProgram(umbrella, ("red", "black", "navy", "yellow", "purple", "teal"), ("white", "yellow",
        "sky"), "fabric", (-180, 180), (-12, 22), (-30, 30), aliases=("parasol",)),
    "tie": ShapeProgram(tie, ("red", "navy", "burgundy", "green", "purple", "charcoal"), ("white", "gold", "sky"),
        "fabric", (-25, 25), (-10, 10), (-25, 25), aliases=("necktie",)),
    "hat": ShapeProgram(hat, ("brown", "black", "tan", "straw", "red", "navy"), ("black", "red", "white"),
        "fabric", (-60, 60), (8, 35), (-12, 12), aliases=("baseball_cap", "sunhat", "cowboy_hat", "fedora",
        "cap_headwear", "top_hat")),
    "sock": ShapeProgram(sock, CLOTH, ("white", "cream", "red", "black"), "wool", (-35, 35), (-10, 15), (-60, 60)),
    "glove": ShapeProgram(glove, (*CLOTH, "brown", "black"), ("black", "white"), "wool", (-35, 35), (-15, 20),
        (-60, 60), aliases=("mitten",)),
    "shoe": ShapeProgram(shoe, ("white", "red", "black", "navy", "brown", "grey"), ("white", "cream", "black"),
        "fabric", (-50, 50), (6, 35), front=-90, aliases=("sneaker", "tennis_shoe", "boot", "running_shoe")),
    "glasses": ShapeProgram(glasses, ("black", "brown", "red", "gold", "navy"), material="plastic", yaw=(-40, 40),
        pitch=(0, 30), roll=(-15, 15), aliases=("spectacles", "sunglasses", "eyeglasses", "goggles")),
    "watch": ShapeProgram(watch, ("silver", "gold", "black"), ("brown", "black", "navy"), "metal", (-35, 35), (-15,
        25), (-40, 40), aliases=("wristwatch",)),
    "jersey": ShapeProgram(jersey, CLOTH, ("white", "black", "yellow"), "fabric", (-25, 25), (-8, 10), (-12, 12),
        aliases=("shirt", "t_shirt", "tee_shirt", "sweater", "polo_shirt")),
    "crown": ShapeProgram(crown, ("gold", "silver"), ("red",), "gold", (-60, 60), (10, 35), aliases=("tiara",)),
}  # fmt: skip
