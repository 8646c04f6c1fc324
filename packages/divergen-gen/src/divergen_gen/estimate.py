"""What a plan will cost: time and disk, from a rate that is given or measured on a few pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import Any

from divergen_records import ConfigError, InstanceRecord

from .planning import Plan
from .protocol import PaidGenerator

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
    plan: Plan, config: Any, *, rate: float | None = None, picture_bytes: int | None = None, sample: int = 16
) -> Estimate:
    """Make a few pictures of a generator's part and extrapolate.

    Args:
        plan: The plan.
        config: The generator's configuration; it is built only if something has to be measured.
        rate: Pictures per second, where it is known from elsewhere; None measures it.
        picture_bytes: Size of a stored picture, where it is known; None measures it.
        sample: Pictures to make.

    Raises:
        ConfigError: Something would have to be measured by pictures that cost money.
    """
    part = plan.only(generator=config.name)
    pictures = len(part)
    if rate is not None and picture_bytes is not None:
        return Estimate(config.name, pictures, rate, pictures / rate, pictures * picture_bytes)
    probe = list(islice(part.limit(1), sample))
    if not probe:
        return Estimate(config.name, pictures, rate or 0.0, 0.0, 0)
    generator = config.build()
    if isinstance(generator, PaidGenerator):
        raise ConfigError(
            f"pictures of {config.name!r} cost money, so none is made to measure it: give --rate and --picture-kb"
        )
    generator(probe[:1])  # what is loaded or compiled once does not count
    start = time.perf_counter()
    made = generator(probe)
    measured = rate or len(probe) / (time.perf_counter() - start)
    per_picture = picture_bytes or sum(map(_stored, made)) / len(made)
    return Estimate(config.name, pictures, measured, pictures / measured, round(pictures * per_picture))


def _stored(record: InstanceRecord) -> int:
    return len(record.image or b"") + len(record.alpha or b"")
