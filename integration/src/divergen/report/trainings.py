"""What the report shows of the trainings: AP side by side, losses, predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from divergen_records.coco import Dataset, ImageInfo

from ..data import load_splits
from ..draw import data_uri, thumbnail
from ..previews import spread
from ..run import Run
from ..training import METRICS, metrics_of, training_titles
from .figures import loss_curves

__all__ = ["training_section"]

_SHOWN, _SIDE, _MIN_SCORE = 6, 420, 0.3


def training_section(run: Run, telling: Sequence[int]) -> dict[str, Any]:
    """The template's variables about training; empty ones where nothing is trained.

    Args:
        run: The run.
        telling: Ids of categories whose images are shown first.
    """
    titles = training_titles(run.config)
    found = {name: metrics for name in titles if (metrics := metrics_of(run, name))}
    if not found:
        return {"comparison": None, "losses": None, "predictions": [], "trained": "", "evaluated": 0}
    first = next(iter(found.values()))
    train = run.config.train
    return {
        "comparison": _comparison(found, titles),
        "losses": _losses(run),
        "predictions": _predictions(run, {name: titles[name] for name in found}, telling),
        "trained": getattr(train, "summary", ""),
        "evaluated": first["images"],
    }


def _comparison(found: Mapping[str, Any], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """A table for masks and one for boxes: a row for each training, and what the last gains over each of the others."""
    return [_table(kind, found, titles) for kind in ("mask", "box")]


def _table(kind: str, found: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    rows = [
        {"name": titles[name], "cells": [_percent(metrics[kind][metric]) for metric in METRICS]}
        for name, metrics in found.items()
    ]
    *others, last = found
    for name in others if last == "generated" else ():
        cells = [_change(found[name][kind][metric], found[last][kind][metric]) for metric in METRICS]
        rows.append({"name": f"gain over {titles[name]}", "cells": cells})
    return {"kind": kind, "columns": METRICS, "rows": rows}


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _change(before: float | None, after: float | None) -> str:
    """Points; without a colour, since one seed has no interval that would say what the sign is worth."""
    return "–" if before is None or after is None else f"{100 * (after - before):+.1f}"


def _losses(run: Run) -> str | None:
    from divergen_train import read_log

    paths = {title: run.training(name) / "log.jsonl" for name, title in training_titles(run.config).items()}
    logs = {title: read_log(path) for title, path in paths.items() if path.exists()}
    return loss_curves({title: [line for line in log if "loss" in line] for title, log in logs.items()})


def _predictions(run: Run, titles: Mapping[str, str], telling: Sequence[int]) -> list[dict[str, Any]]:
    """Validation images, each with what is there and the predictions of each training, side by side."""
    from divergen_evaluate import draw_predictions
    from divergen_records.coco import load_sample

    val = load_splits(run, told=True).val
    results = {title: _by_image(run.training(name) / "results.json") for name, title in titles.items()}
    shown = []
    for image in _telling_images(val, telling):
        picture = load_sample(val, image).image
        truth = [{"image_id": image.id, **row} for row in _truth(val, image)]
        columns = {"annotated": truth, **{title: found.get(image.id, []) for title, found in results.items()}}
        shown.append(
            {
                "name": image.file_name,
                "views": [
                    (title, data_uri(thumbnail(draw_predictions(picture, rows, val, threshold=_MIN_SCORE), _SIDE)))
                    for title, rows in columns.items()
                ],
            }
        )
    return shown


def _telling_images(val: Dataset, telling: Sequence[int]) -> list[ImageInfo]:
    """One image for each of the telling categories as far as there are any, else images evenly spaced."""
    images = {image.id: image for image in val.images}
    of_category: dict[int, list[int]] = {}
    for annotation in val.annotations:
        of_category.setdefault(annotation.category_id, []).append(annotation.image_id)
    half = _SHOWN // 2
    ids = dict.fromkeys(of_category[key][0] for key in (*telling[:half], *telling[-half:]) if key in of_category)
    return [images[key] for key in ids] or spread(val.images, _SHOWN)


def _truth(val: Dataset, image: ImageInfo) -> list[dict[str, Any]]:
    from divergen_records.masks import encode_rle, segmentation_to_mask

    rows = []
    for one in val.annotations_of(image.id):
        row: dict[str, Any] = {"category_id": one.category_id, "bbox": list(one.bbox)}
        if one.has_mask:
            row["segmentation"] = encode_rle(segmentation_to_mask(one.segmentation, image.height, image.width))
        rows.append(row)
    return rows


def _by_image(path: Path) -> dict[int, list[dict[str, Any]]]:
    from divergen_evaluate import read_results

    found: dict[int, list[dict[str, Any]]] = {}
    for row in read_results(path):
        if row["score"] >= _MIN_SCORE:
            found.setdefault(row["image_id"], []).append(row)
    return found
