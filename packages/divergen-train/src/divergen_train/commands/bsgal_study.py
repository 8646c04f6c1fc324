"""The command ``divergen-train bsgal-study``."""

from __future__ import annotations

from pathlib import Path

import click
from divergen_records.command import answer, echo
from divergen_records.files import write_text
from divergen_records.folders import new_files

__all__ = ["bsgal_study"]

_NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("bsgal-study")
@click.option("--out", type=_NEW_FOLDER, required=True, help="Folder of study.json, study.svg and study.png.")
@click.option("--study", "name", default="digits", show_default=True, help="digits, or cifar10: the paper's schedule.")
@click.option("--data", type=_FOLDER, help="Folder that holds cifar-10-batches-py.")
@click.option("--design", type=click.Choice(["splits", "same images"]), help="As the study says, else: the paper's.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training images; as the study says.")
@click.option("--normalize", type=click.Choice(["none", "direction", "loss"]), help="As the study says, else.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every random choice.")
@click.option("--device", default="cpu", show_default=True, help="Where to compute.")
@click.option("--overwrite", is_flag=True, help="Replace what is in the folder.")
def bsgal_study(
    out: Path,
    name: str,
    data: Path | None,
    design: str | None,
    epochs: int | None,
    normalize: str | None,
    seed: int,
    device: str,
    overwrite: bool,
) -> None:
    """See whether contributions fall as samples get worse (BSGAL, section 5.1).

    Trains a classifier on one of four stratified splits of the training images (R), and judges the others by R's
    gradient: split 2 clean and with noise 40, split 3 with 100, split 4 with 200. `--design "same images"` judges the
    training images themselves with each noise, by the gradient of held-out images.

    \b
    divergen-train bsgal-study --out study
    divergen-train bsgal-study --out study --study cifar10 --data FOLDER --device cuda
    """
    from ..bsgal.study import run_study
    from ..bsgal.study_config import study_config
    from ..bsgal.study_plot import draw_study

    changes = {"seed": seed, "device": device, "design": design, "epochs": epochs, "normalize": normalize}
    config = study_config(name, **{key: value for key, value in changes.items() if value is not None})
    files = (out / f"study.{suffix}" for suffix in ("svg", "png", "json"))
    with new_files(*files, overwrite=overwrite) as (*figures, numbers):
        report = run_study(config, data=data)
        for figure in figures:
            draw_study(report, figure)
        write_text(numbers, report.model_dump_json(indent=2))
    answer(report=report, out=out)
    echo(report.table())
    echo(f"{out}: study.json, study.svg, study.png")
