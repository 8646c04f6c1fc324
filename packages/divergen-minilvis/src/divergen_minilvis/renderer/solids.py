"""The vocabulary of parts: lofts, tubes, sheets and pillows, each one rectangular grid of 3-D points.

Frame: right-handed, x to the right, y up, z toward the viewer. Units are free; the renderer fits the whole object to
the picture. Only numpy, except `pillow`, which needs OpenCV's distance transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FloatArray",
    "Surface",
    "circle",
    "extrude",
    "loft",
    "pillow",
    "rectangle",
    "regular",
    "rotation",
    "sheet",
    "smooth",
    "star",
    "tube",
]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Surface:
    """One grid of points on a part's surface.

    Attributes:
        points: (n, m, 3) float32, object frame.
        uv: (n, m, 2) float32, surface coordinates in object units: along rows, along columns.
        inside: (n, m) float32 or None; where its interpolation is negative, the surface is cut away.
        closed: The surface bounds a solid, so that parts facing away are hidden.
    """

    points: FloatArray
    uv: FloatArray
    inside: FloatArray | None = None
    closed: bool = True

    def moved(self, matrix: FloatArray, at: ArrayLike) -> Surface:
        """Return the surface multiplied by `matrix` (3, 3) and then shifted by `at` (3,)."""
        points = self.points @ matrix.T + np.asarray(at, np.float32)
        return Surface(points.astype(np.float32), self.uv, self.inside, self.closed)


def rotation(turn: Sequence[float]) -> FloatArray:
    """Return the (3, 3) matrix which turns about x, then y, then z, by degrees."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)


def smooth(points: ArrayLike | Sequence[object], count: int = 24, *, closed: bool = False) -> FloatArray:
    """Sample the Catmull-Rom spline through `points` (k, d) at `count` places, even in the parameter."""
    given = np.asarray(points, np.float32)
    if closed:
        padded = np.concatenate([given[-1:], given, given[:2]])
        at = np.arange(count) * (len(given) / count)
    else:
        padded = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
        at = np.linspace(0, len(given) - 1, count)
    index = np.minimum(at.astype(int), len(padded) - 4)
    t = (at - index).astype(np.float32)[:, None]
    a, b, c, d = (padded[index + k] for k in range(4))
    out = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(out, np.float32)


@lru_cache(maxsize=256)
def circle(count: int = 25, *, start: float = 0.0, sweep: float = 360.0) -> FloatArray:
    """Return (count, 2) points on the unit circle, the first repeated at the end; angles in degrees; read only."""
    angle = np.radians(np.linspace(start, start + sweep, count))
    points = np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)
    points.flags.writeable = False
    return points


def regular(sides: int, *, start: float = 0.0) -> FloatArray:
    """Return a closed regular polygon of circumradius 1."""
    return circle(sides + 1, start=start)


def star(tips: int, inner: float, *, start: float = 90.0) -> FloatArray:
    """Return a closed star of outer radius 1."""
    return circle(2 * tips + 1, start=start) * np.where(np.arange(2 * tips + 1) % 2, inner, 1.0)[:, None]


def rectangle(width: float, height: float, corner: float = 0.0) -> FloatArray:
    """Return a closed rectangle about the origin whose corners are rounded by `corner`."""
    corner = max(min(corner, 0.499 * width, 0.499 * height), 0.004 * max(width, height))
    arcs = []
    for quarter, (sx, sy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        arc = circle(4, start=90.0 * quarter, sweep=90) * corner
        arcs.append(arc + np.array([sx * (width / 2 - corner), sy * (height / 2 - corner)], np.float32))
    return np.concatenate([*arcs, arcs[0][:1]]).astype(np.float32)


def _lengths(points: FloatArray) -> FloatArray:
    """Return the arc length up to each of the points (n, d)."""
    steps = points[1:] - points[:-1]
    out = np.zeros(len(points), np.float32)
    np.cumsum(np.sqrt(np.einsum("ij,ij->i", steps, steps)), out=out[1:])
    return out


def _grid(along: FloatArray, around: FloatArray) -> FloatArray:
    """Return surface coordinates (n, m, 2) from those of rows (n,) and columns (m,)."""
    uv = np.empty((len(along), len(around), 2), np.float32)
    uv[..., 0], uv[..., 1] = along[:, None], around
    return uv


def loft(
    outline: ArrayLike | Sequence[object], sections: ArrayLike | Sequence[object], *, closed: bool = True
) -> Surface:
    """Stack scaled copies of an outline along y: revolved profiles, boxes, domes, tapered bodies.

    Args:
        outline: (m, 2) the cross-section in x and z.
        sections: (n, 2), (n, 3) or (n, 5): height, scale (or scale in x and in z), shift in x and in z.
        closed: See `Surface`.
    """
    ring, rows = np.asarray(outline, np.float32), np.asarray(sections, np.float32)
    scale = np.repeat(rows[:, 1:2], 2, 1) if rows.shape[1] == 2 else rows[:, 1:3]
    shift = rows[:, 3:5] if rows.shape[1] == 5 else np.zeros((1, 2), np.float32)
    flat = ring[None] * np.maximum(scale, 1e-3)[:, None] + shift[:, None]
    points = np.empty((*flat.shape[:2], 3), np.float32)
    points[..., ::2], points[..., 1] = flat, rows[:, :1]
    reach = np.abs(ring).max()
    along = _lengths(np.stack([rows[:, 0], scale[:, 0] * reach], -1))
    around = _lengths(ring) * scale.max()
    return Surface(points, _grid(along, around), closed=closed)


def extrude(outline: ArrayLike | Sequence[object], depth: float, *, bevel: float = 0.03, front: float = 1.0) -> Surface:
    """Push an outline (m, 2) in x and y, star-shaped about its centroid, through z from -depth/2 to depth/2.

    Args:
        outline: The closed outline.
        depth: The thickness.
        bevel: How much the edges are rounded, in object units.
        front: The scale of the front face against the back: below 1 tapers.
    """
    ring = np.asarray(outline, np.float32)
    middle = (ring.min(0) + ring.max(0)) / 2
    inset = 1 - min(bevel / (np.abs(ring - middle).max() + 1e-6), 0.5)
    half, lip = depth / 2, min(bevel, depth / 2)
    wide, tall = np.ptp(ring, axis=0)
    mx, my = (1.0, 0.0) if wide > 2 * tall else (0.0, 1.0) if tall > 2 * wide else (0.0, 0.0)
    cap = [(mx, my), (0.9 + 0.1 * mx, 0.9 + 0.1 * my), (1.0, 1.0)]
    rows = [(-half, inset * x, inset * y) for x, y in cap] + [(-half + lip, 1, 1), (half - lip, front, front)]
    rows += [(half, front * inset * x, front * inset * y) for x, y in reversed(cap)]
    solid = loft(ring - middle, rows)
    points = solid.points[..., [0, 2, 1]] + np.array([*middle, 0], np.float32)
    uv = points[..., :2] + 0.0
    return Surface(points, uv)


def tube(path: ArrayLike, radius: ArrayLike, *, flat: float = 1.0, sides: int = 13, capped: bool = True) -> Surface:
    """Sweep an ellipse along a path.

    Args:
        path: (k, 3) points.
        radius: One number or (k,) numbers.
        flat: The cross-section's second axis as a part of its first; the first lies in the path's own plane.
        sides: Points around.
        capped: Close the ends.
    """
    line = np.asarray(path, np.float32)
    width = np.broadcast_to(np.asarray(radius, np.float32), (len(line),))
    along = _lengths(line)
    if capped:
        line = np.concatenate([line[:1], line, line[-1:]])
        width = np.concatenate([[1e-3 * width[0]], width, [1e-3 * width[-1]]])
        along = np.concatenate([along[:1], along, along[-1:]])
    tangent = np.empty_like(line)
    tangent[1:-1] = line[2:] - line[:-2]
    tangent[0], tangent[-1] = line[2 if capped else 1] - line[0], line[-1] - line[-3 if capped else -2]
    if np.abs(line[0] - line[-1]).max() < 1e-4:
        tangent[0] = tangent[-1] = line[1] - line[-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    across = _plane_normal(line)
    side = np.cross(across, tangent)
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    other = np.cross(tangent, side)
    ring = circle(sides)
    offset = ring[None, :, :1] * side[:, None] + flat * ring[None, :, 1:] * other[:, None]
    points = line[:, None] + width[:, None, None] * offset
    around = _lengths(ring) * width.max()
    return Surface(points.astype(np.float32), _grid(along, around))


def _plane_normal(line: FloatArray) -> FloatArray:
    """Return the unit normal of the plane that fits a path best; for straight paths, any normal to it near z."""
    steps = np.diff(line, axis=0)
    values, vectors = np.linalg.eigh(steps.T @ steps)
    if values[1] > 1e-5 * values[2]:
        return np.asarray(vectors[:, 0] * (1 if vectors[2, 0] >= 0 else -1), np.float32)
    axis = vectors[:, 2]
    helper = np.array([0, 0, 1.0]) if abs(axis[2]) < 0.9 else np.array([0, 1.0, 0])
    normal = helper - axis * (axis @ helper)
    return np.asarray(normal / np.linalg.norm(normal), np.float32)


def sheet(points: ArrayLike | Sequence[object]) -> Surface:
    """Return a thin open surface through a grid of points (n, m, 3), seen from both sides."""
    grid = np.asarray(points, np.float32)
    return Surface(grid, _grid(_lengths(grid[:, 0]), _lengths(grid[0])), closed=False)


def pillow(
    outline: ArrayLike | Sequence[object],
    depth: float,
    *,
    holes: Sequence[ArrayLike] = (),
    rim: float = 0.15,
    bend: float = 0.0,
    cells: int = 56,
) -> list[Surface]:
    """Inflate any flat outline in x and y: front and back bulge, the rim is sharp or round.

    Args:
        outline: (m, 2) closed outline of any shape.
        depth: The thickness in the middle.
        holes: Outlines cut out.
        rim: The distance from the edge at which the full thickness is reached, in object units.
        bend: Curves the whole along x: how far the ends come forward at unit distance.
        cells: Grid cells along the longer side.
    """
    import cv2

    ring = np.asarray(outline, np.float32)
    low, high = ring.min(0), ring.max(0)
    cell = float((high - low).max()) / cells
    low = low - 2 * cell
    shape = np.ceil((high - low) / cell).astype(int) + 3
    fine = 3
    canvas = np.zeros((shape[1] * fine, shape[0] * fine), np.uint8)
    for polygon, value in [(ring, 255), *((np.asarray(hole, np.float32), 0) for hole in holes)]:
        pixels = ((polygon - low) / cell + 0.5) * fine - 0.5
        cv2.fillPoly(canvas, [np.round(pixels * 16).astype(np.int32)], value, cv2.LINE_AA, 4)
    distance = cv2.distanceTransform((canvas > 127).astype(np.uint8), cv2.DIST_L2, 5)
    coverage = cv2.resize(cv2.GaussianBlur(canvas, (0, 0), 1.2), tuple(shape.tolist()), interpolation=cv2.INTER_AREA)
    reach = cv2.resize(distance, tuple(shape.tolist()), interpolation=cv2.INTER_AREA) * (cell / fine)
    inset = np.clip(1 - reach / rim, 0, 1)
    bulge = depth / 2 * np.sqrt(np.maximum(1 - inset * inset, 0))
    x, y = np.meshgrid(low[0] + np.arange(shape[0]) * cell, low[1] + np.arange(shape[1]) * cell)
    curve = bend * x * x
    inside = coverage.astype(np.float32) / 255 - 0.5
    uv = np.stack([y, x], -1).astype(np.float32)
    faces = []
    for sign in (1, -1):
        points = np.stack([x, y, curve + sign * bulge], -1).astype(np.float32)
        faces.append(Surface(points, uv, inside, closed=False))
    return faces
