"""From results and a data set to arrays: which detections are judged, against which objects, by which rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from divergen_records.coco import Annotation, Dataset
from divergen_records.errors import DatasetError, MaskError
from divergen_records.masks import rle_area
from divergen_records.run_lengths import CodeSizes, concatenate_sizes, measure_codes
from numpy.typing import NDArray

from .files import masks_notice
from .fitting import fit_results
from .ious import Detected, Truth
from .matching import Matches, match

__all__ = [
    "COCO_RULES",
    "FIXED_RULES",
    "LVIS_RULES",
    "MAX_DETECTIONS",
    "Matched",
    "Rules",
    "match_results",
]

_CHUNK = 4096
"""Results that are looked at together."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rules:
    """What distinguishes the benchmarks.

    Attributes:
        per_image: Best detections that count on an image, over all categories.
        per_image_category: Best detections that count on an image for each category.
        per_category: Best detections that count for each category, over all images.
        federated: A category is judged only on images that annotate or negate it, and unmatched detections of a
            category that an image does not annotate exhaustively are no errors. Crowds are objects like others, and
            objects and detections without area are not seen, as in lvis-api; otherwise crowds are regions where no
            detection is an error.
    """

    per_image: int | None = None
    per_image_category: int | None = None
    per_category: int | None = None
    federated: bool = False


MAX_DETECTIONS = 300
"""On an image, over all categories, that LVIS counts."""

LVIS_RULES = Rules(per_image=MAX_DETECTIONS, federated=True)
"""Gupta et al., LVIS."""

FIXED_RULES = Rules(per_category=10_000, federated=True)
"""Dave et al., Evaluating Large-Vocabulary Object Detectors: categories do not compete for places on an image."""

COCO_RULES = Rules(per_image_category=100)
"""Lin et al., COCO."""


@dataclass(frozen=True)
class Matched:
    """Detections matched to objects.

    Attributes:
        matches: By kind, ``"box"`` and ``"mask"``; the latter only where results and objects have masks.
        kept: Detections that count, judged or not.
    """

    matches: dict[str, Matches]
    kept: int


def match_results(results: Sequence[Row], dataset: Dataset, rules: Rules) -> Matched:
    """Match results, as `fit_results` reads them, to the objects of a data set.

    Raises:
        DatasetError: If a result names an unknown image or category, lacks a key, or has an impossible value.
    """
    masks = masks_notice(results, dataset) is None
    results = fit_results(results, dataset)
    images, categories = _index(image.id for image in dataset.images), _index(c.id for c in dataset.categories)
    image, category, score = _labels(results, images, categories)
    kept = _limit(image, category, score, rules)
    image, category, score = image[kept], category[kept], score[kept]
    told = _judged_pairs(dataset, images, categories, rules) if rules.federated else None
    stride = max(len(categories), 1)
    key = image * stride + category
    judged = np.isin(key, told) if told is not None else np.ones(len(key), bool)
    indices = kept[judged]
    partial = _keys(
        ((i.id, c) for i in dataset.images for c in i.not_exhaustive_category_ids), images, categories
    )  # fmt: skip
    boxes, area, codes, sizes = _shapes(results, indices, masks)
    detected = Detected(
        image=image[judged],
        category=category[judged],
        score=score[judged],
        boxes=boxes,
        area=area,
        forgiven=np.isin(key[judged], partial) if rules.federated else np.zeros(len(indices), bool),
        masks=codes,
        sizes=sizes,
    )
    if rules.federated:
        detected = detected.select(area > 0)
    truth = _truth(dataset, images, categories, rules, np.unique(key[judged]) if masks else np.zeros(0, np.int64))
    return Matched(match(truth, detected, ("box", "mask") if masks else ("box",)), len(kept))


def _objects(dataset: Dataset, rules: Rules) -> list[Annotation]:
    """Those that are looked at: lvis-api sees neither objects nor detections without area."""
    return [annotation for annotation in dataset.annotations if annotation.area > 0 or not rules.federated]


def _index(ids: Any) -> dict[int, int]:
    return {id_: index for index, id_ in enumerate(sorted(ids))}


def _labels(
    results: Sequence[Row], images: dict[int, int], categories: dict[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Image, category and score of each result, (N,).

    Some at a time: of a million results the first is out of the processor's cache when the last has been looked at.
    """
    image, category = np.empty((2, len(results)), np.int64)
    score = np.empty(len(results), np.float64)
    for start in range(0, len(results), _CHUNK):
        rows, part = results[start : start + _CHUNK], slice(start, start + _CHUNK)
        image[part] = [images[row["image_id"]] for row in rows]
        category[part] = [categories[row["category_id"]] for row in rows]
        score[part] = [row["score"] for row in rows]
    return image, category, score


def _limit(
    image: NDArray[np.int64], category: NDArray[np.int64], score: NDArray[np.float64], rules: Rules
) -> NDArray[np.int64]:
    """Indices of the detections that count, in their order; of equal scores the first given."""
    pair = image * (int(category.max(initial=0)) + 1) + category
    kept = np.ones(len(image), bool)
    for key, most in ((image, rules.per_image), (pair, rules.per_image_category), (category, rules.per_category)):
        if most is not None and len(key):
            order = np.lexsort((-score, key))
            place = np.arange(len(key)) - np.searchsorted(key[order], key[order])
            kept[order[place >= most]] = False
    return np.flatnonzero(kept)


def _judged_pairs(
    dataset: Dataset, images: dict[int, int], categories: dict[int, int], rules: Rules
) -> NDArray[np.int64]:
    """Keys of the pairs of image and category that are judged: annotated there, or certainly absent."""
    negative = ((image.id, category) for image in dataset.images for category in image.neg_category_ids)
    annotated = ((annotation.image_id, annotation.category_id) for annotation in _objects(dataset, rules))
    return np.union1d(_keys(negative, images, categories), _keys(annotated, images, categories))


def _keys(pairs: Any, images: dict[int, int], categories: dict[int, int]) -> NDArray[np.int64]:
    stride = max(len(categories), 1)
    return np.array([images[i] * stride + categories[c] for i, c in pairs if c in categories], np.int64)


def _truth(
    dataset: Dataset, images: dict[int, int], categories: dict[int, int], rules: Rules, wanted: NDArray[np.int64]
) -> Truth:
    annotations = _objects(dataset, rules)
    key = _keys(((a.image_id, a.category_id) for a in annotations), images, categories)
    stride = max(len(categories), 1)
    drawn = np.isin(key, wanted).tolist()
    masks = [_rle(a, dataset) if needed else None for a, needed in zip(annotations, drawn, strict=True)]
    pixels = {image.id: image.height * image.width for image in dataset.images}
    return Truth(
        image=key // stride,
        category=key % stride,
        boxes=np.array([a.bbox for a in annotations], np.float64).reshape(-1, 4),
        area=np.array([a.area for a in annotations], np.float64),
        crowd=np.array([a.iscrowd and not rules.federated for a in annotations], bool),
        masks=masks,
        sizes=measure_codes(
            ["" if mask is None else mask["counts"] for mask in masks],
            np.array([pixels[annotation.image_id] for annotation in annotations], np.int64),
        ),
    )


def _rle(annotation: Annotation, dataset: Dataset) -> Any:
    """Compressed RLE, as pycocotools' ``annToRLE`` makes it."""
    from pycocotools import mask as coco_mask

    segmentation, image = annotation.segmentation, dataset.image(annotation.image_id)
    if isinstance(segmentation, Mapping) and not isinstance(segmentation["counts"], list):
        return segmentation
    drawn = coco_mask.frPyObjects(segmentation, image.height, image.width)
    return coco_mask.merge(drawn) if isinstance(drawn, list) else drawn


def _shapes(
    results: Sequence[Row], indices: NDArray[np.int64], masks: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Any], CodeSizes | None]:
    """Boxes (N, 4), areas (N,), masks and their sizes of some of the results; the masks are checked on the way.

    An area is that of the box where a result has one, as lvis-api and pycocotools take it, else of the mask.
    """
    boxes, areas = np.empty((len(indices), 4)), np.empty(len(indices))
    codes: list[Any] = []
    sizes: list[CodeSizes] = []
    for start in range(0, len(indices), _CHUNK):
        chosen, part = indices[start : start + _CHUNK], slice(start, start + _CHUNK)
        rows = [results[index] for index in chosen.tolist()]
        if masks:
            codes += [row["segmentation"] for row in rows]
            sizes.append(_code_sizes(codes[part], chosen))
        boxes[part], given = _boxes(rows)
        areas[part] = boxes[part, 2] * boxes[part, 3]
        if masks and not given.all():
            areas[part][~given] = sizes[-1].area[~given]
    return boxes, areas, codes, concatenate_sizes(sizes) if masks else None


def _boxes(rows: Sequence[Row]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N, 4) float64, of the mask where a result has none; (N,) bool: which have one."""
    from pycocotools import mask as coco_mask

    boxes: list[Any] = [row.get("bbox") for row in rows]
    given = np.array([box is not None for box in boxes], bool)
    for place in np.flatnonzero(~given).tolist():
        boxes[place] = coco_mask.toBbox(rows[place]["segmentation"])
    return np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4), given


def _code_sizes(codes: Sequence[Row], indices: NDArray[np.int64]) -> CodeSizes:
    """Sizes of masks, each code checked; ``indices`` name the results in the message."""
    pixels = np.array([code["size"] for code in codes], np.int64).reshape(-1, 2).prod(axis=1)
    sizes = measure_codes([code["counts"] for code in codes], pixels)
    for place in np.flatnonzero(sizes.area < 0)[:1].tolist():
        _raise_unreadable(codes[place], int(indices[place]))
    return sizes


def _raise_unreadable(rle: Any, index: int) -> None:
    try:
        rle_area(rle)
        reason = "its code is malformed"
    except MaskError as error:
        reason = str(error)
    raise DatasetError(f"result {index}: its mask cannot be read: {reason}")
