"""Many runs in one process: what it holds, memory and descriptors, must not grow with them."""

from __future__ import annotations

import gc
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from divergen import Run, load_config, run_pipeline

from .cases import RUN

__all__ = ["soak"]

_WARM = 10
"""Runs until everything is loaded and the caches are full."""

_GROWTH = 1.05


def soak(count: int, place: Path) -> Iterator[list[str]]:
    """Run the quickstart until the decision so often; of each run gives what it holds more than after the tenth.

    Args:
        count: Runs.
        place: A folder to work in.
    """
    first = (0.0, 0)
    for number in range(count):
        folder = place / "soak"
        run_pipeline(Run(folder, load_config("quickstart", RUN)), until="decide")
        shutil.rmtree(folder)
        gc.collect()
        held = (_megabytes(), len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - as a number
        if number < _WARM:
            first = held
        grown = zip(("MB of memory", "descriptors"), first, held, strict=True)
        yield [
            f"run {number + 1}: {new:.0f} {what}, {old:.0f} before" for what, old, new in grown if new > _GROWTH * old
        ]


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6
