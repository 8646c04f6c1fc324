"""Build pools from an instance table or from a dataset's own objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from divergen_records import Category, DivergenError, ImageError, MaskError, short_hash
from divergen_records.images import read_image
from divergen_records.masks import decode_counts
from numpy.typing import NDArray

from .counting import counting
from .crops import Crop, make_crop
from .pool import InstancePool, table_fingerprint
from .writer import PoolWriter

if TYPE_CHECKING:
    from divergen_records import InstanceTable
    from divergen_records.coco import Dataset, ImageInfo

__all__ = ["build_from_dataset", "build_from_table", "build_pool"]

Item = TypeVar("Item")
ImageFormat = Literal["jpeg", "png"]

_COLUMNS = ("id", "category_id", "image", "mask", "width", "height", "inter_similarity", "mask_score")


def build_pool(
    items: Iterable[Item],
    cut: Callable[[Item], Sequence[Crop | DivergenError]],
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
    workers: int = 1,
    progress: bool = True,
) -> InstancePool:
    """Cut instances out of items and write them as a pool. The folder appears whole or not at all.

    Args:
        items: What to cut from, for example table rows.
        cut: From one item to its crops; an error in place of a crop is counted in the manifest's ``skipped``. Runs in
            threads.
        out: Folder of the pool.
        categories: Those that crops may belong to.
        origin: What it is built from, in words.
        fingerprint: Hash of what it is built from.
        total: Number of items, where known.
        image_format: ``"jpeg"`` (small, decodes at reduced scale) or ``"png"`` (lossless).
        quality: Of the JPEGs.
        max_side: Longest side of a crop that the manifest promises.
        overwrite: Replace a pool that is there.
        workers: Threads; decoding and encoding run side by side in them.
        progress: Show progress.

    Raises:
        PoolError: If ``out`` exists, or nothing could be cut.
    """
    writer = PoolWriter(
        out, categories, image_format=image_format, quality=quality, max_side=max_side, overwrite=overwrite
    )
    with writer, counting("pool", total, "items", show=progress) as count, ThreadPoolExecutor(workers) as threads:
        queue = iter(items)
        # Bounded batches: Executor.map alone would read the whole table ahead.
        while batch := list(islice(queue, 16 * workers)):
            for crops in threads.map(lambda item: [_encoded(writer, crop) for crop in cut(item)], batch):
                for crop in crops:
                    writer.add(crop)
                count(1)
        return writer.commit(origin=origin, fingerprint=fingerprint)


def _encoded(writer: PoolWriter, crop: Crop | DivergenError) -> Any:
    return crop if isinstance(crop, DivergenError) else (crop, writer.encode(crop))


def build_from_table(
    table: InstanceTable,
    out: str | Path,
    where: str = "kept",
    *,
    categories: Iterable[Category] | None = None,
    max_side: int = 512,
    inset: int = 1,
    **options: Any,
) -> InstancePool:
    """Build a pool from rows of an instance table.

    Args:
        table: The table.
        out: Folder of the pool.
        where: SQL filter that chooses the rows.
        categories: Those of the dataset to paste into, which know their image counts; by default those of the rows.
        max_side: Larger crops are reduced to this.
        inset: Outermost pixels whose colour is mixed with the background; see `divergen_paste.crops.extend_colours`.
        options: Of `build_pool`.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for batch in table.batches(list(_COLUMNS), where=where, batch_size=64):
            yield from batch.to_pylist()

    def cut(row: dict[str, Any]) -> list[Crop | DivergenError]:
        try:
            return [_crop_row(row, max_side=max_side, inset=inset)]
        except (ImageError, MaskError) as error:
            return [error]

    return build_pool(
        rows(),
        cut,
        out,
        _table_categories(table, where) if categories is None else categories,
        origin=f"instance table where {where}",
        fingerprint=table_fingerprint(table, where),
        total=table.count(where=where),
        max_side=max_side,
        **options,
    )


def _crop_row(row: dict[str, Any], *, max_side: int, inset: int) -> Crop:
    if row["image"] is None or row["mask"] is None:
        raise MaskError(f"instance {row['id']!r} has no picture or no mask yet")
    score = next((row[name] for name in ("inter_similarity", "mask_score") if row[name] is not None), float("nan"))
    return make_crop(
        read_image(row["image"]),
        decode_counts(row["mask"], row["height"], row["width"]),
        category_id=row["category_id"],
        source=row["id"],
        score=score,
        max_side=max_side,
        inset=inset,
    )


def _table_categories(table: InstanceTable, where: str) -> list[Category]:
    groups = table.group_counts(["category_id", "category", "frequency"], where=where)
    return [Category(id=group["category_id"], name=group["category"], frequency=group["frequency"]) for group in groups]


def build_from_dataset(
    dataset: Dataset,
    out: str | Path,
    *,
    min_area: int = 256,
    whole_only: bool = False,
    max_side: int = 512,
    inset: int = 0,
    **options: Any,
) -> InstancePool:
    """Build a pool from a dataset's own objects: Simple Copy-Paste (arXiv 2012.07177) in the same engine.

    Args:
        dataset: The dataset.
        out: Folder of the pool.
        min_area: Objects with fewer mask pixels, and crowds, are left out.
        whole_only: Leave out objects that the image's edge cuts off: their straight side shows in the middle of another
            image. Simple Copy-Paste keeps them.
        max_side: Larger crops are reduced to this.
        inset: See `divergen_paste.crops.extend_colours`.
        options: Of `build_pool`.
    """
    from divergen_records.coco import load_sample

    cut_out = partial(make_crop, max_side=max_side, inset=inset)

    def cut(info: ImageInfo) -> list[Crop | DivergenError]:
        try:
            sample = load_sample(dataset, info)
        except DivergenError as error:
            return [error]
        crops: list[Crop | DivergenError] = []
        for instance in sample.instances:
            if instance.iscrowd or instance.area < min_area or (whole_only and _is_cut_off(instance.box, sample.image)):
                continue
            source = f"annotation:{instance.annotation_id}"
            part = sample.image[instance.slices]
            crops.append(cut_out(part, instance.mask, category_id=instance.category_id, source=source))
        return crops

    return build_pool(
        dataset.images,
        cut,
        out,
        dataset.categories,
        origin=f"objects of {Path(dataset.path).name}",
        fingerprint=short_hash("dataset/1", *(annotation.id for annotation in dataset.annotations)),
        total=len(dataset.images),
        max_side=max_side,
        **options,
    )


def _is_cut_off(box: tuple[int, int, int, int], image: NDArray[np.uint8]) -> bool:
    return min(box[:2]) <= 0 or box[2] >= image.shape[1] or box[3] >= image.shape[0]
