"""Repair of masks: pure functions on (H, W) bool masks, and `repair`, which applies them in order."""

from __future__ import annotations

import cv2
import numpy as np

from .annotator import Image, Mask

__all__ = ["drop_islands", "fill_holes", "repair", "shrink", "smooth"]


def drop_islands(mask: Mask, *, keep_share: float = 1.0) -> Mask:
    """Without the 8-connected components smaller than ``keep_share`` of the largest; at 1 only the largest stays."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = areas >= keep_share * areas.max()
    if keep_share >= 1:
        keep = np.arange(count - 1) == areas.argmax()
    result: Mask = np.concatenate(([False], keep))[labels]
    return result


def fill_holes(mask: Mask, *, below: float = 0.01, image: Image | None = None, likeness: float = 20.0) -> Mask:
    """Fill holes that a segmenter left, keep those that the object has (the handle of a mug, a ring).

    Args:
        mask: (H, W) bool.
        below: A hole smaller than this share of the object's area is always filled.
        image: (H, W, 3) uint8 RGB. With it, a larger hole is kept only where it shows background: its median colour
            is within ``likeness`` of that of the pixels around the mask. Without it every larger hole is kept.
        likeness: Grey levels, largest difference over the channels.
    """
    outside = (~mask).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    if count <= 1:
        return mask
    touches = np.zeros(count, dtype=bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touches[edge] = True
    holes = np.flatnonzero(~touches)
    holes = holes[holes > 0]
    if not holes.size:
        return mask
    limit = below * int(mask.sum())
    fill = np.zeros(count, dtype=bool)
    for hole in holes:
        inside = labels == hole
        fill[hole] = stats[hole, cv2.CC_STAT_AREA] < limit or (
            image is not None and not _shows_background(inside, touches[labels] & ~mask, image, likeness)
        )
    return np.asarray(mask | fill[labels])


def _shows_background(hole: Mask, background: Mask, image: Image, likeness: float) -> bool:
    if not background.any():
        return False
    difference = np.median(image[hole], axis=0) - np.median(image[background], axis=0)
    return bool(np.abs(difference).max() <= likeness)


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
    halo: int = 0,
) -> Mask:
    """Islands away, holes filled, outline smoothed, halo off; what that cuts loose goes as well.

    Args:
        mask: (H, W) bool.
        image: (H, W, 3) uint8 RGB, tells a hole of the object from one of the mask; see `fill_holes`.
        keep_share: See `drop_islands`; None of it where negative.
        fill_below: See `fill_holes`.
        smooth_radius: See `smooth`, pixels.
        halo: See `shrink`, pixels.
    """
    mask = drop_islands(mask, keep_share=keep_share)
    mask = fill_holes(mask, below=fill_below, image=image)
    mask = shrink(smooth(mask, radius=smooth_radius), pixels=halo)
    return drop_islands(mask, keep_share=keep_share)
