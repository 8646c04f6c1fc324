"""A validation set in the terms of the training set."""

from __future__ import annotations

import msgspec
from divergen_records.coco import Annotation, Dataset

from ..pool import match_categories

__all__ = ["renumbered"]


def renumbered(val: Dataset, dataset: Dataset) -> Dataset:
    """A validation set with the category ids of the training set, by name; raises `ConfigError` if it has others."""
    used = {annotation.category_id for annotation in val.annotations}
    known = [category for category in val.categories if category.id in used]
    match = match_categories(known, dataset.categories, what="validation set")
    ids = {key: category.id for key, category in match.found.items()}
    annotations = [
        Annotation(
            one.id,
            one.image_id,
            ids[one.category_id],
            one.bbox,
            one.area,
            one.stored_segmentation,
            one.iscrowd,
            one.extra,
        )
        for one in val.annotations
    ]
    images = [
        msgspec.structs.replace(
            image,
            neg_category_ids=tuple(ids[key] for key in image.neg_category_ids if key in ids),
            not_exhaustive_category_ids=tuple(ids[key] for key in image.not_exhaustive_category_ids if key in ids),
        )
        for image in val.images
    ]
    return val.replace(
        images=images,
        annotations=annotations,
        categories=dataset.categories,
        category_rows=dataset.category_rows,
    )
