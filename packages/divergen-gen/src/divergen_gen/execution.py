"""Carry out a plan: pictures into the instance table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from divergen_records import ConfigError, Shard, append

from .planning import Plan
from .protocol import Generator

if TYPE_CHECKING:
    from divergen_records import InstanceTable, StageReport

__all__ = ["generate"]


def generate(
    table: InstanceTable,
    plan: Plan,
    generators: Sequence[Generator],
    *,
    shard: Shard | None = None,
    batch_size: int = 16,
    progress: bool = True,
) -> list[StageReport]:
    """Make the planned pictures that the table lacks, one generator after the other.

    Killed at any time, a second call continues. A record that cannot be made becomes a row with an error.

    Args:
        table: Where the pictures go.
        plan: What to make.
        generators: Those of the plan; each does its own part.
        shard: The part of the plan to do, for processes side by side.
        batch_size: Records given to a generator at a time.
        progress: Show progress on standard error.

    Returns:
        A report per generator.

    Raises:
        ConfigError: The plan names a generator that is not there, or one of another revision.
    """
    _check(plan, generators)
    reports = []
    for generator in generators:
        part = plan.only(generator=generator.name)
        quoted = generator.name.replace("'", "''")
        others = table.count() - table.count(f"generator = '{quoted}'")
        reports.append(
            append(
                table, generator, part, shard=shard, batch_size=batch_size, progress=progress, total=len(part) + others
            )
        )
    return reports


def _check(plan: Plan, generators: Sequence[Generator]) -> None:
    revisions = {generator.name: generator.revision for generator in generators}
    for part in plan.parts:
        if part.generator not in revisions:
            raise ConfigError(
                f"the plan names generator {part.generator!r}; there are {', '.join(revisions) or 'none'}"
            )
        if part.revision != revisions[part.generator]:
            raise ConfigError(
                f"the plan was made for generator {part.generator!r} of revision {part.revision!r}, this one is "
                f"{revisions[part.generator]!r}; plan again"
            )
