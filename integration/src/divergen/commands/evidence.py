"""Commands that ask what helps: ablations, growth from what a training found, and whether the data can tell."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from divergen_records.command import answer, console, echo
from divergen_records.losses import losses_options
from divergen_records.stores.arguments import LocalPath

from .options import stoppable

__all__ = ["ablate", "explain", "grow", "premises", "results"]


@click.command()
@click.argument("ablation")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=LocalPath(), help="Folder of all runs. [default: ablations/NAME]")
@click.option("--base", metavar="CONFIG", help="What all arms share, in place of the ablation's own base.")
@click.option("--arm", "arms", multiple=True, metavar="NAME", help="Only this arm; may be given again.")
@click.option(
    "--seeds",
    default="3",
    show_default=True,
    metavar="N|auto",
    help="So many seeds, from 0 on; auto asks the first two.",
)
@click.option(
    "--resolution",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Difference in mask AP, points, that auto's seeds are to tell apart.",
)
@click.option("--most", default=30, show_default=True, type=click.IntRange(2), help="Seeds of auto at most.")
@click.option("--shard", metavar="I/N", help="Do every N-th run from the I-th on, for Slurm arrays.")
@click.option("--dry-run", is_flag=True, help="Name the runs and what each makes, check all that they need, and stop.")
def ablate(
    ablation: str,
    overrides: tuple[str, ...],
    out: Path | None,
    base: str | None,
    arms: tuple[str, ...],
    seeds: str,
    resolution: float,
    most: int,
    shard: str | None,
    dry_run: bool,
) -> None:
    """Ask whether a finding of the papers holds here: runs that differ in one thing, over several seeds.

    ABLATION is the name of a shipped one (`divergen configs` lists them) or a YAML file with `question`, `base` and
    `arms`. Every arm is compared with each other one, with the same detector on the real images alone, and with
    copy-paste, seed by seed; what is not told apart is said to be that. What arms have in common is made once, also
    across ablations whose folders lie side by side. Stop it whenever you like: the same line continues.

    \b
    Examples:
      divergen ablate models
      divergen ablate models --seeds 2           a pilot: how many seeds does a difference take?
      divergen ablate models --seeds auto --resolution 0.5
      divergen ablate selection --seeds 5 train.iterations=600
      divergen ablate filter --base proof --arm everything --arm "and rival share"
      divergen ablate my.yaml --shard $SLURM_ARRAY_TASK_ID/10
    """
    from divergen_records import Shard

    from ..evidence.ablation import load_ablation, run_ablation, run_until_told_apart
    from ..evidence.comparison import print_comparisons
    from ..evidence.outcomes import print_outcomes
    from ..evidence.plan import plan_ablation

    loaded, count = load_ablation(ablation).asked(base=base, arms=arms), _seeds(seeds, shard)
    folder, points = out or Path("ablations") / Path(ablation).stem, resolution / 100
    if dry_run:
        lines = plan_ablation(loaded, folder, seeds=range(count or 2), overrides=overrides)
        answer(runs=lines)
        echo("\n".join(lines))
        echo("what arms have in common is made once")
        return
    with stoppable():
        if count is None:
            found = run_until_told_apart(loaded, folder, resolution=points, most=most, overrides=overrides)
        else:
            part = Shard.parse(shard) if shard else None
            found = run_ablation(loaded, folder, seeds=range(count), overrides=overrides, shard=part, resolution=points)
    answer(out=folder, outcomes=found.outcomes, comparisons=found.comparisons, seeds=found.plan, cost=found.cost)
    print_outcomes(found.outcomes, console())
    print_comparisons(found.comparisons, console())
    echo(f"\n{found.plan or 'one seed says nothing of how sure this is: give --seeds 2, or auto'}")
    echo(f"\n{folder / 'ablation.png'}\n{folder / 'ablation.json'}")


def _seeds(text: str, shard: str | None) -> int | None:
    """How many; None for ``auto``."""
    if text == "auto":
        if shard:
            raise click.UsageError(
                "--seeds auto looks at all runs, so it takes no --shard; a pilot, --seeds 2, says how many"
            )
        return None
    if not text.isdigit() or not int(text):
        raise click.BadParameter(f"{text!r} is neither a number from 1 on nor auto", param_hint="--seeds")
    return int(text)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=LocalPath())
@click.option("--out", type=LocalPath(), help="Also write the figures as JSON, which `divergen results` reads.")
@click.option(
    "--limit", default=200, show_default=True, type=click.IntRange(1), help="Images of each kind for energies."
)
@click.option("--overwrite", is_flag=True, help="Replace the file.")
def explain(runs: tuple[Path, ...], out: Path | None, limit: int, overwrite: bool) -> None:
    """Look why the detectors of RUNS gain, as DiverGen does (section 3.1).

    The gap between AP on training and on validation images of each detector, and how familiar validation objects and
    what was pasted are to the one that learned from real images alone (free energy). RUNS are runs that have trained,
    of the same settings with other seeds: the more, the surer.

    \b
    Example:
      divergen explain runs/quick-0 runs/quick-1 runs/quick-2 --out explanation.json
    """
    from divergen_records.files import refuse_existing, write_text

    from ..evidence.explanation import explain as measure
    from ..run import Run

    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    found = measure([Run(run) for run in runs], limit=limit)
    answer(**found.model_dump(), out=out)
    echo(found.table())
    if out is not None:
        write_text(out, found.model_dump_json(indent=1), overwrite=True)
        echo(out)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=LocalPath(exists=True, file_okay=False))
@click.option("--out", type=LocalPath(), help="A Markdown file, with a figure beside it. [default: print it]")
@click.option("--overwrite", is_flag=True, help="Replace the files.")
def results(folders: tuple[Path, ...], out: Path | None, overwrite: bool) -> None:
    """Make the page of results: each finding of the papers, and what ablations that were run say of it.

    FOLDERS are those of ablations, or hold them, or explanation.json of `divergen explain`. Whatever comes out stands
    there: shown, not shown, not told apart, or not run, with intervals, seeds, the line that goes on, what it cost, and
    what settles it on LVIS. What you leave in note.md, in an ablation's folder or in the one that holds them, is said
    there.

    \b
    Example:
      divergen results ablations --out results.md
    """
    from divergen_records.files import write_bytes, write_text
    from divergen_records.folders import new_files

    from ..evidence.explained import find_explanation
    from ..evidence.plot import findings_plot
    from ..evidence.results import asked, read_ablations, results_page, shared_note, shipped_findings

    given = [folder.name or str(folder) for folder in folders]
    line = shlex.join(["divergen", "results", *given, *(["--out", out.name] if out else [])])
    ablations, findings, explanation = read_ablations(folders), shipped_findings(), find_explanation(folders)
    note = shared_note(folders)
    if out is None:
        page = results_page(ablations, findings, line, explanation=explanation, note=note)
        answer(page=page)
        echo(page, nl=False)
        return
    told, figure = asked(ablations, findings), out.with_suffix(".png")
    with new_files(figure, out, overwrite=overwrite) as (new_figure, new_page):
        page = results_page(ablations, findings, line, figure.name if told else None, explanation, note)
        write_text(new_page, page)
        if told:
            write_bytes(new_figure, findings_plot(told))
    answer(out=out, figure=figure if told else None)
    echo(out)
    if told:
        echo(figure)


@click.command()
@click.argument("run", type=LocalPath())
@click.option("--budget", required=True, type=click.IntRange(1), help="Pictures to make.")
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1), help="Learn anew so many times.")
@click.option("--out", type=LocalPath(), help="Folder of the rounds' runs. [default: RUN-grown]")
@click.option("--evenly", is_flag=True, help="Divide alike among categories and generators: what growth has to beat.")
@click.option("--dry-run", is_flag=True, help="Print what would be made next and why, and stop.")
@losses_options
def grow(run: Path, budget: int, rounds: int, out: Path | None, evenly: bool, dry_run: bool) -> None:
    """Make more of what helped RUN's training, train again, and compare.

    More pictures go to categories that generated data still improves, by generators whose instances the training drew
    most (train.bsgal={kind: belief}). RUN is not changed: each round is a run of its own, which begins with all that
    the one before has. The same line continues.

    \b
    Examples:
      divergen grow RUN --budget 500 --dry-run
      divergen grow RUN --budget 500 --rounds 3
      divergen grow RUN --budget 500 --evenly --out RUN-even
    """
    from ..growth import grow as grow_run
    from ..growth import plan_evenly, plan_growth, print_growth
    from ..run import Run
    from ..runner import finish_run
    from ..training import print_comparison

    if dry_run:
        plan = (plan_evenly if evenly else plan_growth)(Run(run), budget)
        answer(plan=plan)
        print_growth(plan, console())
        return
    with stoppable():
        found = grow_run(Run(run), out or run.with_name(f"{run.name}-grown"), budget, rounds, evenly=evenly)
    answer(rounds=[grown.folder for grown in found])
    for grown in found:
        echo(grown.folder)
        print_comparison(grown)
    finish_run(found[-1])  # the last holds what all before it have


@click.command()
@click.argument("config", default="quickstart")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=LocalPath(), help="Folder of the run. [default: runs/NAME]")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(["looks", "detector", "pictures"]),
    help="Leave out embeddings, the training on real images, or pictures by the generators; may be given again.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    help="Look at so many seeds, from 0 on, each in a folder of its own below the run's, and judge by the means.",
)
def premises(
    config: str, overrides: tuple[str, ...], out: Path | None, without: tuple[str, ...], seeds: int | None
) -> None:
    """Look whether what the papers take for granted holds in the data of CONFIG, before asking whether it helps.

    Rare categories whose training images show few of their looks, a detector that knows those by heart, validation
    objects enough to tell, and generators that differ. Prints each premise with its threshold and reason; ends with
    status 1 where one fails. What is made stays in the folder, and the same line continues.

    \b
    Examples:
      divergen premises proof
      divergen premises proof --seeds 8 --without looks --without pictures
      divergen premises coco100 data=FOLDER --without pictures
    """
    from ..loading import load_config
    from ..premises import measure_premises, over_seeds
    from ..run import Run

    loaded = load_config(config, overrides)
    folder = out or Path("runs") / loaded.name
    with stoppable():
        if seeds is None:
            report = measure_premises(Run(folder, loaded), without=without)
        else:
            runs = [
                Run(folder / f"seed-{seed}", load_config(config, [*overrides, f"seed={seed}"])) for seed in range(seeds)
            ]
            report = over_seeds([measure_premises(run, without=without) for run in runs])
    answer(**report.model_dump(), failing=len(report.failing))
    echo(report.table())
    if report.failing:
        raise click.exceptions.Exit(1)
