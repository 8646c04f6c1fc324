"""Several pasters on the same image, for example real objects from other images, then generated ones."""

from __future__ import annotations

import numpy as np
from divergen_records import Category, ConfigError, derive_seed, short_hash
from divergen_records.sample import Sample

from .paster import Paster
from .pool import Classes, Unmatched

__all__ = ["Chain"]


class Chain:
    """Pastes with one paster after the other; what a later one pastes covers what an earlier one did.

    Simple Copy-Paste alone is a `Paster` on a pool of `pool_from_dataset`; with this it is mixed with generated
    instances. Each paster has randomness of its own, even where their seeds are equal.

    Args:
        pasters: In the order of pasting.

    Example:
        >>> paster = Chain(Paster(real, statistics, max_instances=5), Paster(generated, statistics))  # doctest: +SKIP
    """

    def __init__(self, *pasters: Paster) -> None:
        if not pasters:
            raise ConfigError("a chain needs at least one paster")
        self.pasters = pasters

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories that any of the pasters may paste, by id."""
        known = {category.id: category for paster in self.pasters for category in paster.categories}
        return tuple(known[key] for key in sorted(known))

    def matched(self, categories: Classes, *, unmatched: Unmatched = "refuse") -> Chain:
        """The same chain with the category ids of a data set, found by name; see `InstancePool.matched`."""
        return Chain(*(paster.matched(categories, unmatched=unmatched) for paster in self.pasters))

    @property
    def relights(self) -> bool:
        """Whether any of the pasters has a model relight what it pastes."""
        return any(paster.relights for paster in self.pasters)

    @property
    def identity(self) -> str:
        """Hash of all pasters' pools and settings, in their order."""
        return short_hash("chain/1", *(paster.identity for paster in self.pasters))

    def generator(self, sample: Sample, position: int) -> np.random.Generator:
        """The source of randomness of the paster at ``position``; the first pastes as it does alone."""
        paster = self.pasters[position]
        if position == 0:
            return paster.generator(sample)
        return np.random.default_rng(derive_seed(paster.seed, "chain", position, sample.epoch, sample.image_id))

    def __call__(self, sample: Sample) -> Sample:
        """Paste into a sample; randomness comes from (seeds, epoch, image id) alone."""
        for position, paster in enumerate(self.pasters):
            sample = paster.paste(sample, self.generator(sample, position))
        return sample

    def paste(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Paste into a sample with a given source of randomness, which all pasters share."""
        for paster in self.pasters:
            sample = paster.paste(sample, rng)
        return sample
