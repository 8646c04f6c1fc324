"""LVIS average precision by faster-coco-eval, with the federated rules of LVIS (Gupta et al., section 2).

An image tells of the categories that are annotated on it and of its ``neg_category_ids``; detections of any other
category are not judged there. Unmatched detections of its ``not_exhaustive_category_ids`` are no errors. The 300
detections of highest score count on each image, over all categories together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError
from numpy.typing import NDArray

from .metrics import CategoryScore, Metrics, Scores

__all__ = ["MAX_DETECTIONS", "evaluate_lvis", "read_results"]

MAX_DETECTIONS = 300
"""Detections per image that LVIS counts."""


def evaluate_lvis(results: Sequence[Mapping[str, Any]], dataset: Dataset, *, federated: bool | None = None) -> Metrics:
    """LVIS metrics of boxes and masks.

    Args:
        results: COCO results: ``image_id``, ``category_id``, ``score``, ``segmentation`` as compressed RLE, and
            ``bbox`` XYWH in pixels (from the mask where it is missing).
        dataset: Ground truth.
        federated: Judge a category only on images that annotate or negate it. By default where the data set has such
            lists at all; one without (COCO) is annotated exhaustively, every category counts on every image.

    Raises:
        DatasetError: If a result names an unknown image or category, or lacks a key.
    """
    _check(results, dataset)
    if federated is None:
        federated = any(image.neg_category_ids or image.not_exhaustive_category_ids for image in dataset.images)
    kept = _limit(results)
    judged = _judged(kept, dataset) if federated else kept
    precision = {
        kind: _precision(_ground_truth(dataset, federated), [_result(row) for row in judged], kind)
        for kind in ("bbox", "segm")
    }
    box, mask = (_scores(precision[kind], dataset) for kind in ("bbox", "segm"))
    return Metrics(
        box=box,
        mask=mask,
        categories=_category_scores(precision, dataset),
        images=len(dataset.images),
        detections=len(kept),
        federated=federated,
    )


def read_results(path: Path | str) -> list[dict[str, Any]]:
    """COCO results from a JSON file, this package's or anyone's; raises `DatasetError` if it is not a list of them."""
    try:
        rows = msgspec.json.decode(Path(path).read_bytes(), type=list[dict[str, Any]])
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.DecodeError as error:
        raise DatasetError(f"{path}: not a list of COCO results ({error})") from error
    return rows


def _check(results: Sequence[Mapping[str, Any]], dataset: Dataset) -> None:
    images = {image.id: [image.height, image.width] for image in dataset.images}
    categories = {category.id for category in dataset.categories}
    for index, row in enumerate(results):
        for key in ("image_id", "category_id", "score", "segmentation"):
            if key not in row:
                raise DatasetError(f"result {index}: has no {key!r}")
        if row["image_id"] not in images:
            raise DatasetError(f"result {index}: image_id {row['image_id']!r} is not in {dataset.path}")
        if row["category_id"] not in categories:
            raise DatasetError(f"result {index}: category_id {row['category_id']!r} is not in {dataset.path}")
        if not math.isfinite(row["score"]):
            raise DatasetError(f"result {index}: its score is {row['score']!r}")
        mask, size = row["segmentation"], images[row["image_id"]]
        if not isinstance(mask, Mapping) or not isinstance(mask.get("counts"), str | bytes):
            raise DatasetError(f"result {index}: its mask is not a compressed RLE: {str(mask)[:60]!r}")
        if list(mask.get("size", ())) != size:
            raise DatasetError(f"result {index}: its mask has the size {mask.get('size')}, its image {size}")


def _limit(results: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The results of highest score on each image; ties in the order given, as in lvis-api."""
    by_image: dict[int, list[Mapping[str, Any]]] = {}
    for row in results:
        by_image.setdefault(row["image_id"], []).append(row)
    kept: list[Mapping[str, Any]] = []
    for rows in by_image.values():
        kept += sorted(rows, key=lambda row: -row["score"])[:MAX_DETECTIONS] if len(rows) > MAX_DETECTIONS else rows
    return kept


def _judged(results: Sequence[Mapping[str, Any]], dataset: Dataset) -> list[Mapping[str, Any]]:
    """The results of categories that their image tells of: annotated on it, or in its negative list."""
    told = {
        image.id: {*image.neg_category_ids, *(a.category_id for a in dataset.annotations_of(image.id))}
        for image in dataset.images
    }
    return [row for row in results if row["category_id"] in told[row["image_id"]]]


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    from divergen_records.masks import decode_rle, mask_to_bbox

    bbox = row["bbox"] if row.get("bbox") is not None else mask_to_bbox(decode_rle(row["segmentation"]))
    return {
        "image_id": row["image_id"],
        "category_id": row["category_id"],
        "score": float(row["score"]),
        "bbox": [float(value) for value in bbox],
        "segmentation": dict(row["segmentation"]),
    }


def _ground_truth(dataset: Dataset, federated: bool) -> dict[str, Any]:
    everything = [category.id for category in dataset.categories]
    return {
        "images": [
            {
                "id": image.id,
                "width": image.width,
                "height": image.height,
                "neg_category_ids": list(image.neg_category_ids) if federated else everything,
                "not_exhaustive_category_ids": list(image.not_exhaustive_category_ids) if federated else [],
            }
            for image in dataset.images
        ],
        "annotations": [
            {
                "id": annotation.id,
                "image_id": annotation.image_id,
                "category_id": annotation.category_id,
                "bbox": list(annotation.bbox),
                "area": annotation.area,
                "segmentation": annotation.segmentation,
                "iscrowd": int(annotation.iscrowd),
            }
            for annotation in dataset.annotations
        ],
        "categories": [
            {"id": category.id, "name": category.name, "frequency": category.frequency}
            for category in dataset.categories
        ],
    }


def _precision(truth: dict[str, Any], results: list[dict[str, Any]], kind: str) -> NDArray[np.float64]:
    """(10 IoU thresholds, 101 recalls, categories by id, 4 areas) precision, -1 where undefined."""
    from faster_coco_eval import COCO, COCOeval_faster

    ground_truth = COCO(truth)
    evaluation = COCOeval_faster(
        ground_truth, ground_truth.loadRes(results), kind, lvis_style=True, print_function=_quiet
    )
    evaluation.params.maxDets = [MAX_DETECTIONS]
    evaluation.evaluate()
    evaluation.accumulate()
    precision: NDArray[np.float64] = np.asarray(evaluation.eval["precision"])[..., 0]
    return precision


def _quiet(*_: object) -> None:
    """The evaluator's own messages go nowhere."""


def _scores(precision: NDArray[np.float64], dataset: Dataset) -> Scores:
    groups = [category.frequency for category in sorted(dataset.categories, key=lambda category: category.id)]
    members = {name: [i for i, group in enumerate(groups) if group == name] for name in ("r", "c", "f")}
    everything = precision[..., 0]
    return Scores(
        AP=_mean(everything),
        AP50=_mean(everything[0]),
        AP75=_mean(everything[5]),
        APs=_mean(precision[..., 1]),
        APm=_mean(precision[..., 2]),
        APl=_mean(precision[..., 3]),
        APr=_mean(everything[:, :, members["r"]]),
        APc=_mean(everything[:, :, members["c"]]),
        APf=_mean(everything[:, :, members["f"]]),
    )


def _mean(precision: NDArray[np.float64]) -> float | None:
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else None


def _category_scores(precision: Mapping[str, NDArray[np.float64]], dataset: Dataset) -> tuple[CategoryScore, ...]:
    order = {id_: index for index, id_ in enumerate(sorted(category.id for category in dataset.categories))}
    instances = _count(annotation.category_id for annotation in dataset.annotations)
    return tuple(
        CategoryScore(
            id=category.id,
            name=category.name,
            frequency=category.frequency,
            instances=instances[category.id],
            box=_mean(precision["bbox"][:, :, order[category.id], 0]),
            mask=_mean(precision["segm"][:, :, order[category.id], 0]),
        )
        for category in dataset.categories
    )


def _count(ids: Iterable[int]) -> Counter[int]:
    return Counter(ids)
