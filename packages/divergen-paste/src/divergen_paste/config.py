"""The settings of a paste, as a YAML file says them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from divergen_records import Config, backend_union
from pydantic import Field

from .options import Balance, Blend, Count, Fit, Harmonize, Place
from .relight.config import RelightConfig

if TYPE_CHECKING:
    from .paster import Paster
    from .pool import InstancePool
    from .statistics import Statistics
    from .weights import PoolWeights

__all__ = ["PasteConfig", "RelightingConfig"]

RelightingConfig: Any = backend_union("divergen.relighters", RelightConfig)
"""Any relighting's configuration; the type of a pydantic field. Its ``build()`` makes a `divergen_paste.Relight`."""


class PasteConfig(Config):
    """How instances are pasted; the defaults are the papers'.

    Attributes:
        count: How many: ``"uniform"`` 0..n, ``"fixed"`` n, ``"poisson"`` of mean n.
        max_instances: That n.
        balance: Which: all categories alike, all instances alike, all frequency groups alike, or rarer more often.
        category_weights: Category id -> factor on its weight; 0 leaves it out.
        image_categories: Only categories that the image shows, where the pool has one.
        statistics: File of area statistics; by default those that the caller computes from the training set.
        uniform_scale: Range of sqrt(area fraction) for categories without statistics.
        min_pixels: sqrt(area) is at least this many pixels.
        max_scale: sqrt(area fraction) is at most this.
        max_upscale: A crop is enlarged at most so many times.
        aspect_jitter: Width / height changes by up to this share.
        fit: Whether the area is the ``"mask"``'s or the ``"box"``'s.
        place: Where: ``"uniform"``, ``"avoid"`` or ``"invite"`` overlap.
        blend: How: one of hard, feather, gaussian, poisson, laplacian, or several to draw from.
        flip: Probability of a horizontal flip.
        rotation: Turn by up to so many degrees.
        colour_jitter: Brightness, contrast, saturation change by up to this share.
        match_blur: Blur instances that are sharper than the image.
        match_noise: Give instances the image's noise.
        harmonize: Light of the place: ``"colour"`` moves colours towards it, ``"shadow"`` draws one where an instance
            stands, ``"both"``; or ``{kind: relight, model: …}``, a diffusion model that relights them, for baking.
        box_shift: A covered object stays if its box moved by no more than this many pixels …
        min_visible: … or if so many of its pixels remain visible.
        layouts: COCO or LVIS file whose images' boxes say how many instances there are, how large and where.
    """

    kind: Literal["paste"] = "paste"
    count: Count = "uniform"
    max_instances: int = Field(default=20, ge=0)
    balance: Balance = "category"
    category_weights: dict[int, float] = Field(default_factory=dict)
    image_categories: bool = False
    statistics: Path | None = None
    uniform_scale: tuple[float, float] = (0.05, 0.3)
    min_pixels: float = Field(default=10.0, gt=0)
    max_scale: float = Field(default=0.5, gt=0, le=1)
    max_upscale: float = Field(default=2.0, gt=0)
    aspect_jitter: float = Field(default=0.2, ge=0, lt=1)
    fit: Fit = "mask"
    place: Place = "uniform"
    blend: Blend | tuple[Blend, ...] = "feather"
    flip: float = Field(default=0.5, ge=0, le=1)
    rotation: float = Field(default=0.0, ge=0, le=180)
    colour_jitter: float = Field(default=0.0, ge=0, lt=1)
    match_blur: bool = False
    match_noise: bool = False
    harmonize: Harmonize | RelightingConfig = "none"
    box_shift: int = Field(default=10, ge=0)
    min_visible: int = Field(default=300, ge=0)
    layouts: Path | None = None

    def build(
        self,
        pool: InstancePool,
        statistics: Statistics | None = None,
        *,
        weights: PoolWeights | None = None,
        seed: int = 0,
    ) -> Paster:
        """The paster that these settings describe.

        Args:
            pool: Where instances come from.
            statistics: Area statistics of the training set, used where the settings name no file.
            weights: Weights that something else changes while training runs.
            seed: Of the run.

        Raises:
            ConfigError: If settings contradict each other or the pool.
            DatasetError: If the file of statistics or of layouts is malformed.
        """
        from divergen_records.coco import read_dataset

        from .paster import Paster
        from .placing import read_layouts
        from .sampling import InstanceSampler
        from .scale import SizeSampler
        from .statistics import read_statistics

        sizes = SizeSampler(
            statistics if self.statistics is None else read_statistics(self.statistics),
            uniform_scale=self.uniform_scale,
            min_pixels=self.min_pixels,
            max_scale=self.max_scale,
            max_upscale=self.max_upscale,
            aspect_jitter=self.aspect_jitter,
            fit=self.fit,
        )
        sampler = InstanceSampler(
            pool,
            balance=self.balance,
            category_weights=self.category_weights,
            weights=weights,
            image_categories=self.image_categories,
        )
        relighting: Any = None if isinstance(self.harmonize, str) else self.harmonize
        return Paster(
            pool,
            sizes,
            sampler=sampler,
            count=self.count,
            max_instances=self.max_instances,
            place=self.place,
            blend=self.blend,
            flip=self.flip,
            rotation=self.rotation,
            colour_jitter=self.colour_jitter,
            match_blur=self.match_blur,
            match_noise=self.match_noise,
            harmonize="none" if relighting else self.harmonize,
            relight=relighting.build() if relighting else None,
            layouts=() if self.layouts is None else read_layouts(read_dataset(self.layouts)),
            box_shift=self.box_shift,
            min_visible=self.min_visible,
            seed=seed,
        )
