"""How good a mask is: by itself, and against the truth where that is known."""

from __future__ import annotations

import cv2
import numpy as np

from .annotator import Mask
from .cleanup import label_regions

__all__ = ["border_contact", "boundary_f", "count_components", "iou", "solidity", "thin_share"]


def count_components(mask: Mask, *, share: float = 0.05) -> int:
    """Number of 8-connected components that have at least ``share`` of the largest one's area.

    Specks are no second object; what remains above 1 is.
    """
    _, areas = label_regions(mask[_around(mask)])
    return int((areas[1:] >= share * areas[1:].max()).sum()) if areas.size > 1 else 0


def border_contact(mask: Mask) -> float:
    """Share of the picture's border pixels that the mask (H, W) touches, 0 to 1."""
    ring = np.ones(mask.shape, dtype=bool)
    ring[1:-1, 1:-1] = False
    return float(mask[ring].mean())


def solidity(mask: Mask) -> float:
    """Area / area of the convex hull, 0 to 1: 1 for convex objects, small for scattered ones; 0 for an empty mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return 0.0
    left, right = mask.argmax(axis=1)[rows], mask.shape[1] - mask[:, ::-1].argmax(axis=1)[rows]
    corners = np.concatenate(  # of the pixels, not their centres, so that a square has solidity 1
        [np.stack([x, rows + y], axis=1) for x in (left, right) for y in (0, 1)]
    ).astype(np.int32)
    hull = cv2.convexHull(corners)
    return min(1.0, float(np.count_nonzero(mask)) / float(cv2.contourArea(hull)))


def thin_share(mask: Mask, *, width: float = 0.02) -> float:
    """Share of the mask (H, W) in parts thinner than ``width`` of the picture's longer side: spokes, stems, whiskers.

    Such parts are what an opening by a disk of that diameter takes away; corners that it rounds off do not count.
    """
    if not mask.any():
        return 0.0
    radius = max(1, round(width * max(mask.shape) / 2))
    mask = mask[_around(mask)]
    pixels = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    core = (cv2.distanceTransform(pixels, cv2.DIST_L2, 5) > radius).astype(np.uint8)
    if not core.any():
        return 1.0
    reach = cv2.distanceTransform(1 - core, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return float((mask & (reach > 1.5 * radius + 1)).sum() / mask.sum())


def _around(mask: Mask) -> tuple[slice, slice]:
    """The mask's box with a pixel around it, as far as the picture goes; all of it where the mask is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(None), slice(None)
    return slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, columns[0] - 1), columns[-1] + 2)


def iou(mask: Mask, truth: Mask) -> float:
    """Intersection over union of two masks (H, W); 1 where both are empty."""
    union = np.count_nonzero(mask | truth)
    return float(np.count_nonzero(mask & truth) / union) if union else 1.0


def boundary_f(mask: Mask, truth: Mask, *, tolerance: float = 0.0075) -> float:
    """F measure of the outlines (Martin et al. 2004; DAVIS): a pixel is right within ``tolerance`` of the diagonal.

    Args:
        mask: (H, W) bool.
        truth: (H, W) bool.
        tolerance: Share of the picture's diagonal, at least one pixel.
    """
    ours, theirs = _outline(mask), _outline(truth)
    if not ours.any() and not theirs.any():
        return 1.0
    if not ours.any() or not theirs.any():
        return 0.0
    radius = max(1, round(tolerance * float(np.hypot(*mask.shape))))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    precision = (ours & (cv2.dilate(theirs.astype(np.uint8), disk) > 0)).sum() / ours.sum()
    recall = (theirs & (cv2.dilate(ours.astype(np.uint8), disk) > 0)).sum() / theirs.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _outline(mask: Mask) -> Mask:
    return np.asarray(mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) == 0))
