"""How large an instance becomes in an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from divergen_records import ConfigError
from numpy.typing import NDArray

from .options import Fit
from .statistics import Statistics, checked_statistics

__all__ = ["SizeSampler"]


class SizeSampler:
    """Draws sizes as the papers do: sqrt(area fraction) is normal with the category's mean and deviation.

    Args:
        statistics: Per category, see `divergen_paste.area_statistics`.
        uniform_scale: Range of sqrt(area fraction) for categories without statistics (DiverGen: extra categories).
        min_pixels: sqrt(area) is at least this many pixels, whatever the image's size.
        max_scale: sqrt(area fraction) is at most this.
        max_upscale: A crop is enlarged at most so many times, so that small crops do not turn into blur.
        aspect_jitter: Width / height is multiplied by a factor uniform in 1 ± this.
        fit: What the area is of: the instance's ``"mask"``, which is what the statistics measure, or its ``"box"``, as
            in the published mapper, where instances come out smaller.

    Raises:
        ConfigError: If a number is out of its range.
        DatasetError: If the statistics are malformed.
    """

    def __init__(
        self,
        statistics: Statistics | None = None,
        *,
        uniform_scale: Sequence[float] = (0.05, 0.3),
        min_pixels: float = 10.0,
        max_scale: float = 0.5,
        max_upscale: float = 2.0,
        aspect_jitter: float = 0.2,
        fit: Fit = "mask",
    ) -> None:
        low, high = uniform_scale
        if not 0 < low <= high <= 1 or not 0 < max_scale <= 1 or not 0 <= aspect_jitter < 1 or max_upscale <= 0:
            raise ConfigError(
                f"sizes: need 0 < uniform_scale <= 1 in order, 0 < max_scale <= 1, 0 <= aspect_jitter < 1 and "
                f"max_upscale > 0, found {uniform_scale}, {max_scale}, {aspect_jitter}, {max_upscale}"
            )
        self.statistics = checked_statistics(statistics or {})
        self.low, self.high = low, high
        self.min_pixels, self.max_scale, self.max_upscale = min_pixels, max_scale, max_upscale
        self.aspect_jitter = aspect_jitter
        self._by_box = fit == "box"

    def __repr__(self) -> str:
        return f"SizeSampler({vars(self)})"

    def scales(
        self, rng: np.random.Generator, category_ids: Sequence[int], canvas: tuple[int, int]
    ) -> NDArray[np.float64]:
        """sqrt(area fraction) for instances of these categories, (N,) float64; ``canvas`` is (height, width)."""
        normal, uniform = rng.standard_normal(len(category_ids)), rng.random(len(category_ids))
        scales = self.low + uniform * (self.high - self.low)
        for i, category_id in enumerate(category_ids):
            if category_id in self.statistics:
                mean, deviation = self.statistics[category_id]
                scales[i] = mean + normal[i] * deviation
        smallest = min(self.min_pixels / math.sqrt(canvas[0] * canvas[1]), self.max_scale)
        return np.clip(scales, smallest, self.max_scale)

    def aspects(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Factors on width / height, (n,) float64."""
        return 1.0 + self.aspect_jitter * (2.0 * rng.random(n) - 1.0)

    def size(
        self, scale: float, aspect: float, crop: tuple[int, int], area: int, canvas: tuple[int, int]
    ) -> tuple[int, int]:
        """Size of a pasted crop, (height, width) in pixels, inside the canvas in both directions.

        Args:
            scale: sqrt(area fraction).
            aspect: Factor on width / height.
            crop: (height, width) of the stored crop.
            area: Mask pixels of the stored crop.
            canvas: (height, width) of the image.
        """
        height, width = crop
        fill = 1.0 if self._by_box else area / (height * width)
        box = scale * scale * canvas[0] * canvas[1] / fill
        ratio = width / height * aspect
        wide, high = math.sqrt(box * ratio), math.sqrt(box / ratio)
        shrink = min(
            1.0, canvas[0] / high, canvas[1] / wide, self.max_upscale * math.sqrt(height * width / (wide * high))
        )
        return (
            min(max(round(high * shrink), 1), canvas[0]),
            min(max(round(wide * shrink), 1), canvas[1]),
        )
