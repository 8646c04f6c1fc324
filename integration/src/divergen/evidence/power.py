"""How many seeds a difference takes, from those that were run, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .outcomes import Outcome
from .statistics import POWER, detectable, seeds_for, spread_of_differences

__all__ = ["SeedPlan", "plan_seeds"]

_METRIC = "mask AP"


@dataclass(frozen=True)
class SeedPlan:
    """What so many seeds tell apart, and how many a wanted resolution takes.

    Attributes:
        resolution: The difference to be told apart, 0 to 1.
        spread: Standard deviation of a difference between two arms over paired seeds, pooled over all arms.
        freedom: Its degrees of freedom; few mean that it is a guess.
        seeds: Of the arm with the fewest, among those that have two.
        smallest: Difference that these tell apart, four times in five.
        needed: Seeds that the resolution takes.
        hours: CPU hours of a seed, all arms; None where nothing was measured.
    """

    resolution: float
    spread: float
    freedom: int
    seeds: int
    smallest: float
    needed: int
    hours: float | None

    def __str__(self) -> str:
        told = (
            f"{self.seeds} paired seeds tell {100 * self.smallest:.1f} points of {_METRIC} apart, {100 * POWER:.0f} % "
            f"of the times at 95 %: differences vary by {100 * self.spread:.2f} ({self.freedom} degrees of freedom). "
            f"{100 * self.resolution:g} points take {self.needed} seeds"
        )
        if self.hours is None:
            return told
        left = max(self.needed - self.seeds, 0) * self.hours
        return f"{told}: {left:.1f} CPU hours more, {self.hours:.2f} a seed"


def plan_seeds(found: Sequence[Outcome], resolution: float, hours: float | None = None) -> SeedPlan | None:
    """From the noise among arms and seeds that were run, how many seeds a difference takes.

    Looking at the noise and not at the differences, so that going on by it leaves the intervals what they say.

    Args:
        found: The arms.
        resolution: The difference to be told apart, 0 to 1.
        hours: CPU hours of a seed.

    Returns:
        None while there are not two arms with two seeds.
    """
    scores = [outcome.values[_METRIC] for outcome in found]
    pooled = spread_of_differences(scores)
    if pooled is None:
        return None
    spread, freedom = pooled
    seeds = min(len(own) for own in scores if len(own) > 1)
    return SeedPlan(resolution, spread, freedom, seeds, detectable(spread, seeds), seeds_for(spread, resolution), hours)
