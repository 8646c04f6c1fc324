"""From any items to a pool, in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict, TypeVar

from divergen_records import Category, DivergenError
from divergen_records.losses import Losses

from ..counting import counting
from ..processes import in_batches, in_order, open_workers, worth_workers
from .crops import Crop, EncodedCrop, LeftOut
from .format import ImageFormat
from .reader import InstancePool
from .writer import PoolWriter

__all__ = ["BuildOptions", "Cut", "build_pool"]

Item = TypeVar("Item")

Cut = Callable[[Item], Sequence[Crop | LeftOut | DivergenError]]
"""From an item to its crops; an error stands for a crop that could not be made. Picklable."""

BATCH = 16
"""Items that a worker takes at a time."""


class BuildOptions(TypedDict, total=False):
    """What every builder takes besides its source; see `build_pool` for what they mean."""

    image_format: ImageFormat
    quality: int
    max_side: int
    overwrite: bool
    losses: Losses | None
    workers: int | None
    progress: bool


def build_pool(
    items: Iterable[Item],
    cut: Cut[Item],
    out: str | Path,
    categories: Iterable[Category],
    *,
    origin: str,
    fingerprint: str,
    total: int | None = None,
    image_format: ImageFormat = "jpeg",
    quality: int = 95,
    max_side: int = 512,
    overwrite: bool = False,
    losses: Losses | None = None,
    workers: int | None = 0,
    progress: bool = True,
) -> InstancePool:
    """Cut instances out of items and write them as a pool. The folder appears whole or not at all.

    Args:
        items: What to cut from, for example table rows; picklable where there are workers.
        cut: From one item to its crops. An error in place of a crop is a loss, counted in the manifest's ``skipped``;
            what is left out by a rule is counted in ``left_out``.
        out: Folder of the pool.
        categories: Those that crops may belong to.
        origin: What it is built from, in words.
        fingerprint: Hash of what it is built from.
        total: Number of items, where known.
        image_format: ``"jpeg"`` (small, decodes at reduced scale) or ``"png"`` (lossless).
        quality: Of the JPEGs.
        max_side: Longest side of a crop that the manifest promises.
        overwrite: Replace a pool that is there.
        losses: Takes in what is left out, by name.
        workers: Processes that decode and encode; 0 works in this one, None takes as many as the work is worth.
        progress: Show progress.

    Raises:
        ExistsError: If ``out`` exists and may not be replaced.
        NothingLeft: If nothing could be cut.
    """
    writer = PoolWriter(
        out, categories, image_format=image_format, max_side=max_side, overwrite=overwrite, losses=losses
    )
    workers = worth_workers(total or 0) if workers is None else workers
    work = partial(_cut_batch, cut, image_format, quality)
    with writer, counting("pool", total, "items", show=progress) as count, open_workers(workers) as executor:
        for done, crops in in_order(executor, work, in_batches(items, BATCH), ahead=2 * workers + 1):
            for crop in crops:
                writer.add(crop)
            count(done)
        writer.seal(origin=origin, fingerprint=fingerprint)
    return InstancePool(Path(out))


def _cut_batch(
    cut: Cut[Item], image_format: ImageFormat, quality: int, items: Sequence[Item]
) -> tuple[int, list[EncodedCrop | LeftOut | DivergenError]]:
    """The number of items, and what became of them; runs in a worker."""
    return len(items), [
        EncodedCrop.of(crop, image_format, quality) if isinstance(crop, Crop) else crop
        for item in items
        for crop in cut(item)
    ]
