"""A sample into the square that the detector trains on: flip, large-scale jitter, padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

from ..detectors.protocol import PADDING

__all__ = ["Augmentation", "resize_longest"]


@dataclass(frozen=True)
class Augmentation:
    """Flip and large-scale jitter (Ghiasi et al., Simple Copy-Paste, section 3) into a square.

    Attributes:
        size: Side of the square, pixels.
        flip: Probability of a horizontal flip.
        scale: Range of the longest side relative to ``size``; above 1 a random part is cut out, below 1 the rest of
            the square stays grey.
        min_area: Objects with fewer pixels left are dropped.
        sampling: Scales are uniform on a ``linear`` or a ``log`` axis.
    """

    size: int
    flip: float = 0.5
    scale: tuple[float, float] = (1.0, 1.0)
    min_area: int = 4
    sampling: Literal["linear", "log"] = "log"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The augmented sample; its image is (size, size, 3) uint8.

        Args:
            sample: Any image with its instances.
            rng: Decides; three numbers are drawn in every case.
        """
        flip = rng.random() < self.flip
        scale = self._draw_scale(rng) * self.size / max(sample.image.shape[:2])
        offset = rng.random(2)
        height, width = (max(1, round(side * scale)) for side in sample.image.shape[:2])
        y, x = (int(part * (max(side - self.size, 0) + 1)) for part, side in zip(offset, (height, width), strict=True))
        window = (x, y, min(width, x + self.size), min(height, y + self.size))
        image = cv2.resize(sample.image, (width, height), interpolation=_interpolation(scale))
        canvas = np.full((self.size, self.size, 3), PADDING, np.uint8)
        cropped = image[window[1] : window[3], window[0] : window[2]]
        canvas[: cropped.shape[0], : cropped.shape[1]] = cropped[:, ::-1] if flip else cropped
        # The size is rounded to whole pixels, so the two axes scale a little differently.
        scales = (width / sample.image.shape[1], height / sample.image.shape[0])
        moved = (self._move(instance, scales, (height, width), window, flip) for instance in sample.instances)
        kept = tuple(instance for instance in moved if instance is not None)
        return Sample(canvas, kept, sample.image_id, sample.epoch)

    def _draw_scale(self, rng: np.random.Generator) -> float:
        if self.sampling == "linear":
            return float(rng.uniform(*self.scale))
        return float(np.exp(rng.uniform(*np.log(self.scale))))

    def _move(
        self,
        instance: Instance,
        scales: tuple[float, float],
        size: tuple[int, int],
        window: tuple[int, int, int, int],
        flip: bool,
    ) -> Instance | None:
        mask = _resize_mask(instance, scales, size)[window[1] : window[3], window[0] : window[2]]
        if np.count_nonzero(mask) < self.min_area:
            return None
        return Instance.from_mask(
            mask[:, ::-1] if flip else mask,
            instance.category_id,
            iscrowd=instance.iscrowd,
            annotation_id=instance.annotation_id,
            source=instance.source,
        )


def resize_longest(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize (H, W, 3) uint8 so that its longest side has ``size`` pixels."""
    scale = size / max(image.shape[:2])
    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    resized: NDArray[np.uint8] = cv2.resize(image, (width, height), interpolation=_interpolation(scale))
    return resized


def _resize_mask(instance: Instance, scales: tuple[float, float], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Whole-image mask of the instance in the image resized by (x, y) scales to (height, width)."""
    (height, width), (sx, sy) = size, scales
    x0, y0, x1, y1 = (edge * scale for edge, scale in zip(instance.box, (sx, sy, sx, sy), strict=True))
    left, top = min(int(np.floor(x0)), width - 1), min(int(np.floor(y0)), height - 1)
    right, bottom = min(int(np.ceil(x1)), width), min(int(np.ceil(y1)), height)
    # Pixel centres lie at .5.
    matrix = np.array([[sx, 0, x0 - left + sx / 2 - 0.5], [0, sy, y0 - top + sy / 2 - 0.5]])
    shape = (max(right - left, 1), max(bottom - top, 1))
    soft = cv2.warpAffine(instance.mask.astype(np.float32), matrix, shape, flags=cv2.INTER_LINEAR)
    mask = np.zeros(size, bool)
    target = mask[top : top + shape[1], left : left + shape[0]]
    target[:] = soft[: target.shape[0], : target.shape[1]] >= 0.5
    return mask


def _interpolation(scale: float) -> int:
    return int(cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
