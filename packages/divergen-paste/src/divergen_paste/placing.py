"""Where in an image an instance goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .options import Place

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

__all__ = ["PLACES", "centre_in", "read_layouts"]

Sizes = Sequence[tuple[int, int]]
"""(height, width) of each instance, pixels."""
Boxes = Sequence[tuple[int, int, int, int]]
"""XYXY, pixels."""
Places = list[tuple[int, int]]
"""Left and top edge of each instance; may lie outside the image."""

CANDIDATES = 8
"""Places that `avoid` and `invite` compare."""


def _uniform(rng: np.random.Generator, sizes: Sizes, canvas: tuple[int, int], boxes: Boxes) -> Places:
    centres = rng.random((len(sizes), 2)).tolist()
    return [
        (round(x * canvas[1] - width / 2), round(y * canvas[0] - height / 2))
        for (y, x), (height, width) in zip(centres, sizes, strict=True)
    ]


def _compared(rng: np.random.Generator, sizes: Sizes, canvas: tuple[int, int], boxes: Boxes, sign: float) -> Places:
    """Of some uniform places, those that cover least (sign 1) or most (sign -1) of what is there by then."""
    there = [*boxes]
    places = []
    for height, width in sizes:
        candidates = _uniform(rng, [(height, width)] * CANDIDATES, canvas, ())
        covered = _covered(np.array(candidates), (height, width), np.array(there).reshape(-1, 4))
        x, y = candidates[int(np.argmin(sign * covered))]
        places.append((x, y))
        there.append((x, y, x + width, y + height))
    return places


def _covered(places: NDArray[np.int64], size: tuple[int, int], boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels of the boxes (M, 4), summed over them, that an instance would cover at each of the places (K, 2), (K,)."""
    low = np.maximum(places[:, None], boxes[:, :2])
    high = np.minimum(places[:, None] + size[::-1], boxes[:, 2:])
    return np.asarray((high - low).clip(0).prod(axis=-1).sum(axis=-1))


PLACES: dict[Place, Callable[[np.random.Generator, Sizes, tuple[int, int], Boxes], Places]] = {
    "uniform": _uniform,
    "avoid": partial(_compared, sign=1.0),
    "invite": partial(_compared, sign=-1.0),
}
"""Where instances go, given their sizes, the canvas (height, width), and the boxes that are there. Centres are uniform
over the canvas (the papers); `avoid` and `invite` take the one of 8 such places that covers least and most of the
boxes."""


def read_layouts(dataset: Dataset) -> list[NDArray[np.float64]]:
    """The boxes of each image that has any, crowds left out: (N, 4) float64, XYXY, in parts of the image's sides."""
    layouts = []
    for info in dataset.images:
        boxes = [item.bbox for item in dataset.annotations_of(info.id) if not item.iscrowd and min(item.bbox[2:]) > 0]
        if boxes:
            corners = np.array(boxes)
            corners[:, 2:] += corners[:, :2]
            layouts.append(corners / (info.width, info.height, info.width, info.height))
    return layouts


def centre_in(layout: NDArray[np.float64], sizes: Sizes, canvas: tuple[int, int]) -> Places:
    """Left and top edges that centre instances in the boxes of a layout."""
    centres = ((layout[:, :2] + layout[:, 2:]) / 2 * canvas[::-1]).tolist()
    return [
        (round(x - width / 2), round(y - height / 2)) for (x, y), (height, width) in zip(centres, sizes, strict=True)
    ]
