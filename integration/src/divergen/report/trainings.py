"""What the report shows of the trainings: AP side by side, losses, predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from divergen_records import DatasetError
from divergen_records.files import read_text

from ..data import load_splits
from ..draw import data_uri, sheet
from ..previews import spread
from ..run import Run
from ..training import METRICS, metrics_of, training_titles
from .figures import loss_curves

__all__ = ["training_section"]

_SHOWN, _SIDE, _MIN_SCORE = 6, 300, 0.3


def training_section(run: Run) -> dict[str, Any]:
    """The template's variables about training; empty ones where nothing is trained."""
    titles = training_titles(run.config)
    found = {name: metrics for name in titles if (metrics := metrics_of(run, name))}
    if not found:
        return {"comparison": None, "losses": None, "predictions": [], "trained": "", "evaluated": 0}
    first = next(iter(found.values()))
    train = run.config.train
    return {
        "comparison": _comparison(found, titles),
        "losses": _losses(run),
        "predictions": _predictions(run, {name: titles[name] for name in found}),
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


def _results(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(read_text(path)))
    except ValueError as error:
        raise DatasetError(f"{path}: damaged ({error}); predict again: --redo train") from error


def _predictions(run: Run, titles: Mapping[str, str]) -> list[dict[str, str]]:
    """Validation images with the predictions of each training."""
    from divergen_evaluate import draw_predictions
    from divergen_records.coco import load_sample

    val = load_splits(run).val
    images = spread(val.images, _SHOWN)
    shown = []
    for name, title in titles.items():
        results = _results(run.training(name) / "results.json")
        pictures = [
            draw_predictions(
                load_sample(val, image).image,
                [row for row in results if row["image_id"] == image.id],
                val,
                threshold=_MIN_SCORE,
            )
            for image in images
        ]
        shown.append(
            {
                "title": f"Predictions: {title}",
                "text": f"Validation images; detections with a score of at least {_MIN_SCORE}.",
                "picture": data_uri(sheet(pictures, columns=3, side=_SIDE)),
            }
        )
    return shown
