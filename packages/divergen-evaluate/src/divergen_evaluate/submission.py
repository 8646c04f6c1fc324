"""Results in the form that other tools take: lvis-api, pycocotools, evaluation servers, annotation tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError

from .selection import LVIS_RULES, check_labels

__all__ = ["export_results"]

Kind = Literal["box", "mask"]


def export_results(
    results: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    *,
    per_image: int | None = LVIS_RULES.per_image,
    min_score: float = 0.0,
    only: Kind | None = None,
    drop_unknown: bool = False,
) -> list[dict[str, Any]]:
    """COCO results with the keys of the format and no others, by image in the data set's order and falling score.

    Args:
        results: COCO results, of this package or anyone.
        dataset: The images and categories that they are for.
        per_image: Best results kept on an image; all where it is None.
        min_score: Results below this score are left out.
        only: Leave out the masks (``"box"``), or the boxes (``"mask"``): then evaluators take an object's size from
            its mask.
        drop_unknown: Leave out results of categories that the data set lacks, such as those trained beside LVIS's.

    Raises:
        DatasetError: If a result is for an unknown image or category, has no score, or lacks what is asked for.
    """
    images, categories = {image.id for image in dataset.images}, {category.id for category in dataset.categories}
    by_image: dict[int, list[dict[str, Any]]] = {}
    for index, row in enumerate(results):
        check_labels(row, index, images, None if drop_unknown else categories, str(dataset.path))
        if row["category_id"] in categories and row["score"] >= min_score:
            by_image.setdefault(row["image_id"], []).append(_slim(row, only, index))
    for rows in by_image.values():
        rows.sort(key=lambda row: -float(row["score"]))
    return [row for image in dataset.images for row in by_image.get(image.id, ())[:per_image]]


def _slim(row: Mapping[str, Any], only: Kind | None, index: int) -> dict[str, Any]:
    shape = {"box": ("bbox",), "mask": ("segmentation",), None: ("bbox", "segmentation")}[only]
    kept = {key: row[key] for key in shape if row.get(key) is not None}
    if not kept:
        raise DatasetError(f"result {index}: has no {' and no '.join(shape)}")
    return {"image_id": row["image_id"], "category_id": row["category_id"], "score": row["score"], **kept}
