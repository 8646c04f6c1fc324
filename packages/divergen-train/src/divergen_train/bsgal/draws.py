"""The generated instances that a paster draws from, and how often it draws each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Candidates", "Draws", "Scored"]


@dataclass(frozen=True)
class Candidates:
    """Generated instances, each a place in all of these.

    Attributes:
        ids: What a pasted instance says as its source (`InstanceRecord.id`).
        category_ids: Category of each in the dataset.
        generators: What made each; None where it is not known.
        prompt_sources: Where the prompt of each came from; None where it is not known.
    """

    ids: Sequence[str]
    category_ids: Sequence[int]
    generators: Sequence[str | None]
    prompt_sources: Sequence[str | None]

    def __post_init__(self) -> None:
        counts = {len(self.ids), len(self.category_ids), len(self.generators), len(self.prompt_sources)}
        if len(counts) > 1:
            raise ValueError(f"candidates: ids, categories, generators and prompt sources differ in number: {counts}")

    def __len__(self) -> int:
        return len(self.ids)

    def lacking(self) -> str | None:
        """Why nothing can be said of groups, where that is so."""
        if not any(self.generators):
            return "the pool does not say what made its instances"
        if len({*zip(self.generators, self.prompt_sources, strict=True)}) < 2:
            return f"all instances of the pool are by {self.generators[0]!r}"
        return None


class Draws(Protocol):
    """What a belief acts on: the weights of a paster's pool (`divergen_paste.PoolWeights`), or any sampler's."""

    @property
    def candidates(self) -> Candidates:
        """What may be drawn."""

    def weights(self) -> NDArray[np.float64]:
        """(N,) in the order of the candidates: how often each is drawn among those of its category."""

    def set_weights(self, weights: NDArray[np.float64]) -> None:
        """Change them; loader workers follow."""


@runtime_checkable
class Scored(Protocol):
    """`Draws` that know what a filter measured of their candidates."""

    def scores(self, name: str) -> NDArray[np.float64]:
        """(N,) in the order of the candidates; NaN where it was not measured."""
