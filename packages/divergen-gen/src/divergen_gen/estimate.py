"""What a plan will cost: time and disk, from a rate that is given or measured on a few pictures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from divergen_records import InstanceRecord

from .planning import Plan
from .protocol import Generator

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True)
class Estimate:
    """The cost of one generator's part.

    Attributes:
        generator: Its name.
        pictures: How many.
        rate: Pictures per second.
        seconds: Time.
        bytes: Disk for pictures and alphas.
    """

    generator: str
    pictures: int
    rate: float
    seconds: float
    bytes: int


def estimate(
    plan: Plan, generators: Sequence[Generator], *, rate: float | None = None, sample: int = 16
) -> list[Estimate]:
    """Make a few pictures of each generator's part and extrapolate.

    Args:
        plan: The plan.
        generators: Those of the plan.
        rate: Pictures per second, where it is known from elsewhere; None measures it.
        sample: Pictures to make.
    """
    return [_estimate(plan.only(generator=each.name), each, rate, sample) for each in generators]


def _estimate(part: Plan, generator: Generator, rate: float | None, sample: int) -> Estimate:
    pictures = len(part)
    probe = list(islice(part.limit(1), sample))
    if not probe:
        return Estimate(generator.name, pictures, rate or 0.0, 0.0, 0)
    generator(probe[:1])  # what is loaded or compiled once does not count
    start = time.perf_counter()
    made = generator(probe)
    measured = rate or len(probe) / (time.perf_counter() - start)
    per_picture = sum(map(_stored, made)) / len(made)
    return Estimate(generator.name, pictures, measured, pictures / measured, round(pictures * per_picture))


def _stored(record: InstanceRecord) -> int:
    return len(record.image or b"") + len(record.alpha or b"")
