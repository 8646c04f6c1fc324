"""Commands that make a run, or look whether one can be made."""

from __future__ import annotations

from pathlib import Path

import click
from divergen_records.command import answer, echo, next_step, note
from divergen_records.losses import finish, losses_options, row_losses
from divergen_records.stores.arguments import AddressPath, LocalPath

from .options import run_options, stoppable

__all__ = ["check", "demo", "quickstart", "run"]


@click.command()
@click.argument("config")
@run_options
@click.option("--out", type=AddressPath(), help="Folder of the run, s3://… too. [default: runs/NAME]")
@click.option(
    "--like",
    metavar="RUN",
    type=LocalPath(exists=True, file_okay=False),
    help="Begin with a copy of what another run has done with the same settings.",
)
@click.option(
    "--on-problem",
    type=click.Choice(["stop", "skip", "repair"]),
    help="What to do with real images and objects that have a problem: the setting data.on_problem.",
)
@click.option("--shard", metavar="I/N", help="Do part I of N of the table's work, for Slurm arrays; see below.")
@click.option("--dry-run", is_flag=True, help="Say what would be made and cost, check all that it needs, and stop.")
@click.option("--gpu-price", type=click.FloatRange(0), help="Of a GPU's hour, for --dry-run: what each step costs.")
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="NAME=N",
    help="Units per second of a step or generator, for --dry-run; else as this run measured, or as published.",
)
def run(
    config: str,
    overrides: tuple[str, ...],
    out: Path | None,
    like: Path | None,
    on_problem: str | None,
    shard: str | None,
    redo: str | None,
    until: str | None,
    retry: bool,
    dry_run: bool,
    gpu_price: float | None,
    rates: tuple[str, ...],
) -> None:
    """Run the pipeline: prompts, pictures, masks, filter, paste, training, AP, report.

    CONFIG is the path of a YAML file or the name of a shipped config (see `divergen configs`). Stop it whenever you
    like: the same line continues where it was.

    \b
    Examples:
      divergen run coco100 --out RUN data=FOLDER
      divergen run my.yaml generators.0.size=512 train.iterations=1000
      divergen run my.yaml --dry-run --gpu-price 2 --rate sd15=4
      divergen run my.yaml --redo decide rules.rules.0.threshold=0.55
      divergen run my.yaml --out stricter --like runs/my rules.rules.0.threshold=0.7
    On many machines, each does a part up to the scores, then one goes on:
      divergen run my.yaml --out RUN --shard $SLURM_ARRAY_TASK_ID/8
      divergen run my.yaml --out RUN
    """
    from divergen_records import ConfigError, Shard

    from ..budget import show_plan
    from ..fork import fork
    from ..loading import load_config
    from ..run import Run
    from ..runner import finish_run, run_pipeline

    problem = () if on_problem is None else (f"data.on_problem={on_problem}",)
    loaded = load_config(config, (*overrides, *problem))
    folder = Run(out or Path("runs") / loaded.name, loaded)
    if dry_run:
        answer(dry_run=True)
        show_plan(folder, rates, gpu_price)
        return
    if like is not None and folder.place != folder.folder:
        raise ConfigError(f"--like copies on this machine, and {folder.place} is on an object store; leave it out")
    if like is not None and not folder.folder.exists():
        steps = [step.name for step in fork(Run(like), folder.folder, loaded)]
        note(f"as in {like}: {', '.join(steps) or 'nothing; its settings are others'}")
    with stoppable():
        run_pipeline(folder, shard=Shard.parse(shard) if shard else Shard(), redo=redo, until=until, retry=retry)
    finish_run(folder)


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=AddressPath(), help="Folder of the run, for its disk or store. [default: runs/NAME]")
def check(config: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Look at everything that a run will need, before anything is made; `run` begins with the same.

    Packages, weights, models of the hub, the endpoint, rules and their scores, disk, GPU, and the data. Nothing is
    downloaded, loaded or written. Ends with status 1 where something would stop the run; each problem says its remedy.

    \b
    Examples:
      divergen check divergen-lvis data=LVIS
      divergen check my.yaml annotator.checkpoint=sam_vit_h_4b8939.pth
    """
    from divergen_records.alike import remedies_once

    from ..check import check_run, problems_of
    from ..loading import load_config
    from ..run import Run

    loaded = load_config(config, overrides)
    found = check_run(Run(out or Path("runs") / loaded.name, loaded))
    problems = problems_of(found)
    listed = [{"place": one.place, "text": one.finding.text, "problem": one.finding.problem} for one in found]
    answer(problems=len(problems), checked=listed)
    for entry in found:
        if not entry.finding.problem:
            echo(f"ok       {entry}")
    for line in remedies_once(problems):
        echo(f"problem  {line}")
    echo(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}" if problems else "nothing stands in the way")
    if problems:
        raise click.exceptions.Exit(1)
    next_step("divergen", "run", config, *overrides, *([] if out is None else ["--out", out]))


@click.command()
@run_options
@click.option(
    "--out",
    type=AddressPath(),
    default=Path("divergen-quickstart"),
    show_default=True,
    help="Folder of the run.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of everything: data, prompts, pictures, training.")
def quickstart(
    overrides: tuple[str, ...], out: Path, seed: int, redo: str | None, until: str | None, retry: bool
) -> None:
    """See all of it work in about ten minutes on two CPU cores.

    Makes MiniLVIS (a long-tailed dataset of rendered scenes), generates instances for its categories, masks, filters
    and pastes them, trains a Mask R-CNN without and with them, and prints LVIS AP of both. No GPU, no download.
    Run it again to continue after an interruption.
    """
    from ..loading import load_config
    from ..run import Run
    from ..runner import finish_run, run_pipeline

    made = Run(out, load_config("quickstart", (*overrides, f"seed={seed}")))
    with stoppable():
        run_pipeline(made, redo=redo, until=until, retry=retry)
    finish_run(made)


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option(
    "-g",
    "--generator",
    "generators",
    multiple=True,
    metavar="KIND[,KEY=VALUE…]",
    help="What draws, as for divergen-gen; once per generator.  [default: the embedded renderer, in two styles]",
)
@click.option("--per-category", default=4, show_default=True, type=click.IntRange(1), help="Pictures for each word.")
@click.option("--seed", default=0, show_default=True, help="Decides prompts and pictures.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("divergen-demo"), show_default=True, help="Folder to write."
)
@losses_options
def demo(words: tuple[str, ...], generators: tuple[str, ...], per_category: int, seed: int, out: Path) -> None:
    """Your own words as pictures with masks, without a data set: a first look, in seconds.

    \b
    Examples:
      divergen demo umbrella "wine glass" bicycle
      divergen demo person "coffee mug" --generator diffusers,model=stable-diffusion-v1-5/stable-diffusion-v1-5
    """
    from ..demo import DEMO_GENERATORS, make_demo

    with stoppable():
        made = make_demo(words, out, generators=generators or DEMO_GENERATORS, per_category=per_category, seed=seed)
    answer(out=out, pictures=made.pictures, masks=made.masks, unknown=made.unknown, sheet=made.sheet)
    echo(f"{made.pictures} pictures, {made.masks} masks; look: {made.sheet}")
    losses = row_losses(made.table)
    losses.extend(made.unknown)
    next_step("divergen", "run", "coco100", "--out", "RUN", "data=FOLDER")
    finish(losses, came=made.pictures + len(made.unknown), went=made.masks, out=out)
