"""GrabCut seeded from the picture's border: the classical background-prompted segmenter.

Rother, Kolmogorov, Blake, "GrabCut: interactive foreground extraction using iterated graph cuts", SIGGRAPH 2004. Here
nobody draws the box: the border is background, a robust model of it says where the object probably is, and what looks
like background with less light on it starts as shadow, not as object.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from divergen_records.cores import usable_cores
from numpy.typing import NDArray

from .annotator import Image, Mask, Picture, Prediction, Result, as_arrays
from .background import Background, border_ring, edge_strength, enclosed, fit_background, refuse_busy
from .confidence import GRABCUT, measure

__all__ = ["GrabCut"]

_SMALLEST = 8
"""Pixels: a picture with a shorter side than this has no border and inside to tell apart."""


class GrabCut:
    """Masks of single objects on plain backgrounds: flat, gradient or textured, with shadows.

    Args:
        size: The graph cut runs on the object's surroundings scaled to this longest side, pixels; the outline is then
            refined at full resolution.
        iterations: GrabCut iterations.
        border: Width of the border that is taken for background, as a share of the picture's shorter side.
        contrast: How far from the background a pixel must be to start as object, in standard deviations of its noise.
        plain: Pictures with a smaller share of plain border are refused: they are not what this is for; 0 refuses none.
        workers: Threads; the number of CPU cores where None. The masks do not depend on it.
    """

    name = "grabcut"

    def __init__(
        self,
        *,
        size: int = 160,
        iterations: int = 2,
        border: float = 0.03,
        contrast: float = 3.5,
        plain: float = 0.5,
        workers: int | None = None,
    ) -> None:
        self.size, self.iterations, self.border, self.contrast = size, iterations, border, contrast
        self.plain = plain
        self.workers = workers or usable_cores()

    def __call__(self, images: Sequence[Picture]) -> list[Result]:
        """One prediction per picture; a picture without a visible object has an empty mask.

        The score is the IoU to expect; see `divergen_annotate.confidence`.
        """
        arrays = as_arrays(images)
        if self.workers == 1 or len(arrays) < 2:
            return [self._predict(image) for image in arrays]
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(self._predict, arrays))

    def _predict(self, image: Image) -> Result:
        height, width = image.shape[:2]
        nothing = Prediction(np.zeros((height, width), dtype=bool), 0.0)
        if min(height, width) < _SMALLEST:
            return nothing
        ring = border_ring(height, width, self.border)
        background = fit_background(image, ring)
        if (refusal := refuse_busy(image, ring, background, self.plain)) is not None:
            return refusal
        distance = background.distance(image)
        seed = self._seed(image, background, distance)
        inside = enclosed(image, seed, background)
        window = _window(seed | inside, margin=0.15)
        if window is None:
            return nothing
        mask = np.zeros((height, width), dtype=bool)
        flat = background.flatten(image)
        mask[window] = self._cut(flat[window], seed[window], inside[window], distance[window])
        if not mask.any() or mask.all():
            return Prediction(mask, 0.0)
        return Prediction(mask, GRABCUT.expect(measure(image, mask, background, self.border)))

    def _seed(self, image: Image, background: Background, distance: NDArray[np.float32]) -> Mask:
        """Where the object probably is: far from the background, and not a shadow with soft edges."""
        far = distance > self.contrast
        edges = cv2.dilate(edge_strength(image), _SQUARE)
        dark = far & background.shadow(image) & (edges <= _SHADOW_EDGE)
        return np.asarray(far & ~_soft_edged(dark, cv2.dilate(edges, _NEAR) > _OUTLINE))

    def _cut(self, image: Image, seed: Mask, inside: Mask, distance: NDArray[np.float32]) -> Mask:
        height, width = seed.shape
        scale = min(1.0, max(self.size / max(height, width), 16 / min(height, width)))
        shape = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
        trimap = np.full(small.shape[:2], cv2.GC_PR_BGD, dtype=np.uint8)
        trimap[cv2.resize(seed.astype(np.float32), shape, interpolation=cv2.INTER_AREA) >= 0.5] = cv2.GC_PR_FGD
        frame = border_ring(shape[1], shape[0], self.border) & (trimap == cv2.GC_PR_BGD)
        trimap[frame] = cv2.GC_BGD
        trimap[cv2.resize(inside.astype(np.float32), shape, interpolation=cv2.INTER_AREA) >= 0.5] = cv2.GC_FGD
        if len(np.unique(trimap & 1)) == 2:
            cv2.setRNGSeed(1)  # k-means starts from the thread's generator: the same for every picture
            models = np.zeros((2, 1, 65))
            cv2.grabCut(small, trimap, None, models[0], models[1], self.iterations, cv2.GC_INIT_WITH_MASK)
        coarse = cv2.resize((trimap & 1).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(_refine(coarse, distance, scale) | inside)


_FAR = 40.0
"""Deviations from which on the guide no longer tells pixels apart: the texture inside the object."""

_SQUARE, _NEAR = np.ones((3, 3), np.uint8), np.ones((7, 7), np.uint8)

_OUTLINE = 12.0
"""Grey levels per pixel: the outline of an object reaches this somewhere across, the rim of a shadow does not."""

_SOFT = 0.15
"""Share of an outline that may fade out before what it encloses is taken for a shadow."""

_SHADOW_EDGE = 6.0
"""Grey levels per pixel: the outline of an object is sharper than the rim of its shadow."""


def _soft_edged(regions: Mask, sharp: Mask) -> Mask:
    """Those connected regions whose outline is not sharp nearly all around: shadows, not grey sides of an object."""
    _, labels = cv2.connectedComponents(regions.astype(np.uint8), connectivity=4)
    around = cv2.dilate(labels.astype(np.float32), _SQUARE).astype(np.int32)
    outline = (around > 0) & ~regions
    length = np.bincount(around[outline], minlength=labels.max() + 1)
    soft = np.bincount(around[outline & ~sharp], minlength=labels.max() + 1) > _SOFT * length
    soft[0] = False
    return np.asarray(soft[labels])


def _window(seed: Mask, margin: float) -> tuple[slice, slice] | None:
    """The box of the seed's pieces that matter, wider by ``margin`` of its sides on each side; None if it is empty."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(seed.astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    pieces = stats[1:]
    pieces = pieces[pieces[:, cv2.CC_STAT_AREA] >= max(4, 0.01 * pieces[:, cv2.CC_STAT_AREA].max())]
    if not len(pieces):
        return None
    left, top = pieces[:, 0].min(), pieces[:, 1].min()
    right, bottom = (pieces[:, 0] + pieces[:, 2]).max(), (pieces[:, 1] + pieces[:, 3]).max()
    x, y = int(margin * (right - left)) + 4, int(margin * (bottom - top)) + 4
    return slice(max(0, top - y), bottom + y), slice(max(0, left - x), right + x)


def _refine(coarse: NDArray[np.float32], distance: NDArray[np.float32], scale: float) -> Mask:
    """Move the outline of an upscaled mask to the edges of the distance: a guided filter (He et al., ECCV 2010).

    Args:
        coarse: (H, W) float32, 0 to 1.
        distance: (H, W) float32, from the background.
        scale: Coarse pixels per full pixel.
    """
    radius = max(2, round(1.5 / scale))
    guide = np.asarray(np.minimum(distance, np.float32(_FAR)) / np.float32(_FAR), dtype=np.float32)
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = cv2.blur(values, window)
        return result

    mean_guide, mean_mask = mean(guide), mean(coarse)
    slope = (mean(guide * coarse) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + np.float32(1e-3))
    smooth = mean(slope) * guide + mean(mean_mask - slope * mean_guide)
    return np.asarray(smooth > 0.5)
