"""The last steps of a run: the same detector without and with the generated instances, and its AP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_records.coco import Dataset, read_dataset
from divergen_records.files import read_json, write_text
from rich.console import Console
from rich.table import Table

from .run import Run

if TYPE_CHECKING:
    from divergen_paste import Chain, Paster

    from .pipeline import Pipeline

__all__ = ["METRICS", "TRAININGS", "metrics_of", "print_comparison", "read_metrics", "train_both"]

TRAININGS = {"real": "real", "generated": "real + generated"}
"""Folder of a training -> what it saw."""

METRICS = ("AP", "AP50", "APr", "APc", "APf")


@dataclass(frozen=True)
class _Training:
    name: str
    dataset: Dataset
    paste: Paster | Chain | None


def train_both(pipeline: Pipeline) -> None:
    """Train with generated instances, and without as the baseline, and evaluate; what is done is not done again."""
    if pipeline.config.train is None:
        return
    for training in _trainings(pipeline):
        folder = pipeline.run.training(training.name)
        if not (folder / "metrics.json").exists():
            _train(pipeline, training)


def _trainings(pipeline: Pipeline) -> Iterator[_Training]:
    train = pipeline.splits.train
    if pipeline.config.baseline:
        yield _Training("real", train, None)
    if not pipeline.pools:
        return
    if pipeline.config.bake is None:
        yield _Training("generated", pipeline.canvas, pipeline.paster)
    else:
        baked = pipeline.run.baked
        yield _Training("generated", read_dataset(baked / "annotations.json", image_dir=baked / "images"), None)


def _train(pipeline: Pipeline, training: _Training) -> None:
    from divergen_evaluate import evaluate_lvis
    from divergen_train import fit, predict
    from divergen_train.bsgal.ledger import read_contributions
    from divergen_train.training.truncate import truncate

    from .feedback import write_feedback

    folder, config, val = pipeline.run.training(training.name), pipeline.config.train, pipeline.splits.val
    name = f"train {training.name}"
    assert config is not None
    if training.paste is None:
        config = config.model_copy(update={"bsgal": None})  # there is nothing to choose from
    fitted = fit(
        training.dataset, out=folder, config=config, paste=training.paste, seed=pipeline.config.seed, progress=name
    )
    checkpoint = fitted.checkpoint
    if len(training.dataset.categories) > len(val.categories):
        checkpoint = folder / "evaluated.pt"
        truncate(fitted.checkpoint, val.categories, checkpoint)
    if config.bsgal is not None:
        write_feedback(pipeline.run.table, read_contributions(folder / "contributions.jsonl"))
    results = predict(checkpoint, val)
    metrics = evaluate_lvis(results, val)
    write_text(folder / "results.json", json.dumps(results), overwrite=True)
    write_text(folder / "metrics.json", metrics.model_dump_json(indent=1), overwrite=True)


def metrics_of(run: Run, name: str) -> dict[str, Any] | None:
    """The metrics of a training, None while it has none."""
    return read_metrics(run.training(name))


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """The metrics in the folder of a training, None while there are none."""
    path = folder / "metrics.json"
    return read_json(path, "train and evaluate again: --redo train") if path.exists() else None


def print_comparison(run: Run) -> None:
    """The AP table, in percent, as far as there is one."""
    found = {title: metrics for name, title in TRAININGS.items() if (metrics := metrics_of(run, name))}
    if not found:
        return
    table = Table("LVIS, %", *found)
    for kind in ("box", "mask"):
        for metric in METRICS:
            values = [metrics[kind][metric] for metrics in found.values()]
            table.add_row(f"{kind} {metric}", *("–" if value is None else f"{100 * value:.1f}" for value in values))
        table.add_section()
    for column in table.columns[1:]:
        column.justify = "right"
    Console().print(table)
