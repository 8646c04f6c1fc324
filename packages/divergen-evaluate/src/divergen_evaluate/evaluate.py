"""LVIS and COCO average precision of anyone's results.

LVIS (Gupta et al., section 2) is federated: an image tells of the categories that are annotated on it and of its
``neg_category_ids``; detections of any other category are not judged there. Unmatched detections of its
``not_exhaustive_category_ids`` are no errors. The 300 detections of highest score count on each image, over all
categories together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError
from divergen_records.formats.coco.folder import is_federated
from divergen_records.formats.coco.frame import read_json_bytes
from numpy.typing import NDArray

from .average_precision import average_precision
from .average_recall import RECALLS_OF, recall
from .metrics import CategoryScore, Metrics, Scores
from .selection import COCO_RULES, FIXED_RULES, LVIS_RULES, MAX_DETECTIONS, Matched, Rules, match_results

__all__ = [
    "MAX_DETECTIONS",
    "add_fixed",
    "evaluate_coco",
    "evaluate_lvis",
    "read_results",
    "summarise",
    "truncation_notice",
]

_KEYS = ("annotations", "predictions", "results", "detections")
"""Where a file that is an object has its results."""
_BINARY = {b"\x80": "a pickle, which could run anything and is never opened", b"PK": "an archive (.npz, .pth)"}
"""What other files of results begin with, and are."""
_FORM = (
    'what is read is JSON, [{"image_id": …, "category_id": …, "bbox": [x, y, w, h], "segmentation": …, "score": …}, …]'
)


def evaluate_lvis(
    results: Sequence[Mapping[str, Any]], dataset: Dataset, *, federated: bool | None = None, fixed: bool = False
) -> Metrics:
    """LVIS metrics of boxes, and of masks where the results have them.

    Args:
        results: COCO results: ``image_id``, ``category_id``, ``score``, ``segmentation`` as compressed RLE, and
            ``bbox`` XYWH in pixels (from the mask where it is missing; alone, only boxes are judged). What
            `fit_results` reads is taken as well.
        dataset: Ground truth; where an object has a box and no mask, only boxes are judged.
        federated: Judge a category only on images that annotate or negate it. By default where the data set has such
            lists at all; one without (COCO) is annotated exhaustively, every category counts on every image.
        fixed: AP-fixed too (Dave et al.): the 10,000 best detections of each category count, however many an image
            has. It needs results that were not cut to 300 an image.

    Raises:
        DatasetError: If a result names an unknown image or category, lacks a key, or has an impossible value.
    """
    federated = is_federated(dataset) if federated is None else federated
    metrics = _metrics(results, dataset, replace(LVIS_RULES, federated=federated), "lvis")
    if not fixed:
        return metrics
    return add_fixed(metrics, results, dataset)


def add_fixed(metrics: Metrics, results: Sequence[Mapping[str, Any]], dataset: Dataset) -> Metrics:
    """LVIS metrics with AP-fixed of the same results."""
    other = _metrics(results, dataset, replace(FIXED_RULES, federated=metrics.federated), "lvis")
    return metrics.model_copy(update={"box_fixed": other.box, "mask_fixed": other.mask})


def truncation_notice(results: Sequence[Mapping[str, Any]]) -> str | None:
    """A sentence for results that look as if each image's were cut off at 300, which AP-fixed must not be given."""
    counts = Counter(row["image_id"] for row in results)
    full = sum(count == MAX_DETECTIONS for count in counts.values())
    if not full or max(counts.values()) > MAX_DETECTIONS:
        return None
    return (
        f"{full} of {len(counts)} images have exactly {MAX_DETECTIONS} results and none has more: where they were cut "
        f"off there, AP-fixed is too low; `divergen-train predict --detections 1000` keeps more"
    )


def evaluate_coco(results: Sequence[Mapping[str, Any]], dataset: Dataset) -> Metrics:
    """COCO metrics: every category counts on every image, the 100 best detections of a category on an image count.

    Args:
        results: As in `evaluate_lvis`. As pycocotools does, an object's size for APs, APm and APl is that of its box
            where a result has one; leave ``bbox`` out to have it from the mask.
        dataset: Ground truth; crowds are regions where no detection is an error.

    Raises:
        DatasetError: As `evaluate_lvis`.
    """
    return _metrics(results, dataset, COCO_RULES, "coco")


def read_results(path: Path | str) -> list[dict[str, Any]]:
    """COCO results from a JSON file, this package's or anyone's, compressed or not.

    An object that holds them under ``annotations``, ``predictions``, ``results`` or ``detections``, and JSON Lines, are
    read as well. NaN and Infinity are read, and refused where a number is needed, with the row's name.

    Raises:
        DatasetError: If it is not a list of results.
    """
    data = read_json_bytes(Path(path))
    if not data.strip():
        raise DatasetError(f"{path}: the file is empty ({len(data)} bytes); {_FORM}")
    if (kind := next((kind for head, kind in _BINARY.items() if data.startswith(head)), None)) is not None:
        raise DatasetError(f"{path}: this is {kind}; {_FORM}")
    try:
        content = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = _decode_otherwise(data, path)
    if isinstance(content, dict):
        content = next((content[key] for key in _KEYS if key in content), None)
    if not isinstance(content, list) or (content and not any(isinstance(row, dict) for row in content)):
        raise DatasetError(
            f"{path}: not a list of COCO results, nor an object with such a list as {', '.join(_KEYS)}; {_FORM}"
        )
    for index, row in enumerate(content):
        if not isinstance(row, dict):
            raise DatasetError(f"{path}: result {index} is {row!r:.40}, no object; take it out of the file")
    return content


def _decode_otherwise(data: bytes, path: Path | str) -> Any:
    """JSON Lines, or JSON or JSON Lines with NaN."""
    try:
        return msgspec.json.Decoder().decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return json.loads(data)
        except json.JSONDecodeError as error:
            lines = data.splitlines()
            if "Extra data" in str(error) and len(lines) > 1:
                with suppress(ValueError):
                    return [json.loads(line) for line in lines if line.strip()]
            raise DatasetError(f"{path}: not a list of COCO results ({error}); {_FORM}") from error
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path}: not a list of COCO results ({error}); {_FORM}") from error


def _metrics(results: Sequence[Mapping[str, Any]], dataset: Dataset, rules: Rules, style: str) -> Metrics:
    judged = match_results(results, dataset, rules)
    return summarise(judged, dataset, style=style, federated=rules.federated)


def summarise(judged: Matched, dataset: Dataset, *, style: str, federated: bool) -> Metrics:
    """The metrics of detections that are matched."""
    precision = {kind: average_precision(matches, len(dataset.categories)) for kind, matches in judged.matches.items()}
    nothing = np.full_like(precision["box"], np.nan)
    box, mask = precision["box"], precision.get("mask", nothing)
    return Metrics(
        box=_scores(box, dataset),
        mask=_scores(mask, dataset),
        categories=_category_scores(box, mask, dataset),
        images=len(dataset.images),
        detections=judged.kept,
        federated=federated,
        style=style,
        box_recall=_recalls(judged, "box", dataset, style),
        mask_recall=_recalls(judged, "mask", dataset, style),
    )


def _recalls(judged: Matched, kind: str, dataset: Dataset, style: str) -> dict[str, float | None]:
    if kind not in judged.matches:
        return {}
    matches, categories = judged.matches[kind], len(dataset.categories)
    return {name: _mean(recall(matches, categories, *which)) for name, which in RECALLS_OF[style].items()}


def _scores(precision: NDArray[np.float64], dataset: Dataset) -> Scores:
    """From (areas, IoU thresholds, categories by id)."""
    groups = np.array([category.frequency for category in sorted(dataset.categories, key=lambda one: one.id)])
    everything = precision[0]
    return Scores(
        AP=_mean(everything),
        AP50=_mean(everything[0]),
        AP75=_mean(everything[5]),
        APs=_mean(precision[1]),
        APm=_mean(precision[2]),
        APl=_mean(precision[3]),
        APr=_mean(everything[:, groups == "r"]),
        APc=_mean(everything[:, groups == "c"]),
        APf=_mean(everything[:, groups == "f"]),
    )


def _mean(precision: NDArray[np.float64]) -> float | None:
    defined = precision[~np.isnan(precision)]
    return float(defined.mean()) if defined.size else None


def _category_scores(
    box: NDArray[np.float64], mask: NDArray[np.float64], dataset: Dataset
) -> tuple[CategoryScore, ...]:
    order = {id_: index for index, id_ in enumerate(sorted(category.id for category in dataset.categories))}
    instances = Counter(annotation.category_id for annotation in dataset.annotations)
    return tuple(
        CategoryScore(
            id=category.id,
            name=category.name,
            frequency=category.frequency,
            instances=instances[category.id],
            box=_mean(box[0, :, order[category.id]]),
            mask=_mean(mask[0, :, order[category.id]]),
        )
        for category in dataset.categories
    )
