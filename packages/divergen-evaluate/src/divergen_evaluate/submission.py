"""Results in the form that other tools take: lvis-api, pycocotools, evaluation servers, annotation tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError, MaskError, NothingLeft
from divergen_records.losses import Losses
from divergen_records.masks import check_segmentation

from .fitting import Fitter, check_box
from .selection import LVIS_RULES

__all__ = ["export_results"]

Kind = Literal["box", "mask"]


def export_results(
    results: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    *,
    per_image: int | None = LVIS_RULES.per_image,
    min_score: float | None = None,
    only: Kind | None = None,
    drop_unknown: bool = False,
    losses: Losses | None = None,
    drop_misfits: bool = False,
    told: Counter[str] | None = None,
) -> list[dict[str, Any]]:
    """COCO results with the keys of the format and no others, by image in the data set's order and falling score.

    Args:
        results: COCO results, of this package or anyone.
        dataset: The images and categories that they are for.
        per_image: Best results kept on an image; all where it is None.
        min_score: Results below this score are left out; none where it is None.
        only: Leave out the masks (``"box"``), or the boxes (``"mask"``): then evaluators take an object's size from
            its mask.
        drop_unknown: Leave out results of categories that the data set lacks, such as those trained beside LVIS's.
        losses: Takes in results that are malformed; they are errors where None.
        drop_misfits: Those for no image or category of the data set, or without a sound score, are malformed as well.
        told: Counts results that say the same in other words, by sentence; see `fit_results`.

    Raises:
        DatasetError: If a result is for an unknown image or category, or lacks what is asked for.
        NothingLeft: If all are malformed.
    """
    fitter = Fitter(dataset, told)
    by_image: dict[int, list[dict[str, Any]]] = {}
    for index, given in enumerate(results):
        row = fitter.mend_labels(given)
        try:
            fitter.check(row, index, any_category=drop_unknown)
            slim = _slim(row, only, index)
        except DatasetError as error:
            if losses is None or not drop_misfits:
                raise
            losses.add(f"result {index}", str(error).partition(": ")[2])
            continue
        row, reason = _read(row, index, fitter)
        if reason is not None:
            if losses is None:
                raise DatasetError(f"result {index}: {reason}")
            losses.add(f"result {index}", reason)
        elif row["category_id"] in fitter.categories and (min_score is None or row["score"] >= min_score):
            by_image.setdefault(row["image_id"], []).append({key: row[key] for key in slim})
    if losses and len(losses) == len(results):
        raise NothingLeft(f"all {len(results)} results are malformed, so nothing is written")
    for rows in by_image.values():
        rows.sort(key=lambda row: -float(row["score"]))
    return [row for image in dataset.images for row in by_image.get(image.id, ())[:per_image]]


def _read(row: Mapping[str, Any], index: int, fitter: Fitter) -> tuple[Mapping[str, Any], str | None]:
    """A result, and what is wrong with its box or mask, None where nothing is; what is not there is not looked at."""
    try:
        if row.get("bbox") is not None:
            check_box(row["bbox"], index)
        if row.get("segmentation"):
            row = fitter.mend_mask(row, index)
            image = fitter.dataset.image(row["image_id"])
            check_segmentation(row["segmentation"], image.height, image.width)
    except DatasetError as error:
        return row, str(error).partition(": ")[2]
    except MaskError as error:
        return row, f"its mask: {error}"
    return row, None


def _slim(row: Mapping[str, Any], only: Kind | None, index: int) -> dict[str, Any]:
    shape = {"box": ("bbox",), "mask": ("segmentation",), None: ("bbox", "segmentation")}[only]
    kept = {key: row[key] for key in shape if row.get(key)}
    if not kept:
        raise DatasetError(f"result {index}: has no {' and no '.join(shape)}")
    return {"image_id": row["image_id"], "category_id": row["category_id"], "score": row["score"], **kept}
