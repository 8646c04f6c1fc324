"""Repair of masks: pure functions on (H, W) bool masks, and `repair`, which applies them in order."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .annotator import Image, Mask
from .matting import snap_to_edges

__all__ = ["drop_islands", "fill_holes", "label_regions", "repair", "shrink", "smooth"]


def drop_islands(mask: Mask, *, keep_share: float = 1.0) -> Mask:
    """Without the 8-connected components smaller than ``keep_share`` of the largest; at 1 only the largest stays."""
    labels, areas = label_regions(mask)
    if areas.size <= 2:
        return mask
    if keep_share >= 1:
        return np.asarray(labels == 1 + areas[1:].argmax())
    keep = areas >= keep_share * areas[1:].max()
    keep[0] = False
    return np.asarray(np.take(keep, labels))


def fill_holes(mask: Mask, *, below: float = 0.01, image: Image | None = None, likeness: float = 20.0) -> Mask:
    """Fill holes that a segmenter left, keep those that the object has (the handle of a mug, a ring).

    Args:
        mask: (H, W) bool.
        below: A hole smaller than this share of the object's area is always filled.
        image: (H, W, 3) uint8 RGB. With it, a larger hole is kept only where it shows background: its median colour
            is within ``likeness`` of that of the pixels around the mask. Without it every larger hole is kept.
        likeness: Grey levels, largest difference over the channels.
    """
    labels, areas = label_regions(~mask, connectivity=4)
    outside = np.zeros(areas.size, dtype=bool)
    outside[0] = True  # the mask itself
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        outside[edge] = True
    holes = np.flatnonzero(~outside)
    if not holes.size:
        return mask
    fill = ~outside & (areas < below * areas[0])
    large = holes[~fill[holes]]
    if image is not None and large.size:
        outside[0] = False
        around = _median(image, np.take(outside, labels)) if outside.any() else None
        for hole in large:
            shows = around is not None and np.abs(_median(image, labels == hole) - around).max() <= likeness
            fill[hole] = not shows
    return np.asarray(mask | np.take(fill, labels)) if fill.any() else mask


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


def _median(image: Image, where: Mask) -> NDArray[np.float64]:
    """The median colour (3,) of some pixels; of every n-th one where they are many."""
    at = np.flatnonzero(where)
    pixels = image.reshape(-1, 3)[at[:: max(1, at.size // 2000)]]
    return np.asarray(np.median(pixels, axis=0))


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
    keep_share: float = 1.0,
    fill_below: float = 0.01,
    smooth_radius: int = 1,
    snap_radius: int = 0,
    halo: int = 0,
) -> Mask:
    """Islands away, holes filled, outline smoothed and moved to edges, halo off; what that cuts loose goes as well.

    Args:
        mask: (H, W) bool.
        image: (H, W, 3) uint8 RGB, tells a hole of the object from one of the mask; see `fill_holes`. Without it there
            are no edges to move to.
        keep_share: See `drop_islands`; None of it where negative.
        fill_below: See `fill_holes`.
        smooth_radius: See `smooth`, pixels.
        snap_radius: See `divergen_annotate.matting.snap_to_edges`, pixels; 0 leaves the outline where it is.
        halo: See `shrink`, pixels.
    """
    mask = drop_islands(mask, keep_share=keep_share)
    window = _box(mask, margin=2 * smooth_radius + 3 * snap_radius + 2)
    if window is None:
        return mask
    part = fill_holes(mask[window], below=fill_below, image=None if image is None else image[window])
    part = smooth(part, radius=smooth_radius)
    if snap_radius and image is not None:
        part = snap_to_edges(part, image[window], radius=snap_radius)
    part = shrink(part, pixels=halo)
    result = np.zeros_like(mask)
    result[window] = drop_islands(part, keep_share=keep_share)
    return result


def _box(mask: Mask, margin: int) -> tuple[slice, slice] | None:
    """The mask's box with a margin, as far as the picture goes; nothing outside it needs repair."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    y, x = (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
    )
    return y, x
