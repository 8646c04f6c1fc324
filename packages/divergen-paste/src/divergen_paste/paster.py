"""Paste instances of a pool into training images (X-Paste, section 3.4; DiverGen, section 3.5)."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from divergen_records import Category, ConfigError, derive_seed, short_hash
from divergen_records.sample import Sample
from numpy.typing import NDArray

from .appearance import jitter_colours, resize_crop, rotate_crop
from .blending import BLENDS
from .composite import Compositor, check_image
from .errors import PoolError
from .light import contact_shadow, match_colours
from .options import Blend, Count, Harmonize, Place
from .placing import PLACES, centre_in
from .pool import Classes, InstancePool, Unmatched
from .quality import Quality, match_quality, measure_quality
from .relight.blending import Relight
from .sampling import COUNTS, InstanceSampler
from .scale import SizeSampler
from .statistics import Statistics

__all__ = ["Paster", "Placement"]

HARMONIZE: dict[Harmonize, tuple[bool, bool]] = {
    "none": (False, False),
    "colour": (True, False),
    "shadow": (False, True),
    "both": (True, True),
}
"""Whether colours are matched, and whether a shadow is drawn."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One instance of the pool and how it is pasted.

    Attributes:
        row: Its row in the pool.
        category_id: Its category.
        size: (height, width) on the image, before it is turned.
        place: Left and top edge on the image, before it is turned; may lie outside.
        flip: Whether it is mirrored.
        angle: Degrees, counter-clockwise.
        colours: Factors of brightness, contrast and saturation.
        blend: One of `divergen_paste.blending.BLENDS`.
        grain: Seed of the noise that it gets.
    """

    row: int
    category_id: int
    size: tuple[int, int]
    place: tuple[int, int]
    flip: bool
    angle: float
    colours: Sequence[float] | None
    blend: Blend
    grain: int = 0


class Paster:
    """Pastes instances into samples; the same (seed, epoch, image id) gives the same result in every worker.

    Args:
        pool: Where instances come from.
        sizes: How large they become; area statistics stand for `SizeSampler` with these statistics.
        sampler: Which are drawn; by default category-balanced.
        count: How many, see `divergen_paste.sampling.COUNTS`.
        max_instances: The ``n`` of ``count``: the most for ``"uniform"``.
        place: Where, see `divergen_paste.placing.PLACES`.
        blend: How, see `divergen_paste.blending.BLENDS`; of several, one is drawn for each instance.
        layouts: Boxes of real images, see `divergen_paste.placing.read_layouts`. One is drawn for each image, and its
            boxes decide how many instances there are, how large and where, in place of ``count``, sizes and ``place``.
        flip: Probability of a horizontal flip.
        rotation: Instances turn by up to so many degrees, both ways.
        colour_jitter: Brightness, contrast and saturation change by up to this share.
        match_blur: Blur instances that are sharper than the image.
        match_noise: Give instances the image's noise.
        harmonize: Light of the place, see `divergen_paste.light`: ``"colour"``, ``"shadow"``, ``"both"`` or ``"none"``.
        relight: New light by a model, once for each image, which takes seconds: for baking.
        box_shift: See `divergen_paste.composite.Compositor`.
        min_visible: See `divergen_paste.composite.Compositor`.
        min_pixels: See `divergen_paste.composite.Compositor`.
        seed: Of the run.

    Attributes:
        corrupt: Draws that met a damaged instance, in this process; they are skipped, and the first one warns.

    Example:
        >>> paster = Paster(InstancePool.open("pool"), area_statistics(dataset), seed=0)  # doctest: +SKIP
        >>> sample = paster(load_sample(dataset, dataset.images[0], epoch=3))  # doctest: +SKIP
    """

    def __init__(
        self,
        pool: InstancePool,
        sizes: SizeSampler | Statistics | None = None,
        *,
        sampler: InstanceSampler | None = None,
        count: Count = "uniform",
        max_instances: int = 20,
        place: Place = "uniform",
        blend: Blend | Sequence[Blend] = "feather",
        layouts: Sequence[NDArray[np.float64]] = (),
        flip: float = 0.5,
        rotation: float = 0.0,
        colour_jitter: float = 0.0,
        match_blur: bool = False,
        match_noise: bool = False,
        harmonize: Harmonize = "none",
        relight: Relight | None = None,
        box_shift: int = 10,
        min_visible: int = 300,
        min_pixels: int = 16,
        seed: int = 0,
    ) -> None:
        blends: tuple[Blend, ...] = (blend,) if isinstance(blend, str) else tuple(blend)
        checks: list[tuple[str, Iterable[str]]] = [
            (count, COUNTS),
            (place, PLACES),
            (harmonize, HARMONIZE),
            *((name, BLENDS) for name in blends),
        ]
        for value, known in checks:
            if value not in list(known):
                raise ConfigError(f"{value!r} is not known here; one of {', '.join(known)} is")
        if not isinstance(max_instances, int) or max_instances < 0 or not blends:
            raise ConfigError(f"max_instances must be a whole number >= 0, blend not empty: {max_instances}, {blends}")
        if not (0 <= flip <= 1 and 0 <= rotation <= 180 and 0 <= colour_jitter < 1):
            found = f"{flip}, {rotation}, {colour_jitter}"
            raise ConfigError(f"need 0 <= flip <= 1, 0 <= rotation <= 180 and 0 <= colour_jitter < 1, found {found}")
        self.pool = pool
        self.sizes = sizes if isinstance(sizes, SizeSampler) else SizeSampler(sizes)
        self.sampler = InstanceSampler(pool) if sampler is None else sampler
        self.count, self.max_instances = count, max_instances
        self.place, self.blends, self.layouts = place, blends, tuple(layouts)
        self.flip, self.rotation, self.colour_jitter = flip, rotation, colour_jitter
        self.match_blur, self.match_noise, self.harmonize = match_blur, match_noise, harmonize
        self.limits = {"box_shift": box_shift, "min_visible": min_visible, "min_pixels": min_pixels}
        self.relight = relight
        self.seed = seed
        self.corrupt = 0

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories that it may paste."""
        return self.pool.categories

    def matched(self, categories: Classes, *, unmatched: Unmatched = "refuse") -> Paster:
        """The same paster with the category ids of a data set, found by name; see `InstancePool.matched`."""
        paster = copy.copy(self)
        paster.pool = self.pool.matched(categories, unmatched=unmatched)
        paster.sampler = self.sampler.on(paster.pool)
        return paster

    @property
    def relights(self) -> bool:
        """Whether a model relights what is pasted."""
        return self.relight is not None

    @property
    def identity(self) -> str:
        """Hash of the pool's content and all settings: equal pasters paste equally."""
        left = {"pool", "corrupt", *(() if self.relight else ("relight",))}
        settings = {name: value for name, value in vars(self).items() if name not in left}
        return short_hash(self.pool.identity, sorted(map(repr, settings.items())))

    def __call__(self, sample: Sample) -> Sample:
        """Paste into a sample; randomness comes from (seed, epoch, image id) alone."""
        return self.paste(sample, self.generator(sample))

    def generator(self, sample: Sample) -> np.random.Generator:
        """The source of randomness of a sample, from (seed, epoch, image id)."""
        return np.random.default_rng(derive_seed(self.seed, sample.epoch, sample.image_id))

    def paste(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Paste into a sample with a given source of randomness.

        Args:
            sample: Image and instances; they are not changed.
            rng: Source of randomness.

        Returns:
            A new sample, or the same where nothing was to be pasted. Masks are disjoint from what was pasted over
            them, boxes are tight, pasted instances have a ``source``.

        Raises:
            ImageError: If the image is not (H, W, 3) uint8.
        """
        return self.apply(sample, self.plan(sample, rng))

    def plan(self, sample: Sample, rng: np.random.Generator) -> list[Placement]:
        """Draw what goes where, without touching a pixel."""
        layout = self.layouts[int(rng.integers(len(self.layouts)))] if self.layouts else None
        canvas = check_image(sample.image, f"image {sample.image_id}")
        n = COUNTS[self.count](rng, self.max_instances) if layout is None else len(layout)
        if n == 0:
            return []
        shown = {instance.category_id for instance in sample.instances} if self.sampler.image_categories else ()
        rows = self.sampler.draw(rng, n, shown)
        entries = self.pool.index[rows]
        category_ids = self.pool.category_ids(rows)
        scales = self.sizes.scales(rng, category_ids, canvas).tolist()
        aspects = self.sizes.aspects(rng, n).tolist()
        flips = (rng.random(n) < self.flip).tolist()
        angles = (self.rotation * rng.uniform(-1, 1, n)).tolist() if self.rotation else [0.0] * n
        colours = (1 + self.colour_jitter * rng.uniform(-1, 1, (n, 3))).tolist() if self.colour_jitter else [None] * n
        blends = rng.integers(len(self.blends), size=n).tolist() if len(self.blends) > 1 else [0] * n
        stored = entries["height"].tolist(), entries["width"].tolist()
        areas = entries["area"].tolist()
        if layout is not None:
            # The instance's box gets the area of the layout's, as if its mask filled it.
            scales = np.sqrt(np.prod(layout[:, 2:] - layout[:, :2], axis=1)).tolist()
            areas = np.prod(stored, axis=0).tolist()
        sizes = [
            self.sizes.size(scale, aspect, (height, width), area, canvas)
            for scale, aspect, height, width, area in zip(scales, aspects, *stored, areas, strict=True)
        ]
        if layout is None:
            places = PLACES[self.place](rng, sizes, canvas, [instance.box for instance in sample.instances])
        else:
            places = centre_in(layout, sizes, canvas)
        grains = rng.integers(2**32, size=n).tolist() if self.match_noise else [0] * n
        return [
            Placement(row, category_id, size, place, flip, angle, factors, self.blends[blend], grain)
            for row, category_id, size, place, flip, angle, factors, blend, grain in zip(
                rows.tolist(), category_ids, sizes, places, flips, angles, colours, blends, grains, strict=True
            )
        ]

    def apply(self, sample: Sample, placements: Sequence[Placement]) -> Sample:
        """Carry out a plan: paste one instance after the other, later ones over earlier ones.

        Raises:
            ImageError: If the image is not (H, W, 3) uint8.
        """
        if not placements:
            return sample
        check_image(sample.image, f"image {sample.image_id}")
        compositor = Compositor(sample, **self.limits)
        target = measure_quality(sample.image) if self.match_blur or self.match_noise else None
        for placement in placements:
            try:
                image, alpha = self._render(placement, target)
            except PoolError as error:
                self._count_corrupt(error)
                continue
            # What grew by a rotation or a blur keeps its centre.
            x = placement.place[0] - (alpha.shape[1] - placement.size[1]) // 2
            y = placement.place[1] - (alpha.shape[0] - placement.size[0]) // 2
            image = self._light(compositor, image, alpha, x, y)
            source, blend = self.pool.source(placement.row), BLENDS[placement.blend]
            compositor.paste(image, alpha, x, y, category_id=placement.category_id, source=source, blend=blend)
        if self.relight is not None:
            seed = derive_seed(self.seed, "relight", sample.epoch, sample.image_id)
            compositor.image = self.relight(compositor.image, compositor.pasted(), seed)
        return compositor.result()

    def _render(self, placement: Placement, target: Quality | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The instance's picture and alpha as they go onto an image of this quality, None to leave theirs."""
        image, alpha = self.pool.read(placement.row, placement.size)
        entry = self.pool.index[placement.row]
        whole = alpha.shape == (entry["height"], entry["width"])
        image, alpha = resize_crop(image, alpha, placement.size, flip=placement.flip, smooth=whole)
        if placement.colours is not None:
            image = jitter_colours(image, placement.colours)
        if placement.angle:
            image, alpha = rotate_crop(image, alpha, placement.angle)
        if target is None:
            return image, alpha
        rng = np.random.default_rng(placement.grain)
        return match_quality(image, alpha, target, rng, blur=self.match_blur, noise=self.match_noise)

    def _light(
        self, compositor: Compositor, image: NDArray[np.uint8], alpha: NDArray[np.uint8], x: int, y: int
    ) -> NDArray[np.uint8]:
        """The instance in the light of its place, on which its shadow falls."""
        colour, shadow = HARMONIZE[self.harmonize]
        place = compositor.region(x, y, (alpha.shape[0], alpha.shape[1]))
        if not place.size:
            return image
        if colour:
            image = match_colours(image, alpha, place)
        if shadow and (cast_on := contact_shadow(alpha)) is not None:
            share, left, top = cast_on
            compositor.darken(share, x + left, y + top)
        return image

    def _count_corrupt(self, error: PoolError) -> None:
        """A damaged instance must not end epoch 11: skip it, and say so once."""
        self.corrupt += 1
        if self.corrupt == 1:
            warnings.warn(f"{error}. It is skipped, and so will be others like it.", RuntimeWarning, stacklevel=4)
