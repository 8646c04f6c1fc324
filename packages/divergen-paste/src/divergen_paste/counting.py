"""Progress that can be silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from divergen_records import Progress

__all__ = ["counting"]


@contextmanager
def counting(description: str, total: int | None, unit: str, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Inside the block, call the given function with the number of units that got done."""
    if not show:
        yield lambda done: None
        return
    with Progress(description, total, unit=unit) as bar:
        yield lambda done: bar.update(done)
