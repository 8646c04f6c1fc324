"""Commands that read a run and write what a person or another tool wants of it."""

from __future__ import annotations

from getpass import getuser
from pathlib import Path

import click
from divergen_records.command import answer, console, echo, next_step
from divergen_records.data_options import FormatName, format_option, on_problem_option, open_dataset
from divergen_records.formats import OnProblem, find_format, readers
from divergen_records.losses import Losses, finish, finishing, losses_options
from divergen_records.stores.arguments import AddressPath

__all__ = ["correct", "export", "report", "review", "status"]


@click.command()
@click.argument("run", type=AddressPath())
def status(run: Path) -> None:
    """Print how far a run is: done, pending and failed per stage; the funnel per frequency group.

    \b
    Example:
      divergen status divergen-quickstart
    """
    from ..run import Run
    from ..status import print_status, run_status

    opened = Run(run)
    opened.pull("personal")
    found = run_status(opened)
    answer(**found.values())
    print_status(found, console())


@click.command()
@click.argument("run", type=AddressPath())
def report(run: Path) -> None:
    """Write RUN/report.html, one file: whether it helped and how sure, each category, predictions, galleries.

    \b
    Example:
      divergen report divergen-quickstart
    """
    from ..report import write_report
    from ..run import Run

    opened = Run(run)
    opened.pull("data", "train")
    written = opened.place / write_report(opened).name
    opened.push()
    answer(report=written)
    echo(written)


@click.command()
@click.argument("run", type=AddressPath())
@click.option("--reviewer", default=getuser, help="Your name, beside each verdict. [default: who is logged in]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1. [default: any free one]")
@click.option("--open", "opens", is_flag=True, help="Open the page in this machine's browser.")
def review(run: Path, reviewer: str, port: int, *, opens: bool) -> None:
    """Look at RUN's instances in a browser, as they will be pasted; keep or reject them by keyboard.

    Prints an address that opens the page once. From another machine: --port 8765 here, and there
    ssh -L 8765:127.0.0.1:8765 HOST. Several people may review one run at once, each with a command of their own.
    Verdicts overrule the rules (rules.reviews=ignore: they do not) as soon as the run decides again.

    \b
    Examples:
      divergen review RUN
      divergen run my.yaml --out RUN --redo decide
    """
    from divergen_filter.review.serve import announce, summary

    from ..review import review_run
    from ..run import Run

    found = review_run(Run(run), reviewer=reviewer, port=port, opened=announce(opens=opens))
    echo(f"{summary(found)}; they count from the next `divergen run ... --out {run} --redo decide` on")


@click.command()
@click.argument("run", type=AddressPath())
@format_option("--format", "kind", required=True, also=("hf",), help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option("--where", default="kept", show_default=True, help="SQL filter over the table's columns.")
@losses_options
@click.option("--overwrite", is_flag=True, help="Replace what this command wrote before.")
def export(run: Path, kind: str, out: Path, where: str, overwrite: bool) -> None:
    """Write the generated instances of a run as a dataset of pictures and masks, with what made each of them.

    hf is a folder of Parquet files that `datasets` and `divergen pull` read, as `divergen push` publishes it.

    \b
    Examples:
      divergen export RUN --format coco --out kept
      divergen export RUN --format webdataset --out shards
      divergen export RUN --format png --out apples --where "kept AND category = 'apple'"
    """
    from ..export import export_run
    from ..run import Run

    losses = Losses()
    with finishing(losses, unit="instances", out=out):
        opened = Run(run)
        opened.pull("data")
        done = export_run(opened, out, kind=kind, where=where, overwrite=overwrite, losses=losses)
    answer(out=done.path, written=done.written, skipped=done.skipped)
    echo(f"{done.path}: {done.written:,} instances")
    if kind in readers():
        next_step("divergen-paste", "pool", out, "--out", "pool")
    finish(losses, came=done.written + len(losses), went=done.written, unit="instances", out=out)


@click.command()
@click.argument("run", type=AddressPath())
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=FormatName("read"), help="What wrote FOLDER. [default: told from its files]")
@click.option("--who", default=getuser, help="Who corrected the masks. [default: who is logged in]")
@on_problem_option
@losses_options
def correct(run: Path, folder: Path, kind: str | None, who: str, on_problem: OnProblem) -> None:
    """Take over masks that were corrected in labelme, CVAT (COCO) or another tool; FOLDER is what `export` wrote.

    Only masks that changed are replaced. What was made from the old ones is cleared, a verdict that the mask is wrong
    is taken back; the run makes the rest again. Tags of FiftyOne are verdicts: keep, reject, mask, category:NAME.

    \b
    Examples:
      divergen export RUN --format labelme --where "review = 'mask'" --out fix
      divergen correct RUN fix
      divergen run my.yaml --out RUN --redo pool
      divergen export RUN --format fiftyone --where "mask IS NOT NULL" --out look
      divergen correct RUN look-tagged --who anna
    """
    from divergen_filter.review.tags import take_tags

    from ..correction import correct_masks
    from ..run import Run

    losses = Losses()
    dataset = open_dataset(folder, format=kind, on_problem=on_problem)
    losses.extend(dataset.problems)
    tool = kind or find_format(folder).name
    opened = Run(run)
    tags = take_tags(opened.table, dataset, reviewer=who, losses=losses)  # first: a new mask answers the verdict "mask"
    if tags.changed:
        echo(tags)
    done = correct_masks(opened, dataset, tool=tool, who=who, losses=losses)
    answer(corrected=done.corrected, unchanged=done.unchanged, verdicts=tags.changed)
    again = "decide" if tags.changed else "pool"
    echo(
        f"{done.corrected} masks corrected, {done.unchanged} as they were; to go on: the run's line with --redo {again}"
    )
    went = done.corrected + done.unchanged
    finish(losses, came=went + len(losses), went=went, unit="masks", out=run / "correct")
