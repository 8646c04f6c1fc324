"""The last steps of a run: the same detector without and with the generated instances, and its AP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_records.coco import Dataset, read_dataset
from divergen_records.files import read_json, write_text
from rich.console import Console
from rich.table import Table

from .run import Run
from .trainers.protocol import TrainTask

if TYPE_CHECKING:
    from divergen_paste import Chain, Paster

    from .pipeline import Pipeline

__all__ = ["METRICS", "TRAININGS", "metrics_of", "print_comparison", "read_metrics", "train_all"]

TRAININGS = {"real": "real", "generated": "real + generated"}
"""Folder of a training -> what it saw."""

METRICS = ("AP", "AP50", "APr", "APc", "APf")


def train_all(pipeline: Pipeline) -> None:
    """Train with generated instances, and without as the baseline, and evaluate; what is done is not done again."""
    if pipeline.config.train is None:
        return
    for task in _tasks(pipeline):
        if not (task.out / "metrics.json").exists():
            _train(pipeline, task)


def _tasks(pipeline: Pipeline) -> Iterator[TrainTask]:
    if pipeline.config.baseline:
        yield _task(pipeline, "real", pipeline.splits.train)
    if pipeline.pools and pipeline.bake is None:
        yield _task(pipeline, "generated", pipeline.canvas, pipeline.paster)
    elif pipeline.pools:
        baked = pipeline.run.baked
        yield _task(pipeline, "generated", read_dataset(baked / "annotations.json", image_dir=baked / "images"))


def _task(pipeline: Pipeline, name: str, dataset: Dataset, paste: Paster | Chain | None = None) -> TrainTask:
    return TrainTask(
        name=f"train {name}",
        dataset=dataset,
        val=pipeline.splits.val,
        out=pipeline.run.training(name),
        seed=pipeline.config.seed,
        paste=paste,
        draws=None if paste is None else pipeline.draws,
        start=None if paste is None or not pipeline.config.from_baseline else pipeline.run.training("real"),
    )


def _train(pipeline: Pipeline, task: TrainTask) -> None:
    from divergen_evaluate import evaluate_lvis, read_results

    from .feedback import write_feedback

    trained = pipeline.trainer.train(task)
    contributions = list(trained.contributions)
    if contributions:
        write_feedback(pipeline.run.table, contributions)
    metrics = evaluate_lvis(read_results(task.results), task.val)
    write_text(task.out / "metrics.json", metrics.model_dump_json(indent=1), overwrite=True)


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
