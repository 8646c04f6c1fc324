"""Repair of masks: pure functions on (H, W) bool masks, and `repair`, which applies them in order."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask
from .holes import Behind, Paper
from .matting import snap_to_edges

__all__ = ["drop_islands", "fill_holes", "label_regions", "repair", "shrink", "smooth"]


def drop_islands(mask: Mask, *, keep_share: float = 0.01, at_most: float = 1.0, paper: Paper | None = None) -> Mask:
    """Without the 8-connected components smaller than ``keep_share`` of the largest; at 1 only the largest stays.

    Args:
        mask: (H, W) bool.
        keep_share: Share of the largest component's area.
        at_most: Share of the mask that may go in all, the smallest islands first: confetti is many small islands too.
        paper: What lies outside. With it only islands go that are bare paper: most others are pieces of thin parts.
    """
    labels, areas = label_regions(mask)
    if areas.size <= 2:
        return mask
    islands = np.flatnonzero(areas < keep_share * areas[1:].max()) if keep_share < 1 else 1 + np.argsort(-areas[1:])[1:]
    islands = islands[islands > 0]
    if paper is not None and keep_share < 1:
        islands = paper.bare(labels, islands)
    drop = _smallest(areas, islands, at_most * areas[1:].sum())
    return np.asarray(mask & ~np.take(drop, labels)) if drop.any() else mask


def fill_holes(mask: Mask, *, below: float = 0.01, at_most: float = 1.0, paper: Paper | None = None) -> Mask:
    """Fill holes that a segmenter left, keep those that the object has (the handle of a mug, a ring).

    Args:
        mask: (H, W) bool.
        below: A hole smaller than this share of the object's area is filled, unless it shows plain background.
        at_most: Share of the object's area that may be filled so, the smallest holes first: a basket has many.
        paper: What lies outside. With it, a larger hole is filled where it does not show what lies behind the object;
            see `Behind`. Without it the larger ones are kept, and so is one above half of the object's area always: no
            segmenter misses so much.
    """
    labels, areas = label_regions(~mask, connectivity=4)
    inside = np.ones(areas.size, dtype=bool)
    inside[0] = False  # the mask itself
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        inside[edge] = False
    if not inside.any():
        return mask
    small = inside & (areas < below * areas[0])
    behind = None if paper is None else Behind(paper, mask, labels, inside)
    fill = _smallest(areas, np.flatnonzero(small if behind is None else small & ~behind.plain), at_most * areas[0])
    if behind is not None:
        for hole in np.flatnonzero(inside & ~small & (areas <= _LARGEST_MISS * areas[0])):
            fill[hole] = not behind.shows_in(int(hole))
    return np.asarray(mask | np.take(fill, labels)) if fill.any() else mask


_LARGEST_MISS = 0.5
"""Share of the object's area that a hole may have to be taken for missing object."""


def _smallest(areas: NDArray[np.int64], which: NDArray[np.intp], budget: float) -> NDArray[np.bool_]:
    """The smallest of some regions, as many as are within a budget of pixels together: a flag for each label."""
    order = which[np.argsort(areas[which], kind="stable")]
    chosen = np.zeros(areas.size, dtype=bool)
    chosen[order[np.cumsum(areas[order]) <= budget]] = True
    return chosen


def label_regions(mask: Mask, *, connectivity: int = 8) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Connected components of a mask (H, W).

    Returns:
        Labels (H, W), 0 where the mask is false, and the areas of all labels, 0 included, pixels.
    """
    count, labels = cv2.connectedComponents(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S
    )
    flat = labels.ravel()
    # Areas by runs of equal labels: OpenCV's own statistics take five times as long.
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    lengths = np.diff(starts, append=flat.size)
    areas = np.bincount(flat[starts], weights=lengths, minlength=count)
    return labels, areas.astype(np.int64)


def smooth(mask: Mask, *, radius: int = 1) -> Mask:
    """Round off the outline by a median filter of (2 radius + 1) pixels; parts thinner than the radius may go."""
    if radius < 1:
        return mask
    return np.asarray(cv2.medianBlur(mask.astype(np.uint8), 2 * radius + 1) > 0)


def shrink(mask: Mask, *, pixels: int = 1) -> Mask:
    """Take the outermost ``pixels`` away: a halo of background along the outline."""
    if pixels < 1:
        return mask
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.erode(mask.astype(np.uint8), disk, borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0)


def repair(
    mask: Mask,
    image: Image | None = None,
    *,
    keep_share: float = 0.01,
    fill_below: float = 0.01,
    at_most: float = 0.003,
    likeness: float = 20.0,
    smooth_radius: int = 0,
    snap_radius: int = 0,
    halo: int = 0,
) -> Mask:
    """Specks away, holes filled, outline smoothed and moved to edges, halo off; specks that come of that go as well.

    The default does no harm: it takes little without evidence, so a true mask comes back nearly as it was. With a
    picture a speck goes only where it shows what lies outside the object: others mostly are pieces of thin parts.

    Args:
        mask: (H, W) bool.
        image: (H, W, 3) uint8 RGB, tells a hole of the object from one of the mask; see `fill_holes`. Without it there
            are no edges to move to.
        keep_share: See `drop_islands`; 1 keeps one component.
        fill_below: See `fill_holes`.
        at_most: Share of the mask that islands dropped, and small holes filled, may have in all; without limit
            for islands where ``keep_share`` is 1.
        likeness: See `fill_holes`, grey levels.
        smooth_radius: See `smooth`, pixels; thin parts suffer.
        snap_radius: See `divergen_annotate.matting.snap_to_edges`, pixels; 0 leaves the outline where it is.
        halo: See `shrink`, pixels.
    """
    window = _box(mask, margin=2 * smooth_radius + 3 * snap_radius + 2)
    if window is None:
        return mask
    before, seen = mask[window], None if image is None else image[window]
    paper = None if seen is None else Paper(seen, before, likeness)
    tidy = partial(drop_islands, keep_share=keep_share, at_most=1.0 if keep_share >= 1 else at_most, paper=paper)
    part = fill_holes(tidy(before), below=fill_below, at_most=at_most, paper=paper)
    filled = part
    part = smooth(part, radius=smooth_radius)
    if snap_radius and seen is not None:
        part = snap_to_edges(part, seen, radius=snap_radius)
    part = shrink(part, pixels=halo)
    if part is not filled:
        part = tidy(part)
    if part is before:
        return mask
    result = np.zeros_like(mask)
    result[window] = part
    return result


def _box(mask: Mask, margin: int) -> tuple[slice, slice] | None:
    """The mask's box with a margin of half its sides and some pixels, as far as the picture goes.

    Nothing outside it needs repair, and what lies around the object there is its local background.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    sides = []
    for line in (rows, columns):
        pad = margin + (line[-1] - line[0]) // 2
        sides.append(slice(max(0, line[0] - pad), line[-1] + 1 + pad))
    return sides[0], sides[1]
