"""Build a pool from a dataset's own objects: copy-paste."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from divergen_records import DivergenError, MaskError, short_hash
from divergen_records.coco import Dataset, load_sample
from divergen_records.sample import Instance, Sample

from .build import BuildOptions, build_pool
from .crops import Crop, LeftOut, make_crop
from .reader import InstancePool

__all__ = ["pool_from_dataset"]


def pool_from_dataset(
    dataset: Dataset,
    out: str | Path,
    *,
    min_area: int = 256,
    whole_only: bool = False,
    inset: int = 0,
    **options: Unpack[BuildOptions],
) -> InstancePool:
    """Build a pool from a dataset's own objects: Simple Copy-Paste (arXiv 2012.07177) in the same engine.

    Args:
        dataset: The dataset.
        out: Folder of the pool.
        min_area: Objects with fewer mask pixels, and crowds, are left out.
        whole_only: Leave out objects that the image's edge cuts off: their straight side shows in the middle of another
            image. Simple Copy-Paste keeps them.
        inset: Outermost pixels whose colour is mixed with the background; see `divergen_paste.pool.crops`.
        options: See `divergen_paste.pool.build.build_pool`.

    Raises:
        ExistsError: If ``out`` exists and may not be replaced.
        NothingLeft: If no object can be cut out.
    """
    return build_pool(
        _single_images(dataset),
        _CutObjects(min_area, whole_only, options.get("max_side", 512), inset),
        out,
        dataset.categories,
        origin=f"objects of {Path(dataset.path).name}",
        fingerprint=short_hash("dataset/1", *(annotation.id for annotation in dataset.annotations)),
        total=len(dataset.images),
        **options,
    )


def _single_images(dataset: Dataset) -> Iterator[Dataset]:
    """A dataset of one image each, so that a worker gets only what it works on."""
    for info in dataset.images:
        yield Dataset(dataset.path, dataset.image_dir, [info], dataset.annotations_of(info.id), ())


@dataclass(frozen=True)
class _CutObjects:
    min_area: int
    whole_only: bool
    max_side: int
    inset: int

    def __call__(self, dataset: Dataset) -> list[Crop | LeftOut | DivergenError]:
        info = dataset.images[0]
        try:
            sample = load_sample(dataset, info)
        except DivergenError as error:
            return [error]
        empty = len(dataset.annotations) - len(sample.instances)
        return [LeftOut("covers no pixel")] * empty + [self._cut(sample, instance) for instance in sample.instances]

    def _cut(self, sample: Sample, instance: Instance) -> Crop | LeftOut | DivergenError:
        if instance.iscrowd:
            return LeftOut("a crowd")
        if instance.area < self.min_area:
            return LeftOut(f"smaller than {self.min_area} pixels")
        if self.whole_only and _is_cut_off(sample, instance):
            return LeftOut("cut off by the edge of its picture")
        try:
            return self._crop(sample, instance)
        except MaskError as error:
            return error

    def _crop(self, sample: Sample, instance: Instance) -> Crop:
        return make_crop(
            sample.image[instance.slices],
            instance.mask,
            category_id=instance.category_id,
            source=f"annotation:{instance.annotation_id}",
            max_side=self.max_side,
            inset=self.inset,
        )


def _is_cut_off(sample: Sample, instance: Instance) -> bool:
    height, width = sample.image.shape[:2]
    x0, y0, x1, y1 = instance.box
    return min(x0, y0) <= 0 or x1 >= width or y1 >= height
