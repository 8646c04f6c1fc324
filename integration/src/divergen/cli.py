"""The `divergen` command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from divergen_records.command import Group, echo
from divergen_records.data_options import format_option
from divergen_records.losses import Losses, finish, finishing, losses_options


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="divergen")
def main() -> None:
    """Generative data for long-tailed instance segmentation.

    \b
    See all of it work, without a GPU or a download:
      divergen quickstart
    On your own data, a folder with images/ and annotations.json (COCO or LVIS format):
      divergen run coco100 --out RUN data=FOLDER
    """


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = losses_options(command)
    for option in (
        click.option("--redo", metavar="STEP", help="Do this step and all that follow it again."),
        click.option("--until", metavar="STEP", help="Stop after this step."),
        click.option("--retry", is_flag=True, help="Try again the rows that failed."),
        click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]..."),
    ):
        command = option(command)
    return command


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C ends a run with a sentence; finished work is in the table."""
    # Threads of OpenMP that spin while they wait starve each other as soon as any other program runs: on two cores with
    # one busy, training was twice as fast with threads that sleep. It must be said before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        yield
    except KeyboardInterrupt:
        echo("\nstopped; the same line continues where it was", err=True)
        raise click.exceptions.Exit(130) from None


@main.command()
@click.argument("config")
@_run_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run. [default: runs/NAME]")
@click.option(
    "--like",
    metavar="RUN",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Begin with a copy of what another run has done with the same settings.",
)
@click.option(
    "--on-problem",
    type=click.Choice(["stop", "skip", "repair"]),
    help="What to do with real images and objects that have a problem: the setting data.on_problem.",
)
@click.option("--shard", metavar="I/N", help="Do part I of N of the table's work, for Slurm arrays; see below.")
@click.option("--dry-run", is_flag=True, help="Say what would be made, check all that it needs, and stop.")
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
) -> None:
    """Run the pipeline: prompts, pictures, masks, filter, paste, training, AP, report.

    CONFIG is the path of a YAML file or the name of a shipped config (see `divergen configs`). Stop it whenever you
    like: the same line continues where it was.

    \b
    Examples:
      divergen run coco100 --out RUN data=FOLDER
      divergen run my.yaml generators.0.size=512 train.iterations=1000
      divergen run my.yaml --dry-run
      divergen run my.yaml --redo decide rules.rules.0.threshold=0.55
      divergen run my.yaml --out stricter --like runs/my rules.rules.0.threshold=0.7
    On many machines, each does a part up to the scores, then one goes on:
      divergen run my.yaml --out RUN --shard $SLURM_ARRAY_TASK_ID/8
      divergen run my.yaml --out RUN
    """
    from divergen_records import Shard

    from .check import check_run, refuse_problems
    from .fork import fork
    from .loading import load_config
    from .run import Run
    from .runner import describe_plan, finish_run, run_pipeline

    problem = () if on_problem is None else (f"data.on_problem={on_problem}",)
    loaded = load_config(config, (*overrides, *problem))
    folder = Run(out or Path("runs") / loaded.name, loaded)
    if dry_run:
        echo(describe_plan(folder))
        refuse_problems(check_run(folder))
        return
    if like is not None and not folder.folder.exists():
        steps = [step.name for step in fork(Run(like), folder.folder, loaded)]
        echo(f"as in {like}: {', '.join(steps) or 'nothing; its settings are others'}", err=True)
    with _stoppable():
        run_pipeline(folder, shard=Shard.parse(shard) if shard else Shard(), redo=redo, until=until, retry=retry)
    finish_run(folder)


@main.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run, for its disk. [default: runs/NAME]")
def check(config: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Look at everything that a run will need, before anything is made; `run` begins with the same.

    Packages, weights, models of the hub, the endpoint, rules and their scores, disk, GPU, and the data. Nothing is
    downloaded, loaded or written. Ends with status 1 where something would stop the run; each problem says its remedy.

    \b
    Examples:
      divergen check divergen-lvis data=LVIS
      divergen check my.yaml annotator.checkpoint=sam_vit_h_4b8939.pth
    """
    from .check import check_run
    from .loading import load_config
    from .run import Run

    loaded = load_config(config, overrides)
    found = check_run(Run(out or Path("runs") / loaded.name, loaded))
    problems = [entry for entry in found if entry.finding.problem]
    for entry in found:
        if not entry.finding.problem:
            echo(f"ok       {entry}")
    for entry in problems:
        echo(f"problem  {entry}")
    echo(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}" if problems else "nothing stands in the way")
    if problems:
        raise click.exceptions.Exit(1)


@main.command()
@_run_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
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
    from .loading import load_config
    from .run import Run
    from .runner import finish_run, run_pipeline

    made = Run(out, load_config("quickstart", (*overrides, f"seed={seed}")))
    with _stoppable():
        run_pipeline(made, redo=redo, until=until, retry=retry)
    finish_run(made)


@main.command()
@click.argument("ablation")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of all runs. [default: ablations/NAME]")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1), help="So many seeds, from 0 on.")
@click.option("--shard", metavar="I/N", help="Do every N-th run from the I-th on, for Slurm arrays.")
@click.option("--dry-run", is_flag=True, help="Check all configurations, name the runs, and stop.")
def ablate(
    ablation: str, overrides: tuple[str, ...], out: Path | None, seeds: int, shard: str | None, dry_run: bool
) -> None:
    """Ask whether a finding of the papers holds here: runs that differ in one thing, over several seeds.

    ABLATION is the name of a shipped one (`divergen configs` lists them) or a YAML file with `question`, `base` and
    `arms`. Every arm is compared with the same detector on the real images alone, seed by seed. Stop it whenever you
    like: the same line continues.

    \b
    Examples:
      divergen ablate models
      divergen ablate selection --seeds 5 train.iterations=600
      divergen ablate my.yaml --shard $SLURM_ARRAY_TASK_ID/10
    """
    from divergen_records import Shard
    from rich.console import Console

    from .ablation import configs, load_ablation, run_ablation
    from .outcomes import print_outcomes

    loaded = load_ablation(ablation)
    if dry_run:
        for arm, seed in configs(loaded, overrides, range(seeds)):
            echo(f"{arm}, seed {seed}")
        return
    folder = out or Path("ablations") / Path(ablation).stem
    with _stoppable():
        found = run_ablation(
            loaded,
            folder,
            seeds=range(seeds),
            overrides=overrides,
            shard=Shard.parse(shard) if shard else None,
        )
    print_outcomes(found, Console())
    echo(f"\n{folder / 'ablation.png'}\n{folder / 'ablation.json'}")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--budget", required=True, type=click.IntRange(1), help="Pictures to make.")
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1), help="Learn anew so many times.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the rounds' runs. [default: RUN-grown]")
@click.option("--dry-run", is_flag=True, help="Print what would be made next and why, and stop.")
@losses_options
def grow(run: Path, budget: int, rounds: int, out: Path | None, dry_run: bool) -> None:
    """Make more of what helped RUN's training, train again, and compare.

    More pictures go to categories that generated data still improves, by generators whose instances the training drew
    most (train.bsgal={kind: belief}). RUN is not changed: each round is a run of its own, which begins with all that
    the one before has. The same line continues.

    \b
    Examples:
      divergen grow RUN --budget 500 --dry-run
      divergen grow RUN --budget 500 --rounds 3
    """
    from rich.console import Console

    from .growth import grow as grow_run
    from .growth import plan_growth, print_growth
    from .run import Run
    from .runner import finish_run
    from .training import print_comparison

    if dry_run:
        print_growth(plan_growth(Run(run), budget), Console())
        return
    with _stoppable():
        found = grow_run(Run(run), out or run.with_name(f"{run.name}-grown"), budget, rounds)
    for grown in found:
        echo(grown.folder)
        print_comparison(grown)
    finish_run(found[-1])  # the last holds what all before it have


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(run: Path, as_json: bool) -> None:
    """Print how far a run is: done, pending and failed per stage; the funnel per frequency group.

    \b
    Example:
      divergen status divergen-quickstart
    """
    from rich.console import Console

    from .run import Run
    from .status import print_status, run_status

    found = run_status(Run(run))
    if as_json:
        echo(found.to_json())
    else:
        print_status(found, Console())


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Write RUN/report.html: one file with the funnel, galleries, similarities, pasted images and AP.

    \b
    Example:
      divergen report divergen-quickstart
    """
    from .report import write_report
    from .run import Run

    echo(write_report(Run(run)))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@format_option("--format", "kind", required=True, help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option("--where", default="kept", show_default=True, help="SQL filter over the table's columns.")
@losses_options
@click.option("--overwrite", is_flag=True, help="Replace what this command wrote before.")
def export(run: Path, kind: str, out: Path, where: str, overwrite: bool) -> None:
    """Write the generated instances of a run as a dataset of pictures and masks.

    \b
    Examples:
      divergen export RUN --format coco --out kept
      divergen export RUN --format png --out apples --where "kept AND category = 'apple'"
    """
    from .export import export_run
    from .run import Run

    losses = Losses()
    with finishing(losses, unit="instances", out=out):
        done = export_run(Run(run), out, kind=kind, where=where, overwrite=overwrite, losses=losses)
    echo(f"{done.path}: {done.written:,} instances")
    finish(losses, came=done.written + len(losses), went=done.written, unit="instances", out=out)


@main.command()
@click.argument("name", required=False)
def configs(name: str | None) -> None:
    """List the configs and the ablations that come with the package, or print one, to be changed.

    \b
    Examples:
      divergen configs
      divergen configs divergen-lvis > mine.yaml
    """
    from .loading import shipped, shipped_text

    if name is not None:
        echo(shipped_text(name), nl=False)
        return
    rows = [
        (f"divergen {command} {found}", said)
        for command, folder in (("run", "configs"), ("ablate", "ablations"))
        for found, said in shipped(folder).items()
    ]
    width = max(len(call) for call, _ in rows)
    for call, said in rows:
        echo(f"{call:<{width}}  {said}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Print what is here: versions, devices, extras, models, disk, the hub. Paste it into an issue.

    \b
    Example:
      divergen doctor
    """
    import json

    from .doctor import diagnosis

    found = diagnosis()
    if as_json:
        echo(json.dumps(found, indent=1))
        return
    width = max(len(name) for section in found.values() for name in section)
    for title, section in found.items():
        echo(f"{title}")
        for name, what in section.items():
            echo(f"  {name:<{width}}  {what}")


@main.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def minilvis(arguments: tuple[str, ...]) -> None:
    """Make MiniLVIS, a long-tailed dataset of rendered scenes in LVIS format (`divergen minilvis --help`)."""
    from divergen_minilvis.cli import make as command

    command.main(list(arguments), prog_name="divergen minilvis", standalone_mode=False)
