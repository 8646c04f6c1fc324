"""The last steps of a run: the same detector without and with the generated instances, and its AP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_records.answers import answer
from divergen_records.coco import Dataset, read_dataset
from divergen_records.command import console, echo
from divergen_records.errors import DatasetError
from divergen_records.files import read_json, write_text
from rich.table import Table

from .config import RunConfig
from .run import Run
from .trainers.protocol import TrainTask

if TYPE_CHECKING:
    from divergen_evaluate import Metrics
    from divergen_paste import Chain, Paster

    from .pipeline import Pipeline

__all__ = [
    "METRICS",
    "evaluate_task",
    "metrics_of",
    "print_comparison",
    "read_metrics",
    "train_all",
    "train_real",
    "training_titles",
]

_PASTED = {"real": "copy-paste", "generated": "generated", "both": "copy-paste + generated"}

METRICS = ("AP", "AP50", "APr", "APc", "APf")


def train_all(pipeline: Pipeline) -> None:
    """Train on real images, with their own objects pasted, with generated ones; evaluate; go on where it stopped."""
    if pipeline.config.train is None:
        return
    for task in _tasks(pipeline):
        if not (task.out / "metrics.json").exists():
            _train(pipeline, task)


def train_real(pipeline: Pipeline, out: Path) -> Path:
    """Train on the real images alone in a folder of one's own, where that is not done; the folder."""
    task = replace(_task(pipeline, "real", pipeline.splits.train), out=out)
    if not (out / "metrics.json").exists():
        _train(pipeline, task)
    return out


def _tasks(pipeline: Pipeline) -> Iterator[TrainTask]:
    run, canvas = pipeline.run, pipeline.canvas
    if pipeline.config.baseline:
        yield _task(pipeline, "real", pipeline.splits.train)
    for name, pools, baked in (
        ("control", pipeline.control_pools, run.baked_control),
        ("generated", pipeline.pools, run.baked),
    ):
        if pools and pipeline.bake is None:
            yield _task(pipeline, name, canvas, pipeline.paster_of(pools))
        elif pools:
            yield _task(pipeline, name, read_dataset(baked / "annotations.json", image_dir=baked / "images"))


def _task(pipeline: Pipeline, name: str, dataset: Dataset, paste: Paster | Chain | None = None) -> TrainTask:
    baseline = pipeline.run.training("real") if pipeline.config.baseline and name != "real" else None
    return TrainTask(
        name=f"train {name}",
        dataset=dataset,
        val=pipeline.splits.val,
        out=pipeline.run.training(name),
        seed=pipeline.config.seed,
        paste=paste,
        draws=pipeline.draws if name == "generated" and paste is not None else None,
        start=None if paste is None or not pipeline.config.from_baseline else baseline,
        baseline=baseline,
    )


def _train(pipeline: Pipeline, task: TrainTask) -> None:
    from .feedback import write_feedback

    trained = pipeline.trainer.train(task)
    contributions = list(trained.contributions)
    if contributions:
        write_feedback(pipeline.run.table, contributions)
    write_text(task.out / "metrics.json", evaluate_task(task).model_dump_json(indent=1), overwrite=True)


def evaluate_task(task: TrainTask) -> Metrics:
    """The metrics of what a trainer detected, whoever's it is; what only looks right is said."""
    from divergen_evaluate import evaluate_lvis, read_results
    from divergen_evaluate.files import results_notices
    from divergen_evaluate.fitting import fit_results

    results, told = read_results(task.results), Counter[str]()
    try:
        fitted = fit_results(results, task.val, told=told)
        metrics = evaluate_lvis(fitted, task.val)
    except DatasetError as error:
        raise DatasetError(f"{task.name}: {task.results}: {error}") from error
    for notice in (*told, *results_notices(fitted, task.val)):
        echo(f"note: {task.name}: {notice}", err=True)
    return metrics


def training_titles(config: RunConfig) -> dict[str, str]:
    """Folder of a training -> what it saw, the one that the others are compared with first."""
    return {"real": "real", "control": "real + copy-paste", "generated": f"real + {_PASTED[config.pastes]}"}


def metrics_of(run: Run, name: str) -> dict[str, Any] | None:
    """The metrics of a training, None while it has none."""
    return read_metrics(run.training(name))


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """The metrics in the folder of a training, None while there are none."""
    path = folder / "metrics.json"
    return read_json(path, "train and evaluate again: --redo train") if path.exists() else None


def print_comparison(run: Run) -> None:
    """The AP table, in percent, as far as there is one."""
    titles = training_titles(run.config)
    found = {title: metrics for name, title in titles.items() if (metrics := metrics_of(run, name))}
    if not found:
        return
    answer(metrics=found)
    table = Table("LVIS, %", *found)
    for kind in ("box", "mask"):
        for metric in METRICS:
            values = [metrics[kind][metric] for metrics in found.values()]
            table.add_row(f"{kind} {metric}", *("–" if value is None else f"{100 * value:.1f}" for value in values))
        table.add_section()
    for column in table.columns[1:]:
        column.justify = "right"
    console().print(table)
