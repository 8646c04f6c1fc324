"""The command ``divergen-train``: parse, call one public function, print."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import click
from divergen_evaluate.cli import evaluate, export_results
from divergen_evaluate.files import frequency_notice
from divergen_records.command import Group, answer, echo, next_step
from divergen_records.data_options import on_problem_option, open_dataset, tell_shared
from divergen_records.files import refuse_existing, write_text
from divergen_records.formats import OnProblem
from divergen_records.stores.arguments import LocalPath

from .commands.analyse import analyse
from .commands.bsgal_study import bsgal_study
from .commands.recipes import pasting_notice, recipes, truncate

__all__ = ["main"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DATA = click.Path(exists=True, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="divergen-train")
def main() -> None:
    """Train instance segmentation on long-tailed data, and measure LVIS AP.

    \b
    divergen-train fit train.json --images images --out run --preset quickstart
    divergen-train predict run/checkpoint.pt val.json --images images --out results.json
    divergen-train evaluate results.json --gt val.json
    """


@main.command()
@click.argument("dataset", type=_DATA)
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--images", type=_FOLDER, help="Folder of the images; beside DATASET by default.")
@click.option("--out", type=LocalPath(file_okay=False), required=True, help="Folder of the run.")
@click.option("--val", type=_DATA, help="LVIS or COCO file to evaluate on.")
@click.option("--val-images", type=_FOLDER, help="Folder of its images; beside the file by default.")
@click.option("--preset", "preset_name", default="small", show_default=True, help="Preset, recipe, or a recipe's file.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every random choice.")
@on_problem_option
def fit(
    dataset: Path,
    settings: tuple[str, ...],
    images: Path | None,
    out: Path,
    val: Path | None,
    val_images: Path | None,
    preset_name: str,
    seed: int,
    on_problem: OnProblem,
) -> None:
    """Train a detector on DATASET, an LVIS or COCO file. Stopped, the same command goes on where it was.

    \b
    divergen-train fit train.json --out run iterations=2000 detector.fpn_channels=128
    torchrun --nproc-per-node=8 -m divergen_train fit train.json --out run micro_batch=2 precision=bfloat16
    """
    from divergen_records.settings import apply_settings

    from .training.config import TrainConfig
    from .training.presets import preset

    config = apply_settings(TrainConfig, preset(preset_name), settings)
    from .training.fit import fit as train

    leads = os.environ.get("RANK", "0") == "0"
    if leads and (notice := pasting_notice(preset_name)):
        echo(notice, err=True)
    data = open_dataset(dataset, images, split="train", on_problem=on_problem)
    if leads and (notice := frequency_notice(data)):
        echo(notice, err=True)
    judged = None if val is None else open_dataset(val, val_images, split="val", on_problem=on_problem)
    if judged is not None and leads:
        tell_shared(data, judged)
    result = train(data, out=out, config=config, val=judged, seed=seed)
    if leads:
        metrics = result.metrics
        answer(checkpoint=result.checkpoint, iterations=result.iterations, seconds=result.seconds, loss=result.loss)
        answer(metrics=metrics)
        went = "nothing was left to do" if math.isnan(result.loss) else f"loss {result.loss:.3f}"
        echo(f"{result.checkpoint}: {result.iterations} iterations, {result.seconds:.0f} s, {went}")
        if metrics is not None:
            echo(metrics.table())
        next_step("divergen-train", "predict", result.checkpoint, val or "VAL.json", "--out", "results.json")


@main.command()
@click.argument("checkpoint", type=_FILE)
@click.argument("dataset", type=_DATA)
@click.option("--images", type=_FOLDER, help="Folder of the images; beside DATASET by default.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="COCO results, JSON.")
@click.option("--image-size", type=click.IntRange(min=32), help="Longest side, pixels; as trained by default.")
@click.option("--detections", type=click.IntRange(min=1), help="Most on an image; as trained by default.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images at once.")
@on_problem_option
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def predict(
    checkpoint: Path,
    dataset: Path,
    images: Path | None,
    out: Path,
    image_size: int | None,
    detections: int | None,
    batch_size: int,
    on_problem: OnProblem,
    overwrite: bool,
) -> None:
    """Detect the objects in the images of DATASET, and write them as COCO results.

    \b
    divergen-train predict run/checkpoint.pt val.json --out results.json
    divergen-train predict run/checkpoint.pt val.json --out results.json --image-size 800 --detections 1000
    """
    refuse_existing(out, overwrite=overwrite)
    from .training.inference import predict as detect

    data = open_dataset(dataset, images, split="val", on_problem=on_problem)
    results = detect(checkpoint, data, image_size=image_size, detections=detections, batch_size=batch_size)
    write_text(out, json.dumps(results), overwrite=overwrite)
    answer(out=out, detections=len(results))
    echo(f"{out}: {len(results)} detections")
    next_step("divergen-evaluate", "ap", out, "--gt", dataset, "--intervals")


for command in (analyse, bsgal_study, recipes, truncate):
    main.add_command(command)
main.add_command(evaluate, "evaluate")  # those of divergen-evaluate, under the names that they have here
main.add_command(export_results, "export-results")
