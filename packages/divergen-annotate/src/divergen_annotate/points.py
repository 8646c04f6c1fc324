"""Where to point at the background of a picture of one object."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["PointLayout", "background_points"]

PointLayout = Literal["corners", "margin", "ring", "grid"]


def background_points(
    height: int, width: int, *, layout: PointLayout = "corners", margin: float = 0.02, count: int = 16
) -> NDArray[np.float32]:
    """Points on the border of a picture, where its background shows.

    Args:
        height: Pixels.
        width: Pixels.
        layout: ``"corners"``: the four corner pixels, as in DiverGen. ``"margin"``: the four corners, moved inwards.
            ``"ring"``: ``count`` points at equal distances on a frame inside the border. ``"grid"``: the two outermost
            layers of a regular lattice with ``count // 2`` points a side.
        margin: How far inside the border ``"margin"`` and ``"ring"`` lie, as a share of the shorter side.
        count: Points of ``"ring"``; twice the side of the lattice of ``"grid"``.

    Returns:
        (P, 2) float32, (x, y) in pixels, where (0, 0) is the top left pixel and (width - 1, height - 1) the bottom
        right one. P depends on the layout and the count alone, so pictures of any sizes go into one batch.
    """
    if layout == "grid":
        return _lattice_border(height, width, max(2, count // 2))
    inset = 0.0 if layout == "corners" else round(margin * min(height, width))
    right, bottom = max(inset, width - 1 - inset), max(inset, height - 1 - inset)
    if layout == "ring":
        return _along_frame(inset, inset, right, bottom, count)
    corners = [(inset, inset), (right, inset), (inset, bottom), (right, bottom)]
    return np.array(corners, dtype=np.float32)


def _along_frame(left: float, top: float, right: float, bottom: float, count: int) -> NDArray[np.float32]:
    """``count`` points clockwise from the top left corner, equally far apart along the frame."""
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], dtype=np.float64)
    lengths = np.abs(np.diff(corners, axis=0)).sum(axis=1)
    way = np.concatenate(([0.0], np.cumsum(lengths)))
    at = np.linspace(0.0, way[-1], count, endpoint=False)
    return np.stack([np.interp(at, way, corners[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def _lattice_border(height: int, width: int, side: int) -> NDArray[np.float32]:
    """The two outermost layers of a lattice of cell centres, ``side`` by ``side``."""
    row, column = np.mgrid[:side, :side]
    layer = np.minimum(np.minimum(row, column), np.minimum(side - 1 - row, side - 1 - column))
    chosen = layer < 2
    x = (column[chosen] + 0.5) * width / side - 0.5
    y = (row[chosen] + 0.5) * height / side - 0.5
    inside = np.stack([x.clip(0, width - 1), y.clip(0, height - 1)], axis=1)  # cells smaller than a pixel
    return inside.astype(np.float32)
