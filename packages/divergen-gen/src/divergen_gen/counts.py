"""How many pictures each category gets, and how generators share them."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Self

from divergen_records import Category, Config, ConfigError, Frequency
from divergen_records.dataset import frequency_of
from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

__all__ = ["CountsConfig", "count_per_category", "share"]


class CountsConfig(Config):
    """How many pictures; exactly one of ``per_category``, ``per_frequency`` and ``total``.

    Attributes:
        per_category: So many for each category.
        per_frequency: So many for each category of a frequency group, for example ``{"r": 50, "c": 20, "f": 0}``;
            groups that are left out get none.
        total: So many over all categories, given so that real images plus pictures become as level as they can.
        floor: With ``total``: no category gets fewer.
        weights: Share of each generator by name; one that is not named weighs 1. Nothing named: equal shares.
        extra: Pictures on top of all that, by category and generator: ``{"apple": {"sd15": 12}}``.
    """

    per_category: int | None = Field(default=None, ge=0)
    per_frequency: Mapping[Frequency, int] | None = None
    total: int | None = Field(default=None, ge=0)
    floor: int = Field(default=0, ge=0)
    weights: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    extra: Mapping[str, Mapping[str, NonNegativeInt]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [n for n in ("per_category", "per_frequency", "total") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of per_category, per_frequency and total, not {' and '.join(given) or 'none'}"
            )
        if self.floor and self.total is None:
            raise ValueError("floor goes with total only")
        if any(n < 0 for n in (self.per_frequency or {}).values()):
            raise ValueError("per_frequency: a count is negative")
        return self


def count_per_category(categories: Sequence[Category], counts: CountsConfig) -> dict[Category, int]:
    """Pictures for each category, in the order given.

    Raises:
        ConfigError: Counts per frequency group, and a category has none; or ``total`` is below ``floor`` for each.
    """
    if counts.per_category is not None:
        return dict.fromkeys(categories, counts.per_category)
    if counts.per_frequency is not None:
        return {category: _by_frequency(category, counts.per_frequency) for category in categories}
    return _level(categories, counts.total or 0, counts.floor)


def _by_frequency(category: Category, per_frequency: Mapping[Frequency, int]) -> int:
    group = category.frequency
    if group is None and category.image_count is not None:  # an extra category, which no training image shows, is rare
        group = frequency_of(category.image_count)
    if group is None:
        raise ConfigError(
            f"counts.per_frequency: category {category.name!r} has no frequency group; "
            "read the categories from an LVIS file, or count per category"
        )
    return per_frequency.get(group, 0)


def _level(categories: Sequence[Category], total: int, floor: int) -> dict[Category, int]:
    if total < floor * len(categories):
        raise ConfigError(
            f"counts: a total of {total} does not give {len(categories)} categories the floor of {floor} each; "
            f"raise total to at least {floor * len(categories)} or lower floor"
        )
    given = dict.fromkeys(categories, floor)
    # One picture at a time to whoever has least: a raised total then never takes a picture from anybody.
    rest = total - floor * len(categories)
    order = [((category.image_count or 0) + floor, place) for place, category in enumerate(categories)]
    heapq.heapify(order)
    for _ in range(rest if order else 0):
        level, place = order[0]
        given[categories[place]] += 1
        heapq.heapreplace(order, (level + 1, place))
    return given


@lru_cache(maxsize=1024)
def share(count: int, weights: tuple[float, ...]) -> tuple[int, ...]:
    """Split ``count`` by weights, in whole numbers that add up.

    The method of Sainte-Laguë: unlike rounding of quotas it is monotone, so nobody's part shrinks as ``count`` grows.
    """
    given = [0] * len(weights)
    order = [(0.5 / weight, place) for place, weight in enumerate(weights)]
    heapq.heapify(order)
    for _ in range(count):
        place = order[0][1]
        given[place] += 1
        heapq.heapreplace(order, ((given[place] + 0.5) / weights[place], place))
    return tuple(given)
