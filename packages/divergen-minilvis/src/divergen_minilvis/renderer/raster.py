"""From surfaces to pixels: dice every grid finer than a pixel, splat the points, keep the nearest.

This is the idea of REYES (Cook, Carpenter and Catmull, 1987) with whole arrays instead of buckets. The cells of all
grids are grouped by their size on the screen, and a group is diced at once. Only position is diced; normals, surface
coordinates and object positions are interpolated for the points that won their pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .solids import FloatArray, Surface

__all__ = ["Fragments", "View", "rasterise"]

STEP = 0.72
"""Distance of diced points in pixels; below sqrt(1/2) no pixel inside could be missed, a little above few are."""
COUNTS = np.unique(np.round(1.19 ** np.arange(38)).astype(int))
"""Numbers of points along one side of a cell; few, so that groups are large."""
DEPTH_STEPS = 2048
"""Depth is compared in this fraction of a pixel."""
EDGE = -0.3
"""Vertices further outside than this do not count for the extent of what is cut away."""
AWAY = -0.06
"""Cells of solids whose normals all point further away from the viewer than this are hidden."""


@dataclass(frozen=True, slots=True)
class View:
    """How the object is seen: a rotation (3, 3), a weak perspective, a mirror, a stretch of the object's axes."""

    matrix: FloatArray
    perspective: float = 0.12
    mirrored: bool = False
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Fragments:
    """The visible points, one per covered pixel, in the order of `pixel`.

    Attributes:
        size: Canvas (height, width).
        pixel: (N,) int64 flat pixel indices, increasing.
        part: (N,) int64 which surface.
        normal: (N, 3) float32 unit, view frame, toward the viewer.
        place: (N, 3) float32 object frame, the object's largest extent scaled to 2.
        uv: (N, 2) float32 surface coordinates on the same scale.
        depth: (N,) float32 toward the viewer, in pixels.
    """

    size: tuple[int, int]
    pixel: NDArray[np.int64]
    part: NDArray[np.int64]
    normal: FloatArray
    place: FloatArray
    uv: FloatArray
    depth: FloatArray


def rasterise(surfaces: Sequence[Surface], view: View, extent: float) -> Fragments:
    """Render surfaces so that the longer side of the picture of the object is `extent` pixels.

    Args:
        surfaces: The parts.
        view: The camera.
        extent: Pixels from the object's one end to the other; the canvas is that plus a margin of 2.

    Returns:
        The visible fragments on a canvas that fits tightly.
    """
    stretch = np.asarray(view.stretch, np.float32)
    matrix = view.matrix * stretch
    if view.mirrored:
        matrix = matrix * np.array([[-1], [1], [1]], np.float32)
    seen = [surface.points @ matrix.T for surface in surfaces]
    radius = max(float(np.abs(points).max()) for points in seen) + 1e-6
    seen = [_project(points, view.perspective / radius) for points in seen]
    visible = [p if s.inside is None else p[s.inside > EDGE] for p, s in zip(seen, surfaces, strict=True)]
    flat = np.concatenate([points[..., :2].reshape(-1, 2) for points in visible])
    low, high = flat.min(0), flat.max(0)
    scale = extent / float((high - low).max())
    width, height = (np.ceil((high - low) * scale).astype(int) + 4).tolist()
    origin = np.array([2 - low[0] * scale, 2 + high[1] * scale, 0], np.float32)
    factors = np.array([scale, -scale, scale], np.float32)
    screen = [points * factors + origin for points in seen]
    unit = 2 / float(max(np.ptp(np.concatenate([s.points.reshape(-1, 3) for s in surfaces]), 0)))
    return _splat(surfaces, screen, (height, width), unit)


def _project(points: FloatArray, perspective: float) -> FloatArray:
    """Scale x and y by nearness."""
    out = points.astype(np.float32)
    out[..., :2] /= 1 - perspective * points[..., 2:]
    return out


@dataclass(frozen=True, slots=True)
class _Mesh:
    """All grids as one list of vertices and one of cells.

    Attributes:
        screen: (V, 3) float32 x right, y down, depth; pixels.
        attributes: (V, 8) float32 normal, place, uv.
        cells: (C,) int64 the first vertex of each cell that may be seen.
        stride: (C,) int64 vertices to the next row.
        part: (C,) int64 which surface.
        inside: (V,) float32; negative where cut away.
        cut: (C,) bool: a cell across the border of what is cut away.
    """

    screen: FloatArray
    attributes: FloatArray
    cells: NDArray[np.int64]
    stride: NDArray[np.int64]
    part: NDArray[np.int64]
    inside: FloatArray
    cut: NDArray[np.bool_]

    def corners(self, cells: NDArray[np.int64], values: FloatArray) -> list[FloatArray]:
        """Return a vertex table's rows at the four corners of cells."""
        first, below = self.cells[cells], self.cells[cells] + self.stride[cells]
        return [values.take(index, 0) for index in (first, first + 1, below, below + 1)]


def _splat(surfaces: Sequence[Surface], screen: list[FloatArray], size: tuple[int, int], unit: float) -> Fragments:
    mesh = _mesh(surfaces, screen, unit)
    groups = _groups(mesh)
    points = _dice(mesh, groups)
    pixel = points[1].astype(np.int64)
    pixel *= size[1]
    pixel += points[0].astype(np.int64)
    if mesh.cut.any():  # a cell across the border reaches past what is seen, and so past the canvas
        x, y, _, inside = points
        pixel[(inside < 0) | (x < 0) | (x >= size[1]) | (y < 0) | (y >= size[0])] = size[0] * size[1]
    key = (points[2] * DEPTH_STEPS).astype(np.int64)
    key <<= 32
    key += np.arange(len(key))
    empty = np.iinfo(np.int64).min
    nearest = np.full(size[0] * size[1] + 1, empty, np.int64)
    np.maximum.at(nearest, pixel, key)
    covered = np.flatnonzero(nearest[:-1] != empty)
    cell, u, v = _locate(groups, nearest[covered] & 0xFFFFFFFF)
    attributes = _bilinear(mesh.corners(cell, mesh.attributes), u[:, None], v[:, None])
    normal = np.ascontiguousarray(attributes[:, :3])
    normal *= np.where(normal[:, 2:] < 0, np.float32(-1), np.float32(1))
    normal /= np.sqrt(np.einsum("ij,ij->i", normal, normal))[:, None] + 1e-6
    place, uv = np.ascontiguousarray(attributes[:, 3:6]), np.ascontiguousarray(attributes[:, 6:])
    depth = (nearest[covered] >> 32).astype(np.float32) / np.float32(DEPTH_STEPS)
    return Fragments(size, covered, mesh.part[cell], normal, place, uv, depth)


def _mesh(surfaces: Sequence[Surface], screen: list[FloatArray], unit: float) -> _Mesh:
    normals = _normals(surfaces, screen)
    inside = [np.ones(s.points.shape[:2], np.float32) if s.inside is None else s.inside for s in surfaces]
    cells, strides, parts = [], [], []
    start = 0
    for number, (surface, normal) in enumerate(zip(surfaces, normals, strict=True)):
        rows, cols = surface.points.shape[:2]
        seen = np.ones((rows - 1, cols - 1), bool)
        if surface.closed:
            seen = _any_corner(normal[..., 2] > AWAY)
        if surface.inside is not None:
            seen &= _any_corner(surface.inside > 0)
        i, j = np.nonzero(seen)
        cells.append(start + i * cols + j)
        strides.append(np.full(len(i), cols))
        parts.append(np.full(len(i), number))
        start += rows * cols
    flat = {"screen": screen, "normal": normals, "place": [s.points for s in surfaces], "uv": [s.uv for s in surfaces]}
    table = {name: np.concatenate([g.reshape(-1, g.shape[2]) for g in grids]) for name, grids in flat.items()}
    attributes = np.concatenate([table["normal"], table["place"] * unit, table["uv"] * unit], 1).astype(np.float32)
    first, stride = np.concatenate(cells), np.concatenate(strides)
    border = np.concatenate([grid.ravel() for grid in inside])
    cut = np.minimum.reduce([border[first + k] for k in (0, 1, stride, stride + 1)]) < 0
    return _Mesh(table["screen"], attributes, first, stride, np.concatenate(parts), border, cut)


def _any_corner(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for each cell (n-1, m-1) whether it is true at any corner of a grid (n, m)."""
    rows = truth[1:] | truth[:-1]
    return rows[:, 1:] | rows[:, :-1]


def _normals(surfaces: Sequence[Surface], screen: list[FloatArray]) -> list[FloatArray]:
    """Return unit normals of the grids on the screen, y up again; outward for solids. Equal shapes go together."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, points in enumerate(screen):
        shapes.setdefault(points.shape, []).append(number)
    normals: list[FloatArray] = [np.empty(0, np.float32)] * len(screen)
    for numbers in shapes.values():
        points = np.stack([screen[k] for k in numbers])
        normal = _cross(_slope(points, 2), _slope(points, 1))
        outward = points - points.mean((1, 2), keepdims=True)
        inverted = np.einsum("kijc,kijc->k", normal, outward) < 0
        solid = np.array([surfaces[k].closed for k in numbers])
        normal[inverted & solid] *= -1
        normal[..., 1] *= -1
        for k, number in enumerate(numbers):
            normals[number] = normal[k]
    return normals


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the normalised cross product of vectors along the last axis."""
    ax, ay, az, bx, by, bz = (v[..., k] for v in (a, b) for k in range(3))
    out = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -1)
    out /= np.sqrt(np.einsum("...i,...i->...", out, out))[..., None] + 1e-9
    return out


def _slope(points: FloatArray, axis: int) -> FloatArray:
    """Return central differences of grids (k, n, m, 3) along an axis: one-sided at ends, around where they meet."""
    grid = np.moveaxis(points, axis, 0)
    forward = np.diff(grid, axis=0)
    out = np.concatenate([forward[:1], forward]) + np.concatenate([forward, forward[-1:]])
    meets = np.abs(grid[0] - grid[-1]).max((-1, -2)) < 1e-2
    if meets.any():
        around = forward[0] + forward[-1]
        out[0, meets] = out[-1, meets] = around[meets]
    return np.moveaxis(out, 0, axis)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Cells that are diced alike, group after group.

    Attributes:
        cells: (C,) int64 the mesh's cells in the order of the groups.
        count: (G,) int64 cells in each group.
        rows: (G,) int64 rows of points in each of their cells.
        cols: (G,) int64 columns of points.
    """

    cells: NDArray[np.int64]
    count: NDArray[np.int64]
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]

    @property
    def samples(self) -> NDArray[np.int64]:
        """The number of points (G,) in each group."""
        return self.count * self.rows * self.cols


def _groups(mesh: _Mesh) -> _Groups:
    """Group the cells by how many rows and columns of points they need."""
    a, b, c, d = mesh.corners(np.arange(len(mesh.cells)), mesh.screen[:, :2])
    down = np.maximum(np.square(c - a).sum(1), np.square(d - b).sum(1))
    across = np.maximum(np.square(b - a).sum(1), np.square(d - c).sum(1))
    level = [np.searchsorted(COUNTS, np.minimum(np.sqrt(e) / STEP, COUNTS[-1])) for e in (down, across)]
    code = level[0] * len(COUNTS) + level[1]
    order = np.argsort(code, kind="stable")
    kinds, count = np.unique(code, return_counts=True)
    return _Groups(order, count, COUNTS[kinds // len(COUNTS)], COUNTS[kinds % len(COUNTS)])


def _bilinear(corners: Sequence[FloatArray], u: FloatArray, v: FloatArray) -> FloatArray:
    """Interpolate between four corners a, b, c, d: `u` from a, b down to c, d; `v` from a, c across to b, d."""
    a, b, c, d = corners
    top = a + (b - a) * v
    return np.asarray(top + (c + (d - c) * v - top) * u, np.float32)


@lru_cache(maxsize=1024)
def _weights(rows: int, cols: int) -> FloatArray:
    """Return the bilinear weights (4, rows * cols) of evenly spaced points in a cell."""
    u, v = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(cols) + 0.5) / cols, indexing="ij")
    return np.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v]).reshape(4, -1).astype(np.float32)


def _dice(mesh: _Mesh, groups: _Groups) -> FloatArray:
    """Return x, y, depth and, where something is cut away, what is inside (3 or 4, S), cell by cell."""
    values = mesh.screen if not mesh.cut.any() else np.concatenate([mesh.screen, mesh.inside[:, None]], 1)
    corners = np.stack(mesh.corners(groups.cells, values), -1)
    points = np.empty((values.shape[1], int(groups.samples.sum())), np.float32)
    first = offset = 0
    for count, rows, cols in zip(groups.count.tolist(), groups.rows.tolist(), groups.cols.tolist(), strict=True):
        chosen = corners[first : first + count].reshape(-1, 4) @ _weights(rows, cols)
        size = count * rows * cols
        points[:, offset : offset + size].reshape(-1, count, rows * cols)[:] = chosen.reshape(
            count, -1, rows * cols
        ).transpose(1, 0, 2)
        first, offset = first + count, offset + size
    return points


def _locate(groups: _Groups, sample: NDArray[np.int64]) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Return the cell of each diced point and where in it the point lies."""
    ends = np.cumsum(groups.samples)
    group = np.searchsorted(ends, sample, "right")
    rows, cols = groups.rows[group], groups.cols[group]
    cell, place = np.divmod(sample - (ends - groups.samples)[group], rows * cols)
    row, col = np.divmod(place, cols)
    first = (np.cumsum(groups.count) - groups.count)[group]
    u, v = (row + 0.5) / rows, (col + 0.5) / cols
    return groups.cells[first + cell], u.astype(np.float32), v.astype(np.float32)
