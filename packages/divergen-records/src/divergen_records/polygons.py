"""Polygons of COCO files: checked against their picture, and traced from a mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import MaskError

__all__ = ["check_polygons", "clip_polygons", "drop_strays", "mask_to_polygons"]

TOLERANCE = 2.0
"""Pixels by which a polygon may leave its picture: annotation tools round, and some count from 1."""

MAX_OUTLINE = 2_000_000
"""Pixels: COCO's tools walk an outline in steps of a fifth of a pixel and keep each, 16 bytes and more."""

Point = tuple[int, int]


def check_polygons(
    polygons: Sequence[Sequence[float]] | None, height: int, width: int
) -> tuple[float, float, float, float]:
    """The polygons' common box, XYXY, pixels.

    Raises:
        MaskError: If one is malformed, or leaves the picture (height, width) by more than `TOLERANCE`.
    """
    if polygons is None or not len(polygons):
        raise MaskError("the segmentation is empty: neither polygons nor an RLE, a box alone")
    boxes = [_check_polygon(polygon) for polygon in polygons]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    if left < -TOLERANCE or top < -TOLERANCE or right > width + TOLERANCE or bottom > height + TOLERANCE:
        raise MaskError(
            f"a polygon lies outside the picture: it spans x {left:g} to {right:g} and y {top:g} to {bottom:g}, "
            f"the picture is {width} wide and {height} high"
        )
    return left, top, right, bottom


def _check_polygon(polygon: Sequence[float]) -> tuple[float, float, float, float]:
    if isinstance(polygon, str | bytes) or not isinstance(polygon, Sequence | np.ndarray):
        raise MaskError(f"a polygon is a list [x0, y0, x1, y1, ...], this one is {polygon!r}")
    count = len(polygon)
    if count % 2:
        raise MaskError(f"a polygon has an odd number of coordinates ({count}): x and y alternate")
    if count < 6:
        raise MaskError(f"a polygon has {count // 2} points, three are the least")
    xs, ys = polygon[0::2], polygon[1::2]
    try:
        box = float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))
        finite = math.isfinite(sum(polygon))
    except (TypeError, ValueError) as error:
        raise MaskError(f"a polygon is a list of numbers: {error}") from error
    if not finite:
        raise MaskError("a polygon has a coordinate that is not a finite number")
    if count * (box[2] - box[0] + box[3] - box[1]) > MAX_OUTLINE:
        _check_outline(xs, ys)
    return box


def _check_outline(xs: Sequence[float], ys: Sequence[float]) -> None:
    with np.errstate(over="ignore"):
        length = np.maximum(np.abs(np.diff(xs, append=xs[0])), np.abs(np.diff(ys, append=ys[0]))).sum()
    if length > MAX_OUTLINE:
        raise MaskError(
            f"a polygon's outline of {len(xs)} points is {length:.3g} pixels long, {MAX_OUTLINE} are the most "
            "that are drawn; it jumps about, or should be a run-length code"
        )


def drop_strays(polygons: Sequence[Sequence[float]]) -> tuple[list[Sequence[float]], int]:
    """Parts of three points and more, and how many of fewer stood beside them; all parts where none has three.

    Tools leave a stray click in an object of several parts; it covers nothing, so nothing is lost with it.
    """
    sound = [part for part in polygons if len(part) >= 6]
    return (sound, len(polygons) - len(sound)) if sound else (list(polygons), 0)


def clip_polygons(
    polygons: Sequence[Sequence[float]], height: int, width: int, mends: list[str] | None
) -> list[Sequence[float]]:
    """Polygons that fit their picture; mended where ``mends`` is a list, which says how.

    Parts that leave the picture are clipped at its border, unsound ones beside sound ones are left out.

    Raises:
        MaskError: If one does not fit and may not, or cannot, be mended.
    """
    if mends is None:
        check_polygons(polygons, height, width)
        return list(polygons)
    kept: list[Sequence[float]] = []
    trouble = MaskError("the object lies outside its picture")
    for polygon in polygons:
        try:
            left, top, right, bottom = _check_polygon(polygon)
        except MaskError as error:
            mends.append(f"left out a part: {error}")
            trouble = error
            continue
        beyond = max(-left, -top, right - width, bottom - height)
        if beyond > TOLERANCE:
            mends.append(f"clipped a polygon at the border, which it left by {beyond:g} px")
            polygon = _clip(polygon, height, width)
        if len(polygon) >= 6:
            kept.append(polygon)
    if not kept:
        raise trouble
    return kept


def _clip(polygon: Sequence[float], height: int, width: int) -> list[float]:
    """The part of a polygon inside the picture (Sutherland and Hodgman); along the border it may have slits."""
    points = np.reshape(np.asarray(polygon, dtype=np.float64), (-1, 2))
    for axis, limit, sign in ((0, 0.0, 1.0), (0, float(width), -1.0), (1, 0.0, 1.0), (1, float(height), -1.0)):
        depth = sign * (points[:, axis] - limit)
        inside = depth >= 0
        clipped = []
        for at in range(len(points)):
            if inside[at - 1] != inside[at]:
                share = depth[at - 1] / (depth[at - 1] - depth[at])
                clipped.append(points[at - 1] + share * (points[at] - points[at - 1]))
            if inside[at]:
                clipped.append(points[at])
        points = np.array(clipped, dtype=np.float64).reshape(-1, 2)
    return [float(value) for value in points.ravel()]


def mask_to_polygons(mask: NDArray[Any]) -> list[list[float]]:
    """Polygons along the pixels' edges, ``[[x0, y0, x1, y1, …], …]``, one for each 4-connected part of the mask (H, W).

    Drawn again by COCO's rule they give exactly this mask. A hole joins its outline through a slit of no width.
    """
    binary = np.ascontiguousarray(np.asarray(mask) != 0).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=4, ltype=cv2.CV_32S)
    polygons = []
    for label, (x, y, w, h) in enumerate(stats[1:, :4].tolist(), start=1):
        loops = _trace(labels[y : y + h, x : x + w] == label)
        outline = next(loop for loop in loops if _signed_area(loop) > 0)
        for hole in loops:
            if hole is not outline:
                outline = _join(outline, hole)
        polygons.append([float(value) for cx, cy in outline for value in (cx + x, cy + y)])
    return polygons


def _trace(mask: NDArray[np.bool_]) -> list[list[Point]]:
    """Closed loops of corners along the pixels' edges, the object on the right: outlines clockwise, holes against."""
    framed = np.pad(mask, 1).astype(np.int8)
    ahead: dict[Point, list[Point]] = {}
    down, right = np.diff(framed, axis=0)[:, 1:-1], np.diff(framed, axis=1)[1:-1]
    for step, (ys, xs) in ((1, np.nonzero(down > 0)), (-1, np.nonzero(down < 0))):
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            start = x + (step < 0)
            ahead.setdefault((start, y), []).append((start + step, y))
    for step, (ys, xs) in ((-1, np.nonzero(right > 0)), (1, np.nonzero(right < 0))):
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            start = y + (step < 0)
            ahead.setdefault((x, start), []).append((x, start + step))
    loops = []
    while ahead:
        loops.append(_follow(ahead))
    return loops


def _follow(ahead: dict[Point, list[Point]]) -> list[Point]:
    """Take one closed loop out of the edges; only its corners are kept."""
    start = point = next(iter(ahead))
    before: Point | None = None
    loop: list[Point] = []
    while True:
        following = _take(ahead, before, point)
        straight = before is not None and (following[0] - point[0]) * (point[1] - before[1]) == (
            following[1] - point[1]
        ) * (point[0] - before[0])
        if not straight:
            loop.append(point)
        before, point = point, following
        if point == start:
            return loop


def _take(ahead: dict[Point, list[Point]], before: Point | None, point: Point) -> Point:
    """The next corner. Where two pixels touch at a corner, turn right, so that no loop crosses itself."""
    choices = ahead[point]
    pick = 0
    if len(choices) == 2 and before is not None:
        dx, dy = point[0] - before[0], point[1] - before[1]
        pick = choices.index((point[0] - dy, point[1] + dx))
    taken = choices.pop(pick)
    if not choices:
        del ahead[point]
    return taken


def _signed_area(loop: list[Point]) -> int:
    """Twice the area; above 0 for clockwise loops in a frame whose y points down."""
    ahead = [*loop[1:], loop[0]]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(loop, ahead, strict=True))


def _join(outline: list[Point], hole: list[Point]) -> list[Point]:
    """The outline with a hole: from its corner nearest to the hole's first, around the hole, and back."""
    corner = int(np.abs(np.array(outline) - hole[0]).sum(axis=1).argmin())
    return [*outline[: corner + 1], *hole, hole[0], *outline[corner:]]
