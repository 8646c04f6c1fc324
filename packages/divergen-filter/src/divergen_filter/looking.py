"""The commands by which a person looks at decisions, or makes them."""

from __future__ import annotations

import shlex
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from divergen_records.command import answer, echo, next_step
from divergen_records.data_options import FormatName, open_dataset
from divergen_records.losses import Losses, finish, losses_options

from .options import MAYBE_REFERENCES, OVERWRITE, REFERENCES, RULES, TABLE

if TYPE_CHECKING:
    from divergen_records import InstanceTable

__all__ = ["diversity", "explain", "review", "sheet"]


@click.command()
@TABLE
@click.argument("instance_id")
@MAYBE_REFERENCES
@RULES
def explain(table: Path, instance_id: str, references: Path | None, rules: Path | None) -> None:
    """Say why one instance is kept or rejected: every rule with its numbers.

    Example: divergen-filter explain run/instances.lance 3f2a… --references references.npz
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .explain import explain_row
    from .references import References

    loaded = None if references is None else References.load(references)
    echo(explain_row(InstanceTable.open(table), instance_id, read_rules(rules), loaded))


@click.command()
@TABLE
@click.option("--out", type=click.Path(path_type=Path), required=True, help="HTML page to write.")
@click.option("--references", type=click.Path(path_type=Path), help="For the scatter and calibrated thresholds.")
@RULES
@click.option("--score", default="inter_similarity", show_default=True, help="What best and worst mean.")
@click.option("--category", "categories", multiple=True, help="Show this category; several times for several.")
@click.option(
    "--max-categories",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    help="Show so many where none is named.",
)
@click.option("--each", type=click.IntRange(min=1), default=8, show_default=True, help="Pictures in a strip.")
@click.option(
    "--projection", type=click.Choice(["pca", "umap"]), default="pca", show_default=True, help="Of the scatter."
)
@OVERWRITE
def sheet(table: Path, out: Path, references: Path | None, rules: Path | None, **options: Any) -> None:
    """Write a page to look at: histograms, shares, a scatter, best, borderline and worst pictures of each category.

    Example: divergen-filter sheet run/instances.lance --references references.npz --out sheet.html
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .references import References
    from .sheet import write_sheet

    loaded = None if references is None else References.load(references)
    write_sheet(InstanceTable.open(table), out, references=loaded, rules=read_rules(rules), **options)
    answer(out=out)
    echo(f"look at {out}")


@click.command()
@TABLE
@MAYBE_REFERENCES
@RULES
@click.option("--reviewer", default=getuser, help="Your name, beside each verdict. [default: who is logged in]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1. [default: any free one]")
@click.option("--open", "opens", is_flag=True, help="Open the page in this machine's browser.")
@click.option(
    "--from",
    "source",
    type=(FormatName("read"), click.Path(exists=True, path_type=Path)),
    metavar="fiftyone FOLDER",
    help="No page: read verdicts from the tags of a data set that was exported, keep, reject, mask, category:NAME.",
)
@losses_options
def review(
    table: Path,
    references: Path | None,
    rules: Path | None,
    reviewer: str,
    port: int,
    *,
    opens: bool,
    source: tuple[str, Path] | None,
) -> None:
    """Look at the instances in a browser and keep or reject them by keyboard; verdicts overrule the rules.

    Prints an address that opens the page once. From another machine: --port 8765 here, and there
    ssh -L 8765:127.0.0.1:8765 HOST. Several people may review one table at once, each with a command of their own.
    Stop it by Ctrl-C, then decide again.

    Examples: divergen-filter review run/instances.lance --references references.npz;
    divergen-filter review run/instances.lance --from fiftyone FOLDER --reviewer anna
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .references import References
    from .review.serve import announce, serve_review, summary

    opened = InstanceTable.open(table)
    if source is not None:
        losses, went = _take_tags(opened, *source, reviewer)
        finish(losses, came=went + len(losses), went=went, unit="instances", out=source[1])
        return
    loaded = None if references is None else References.load(references)
    found = serve_review(
        opened,
        rules=read_rules(rules),
        references=loaded,
        reviewer=reviewer,
        port=port,
        opened=announce(opens=opens),
    )
    echo(f"{summary(found)}; to decide again: divergen-filter decide {shlex.quote(str(table))}")


def _take_tags(table: InstanceTable, kind: str, folder: Path, reviewer: str) -> tuple[Losses, int]:
    """Verdicts from the tags of an exported data set; what was left out, and how many instances were not."""
    from .review.tags import take_tags

    losses = Losses()
    dataset = open_dataset(folder, format=kind, on_problem="skip", boxes=True)
    losses.extend(dataset.problems)
    report = take_tags(table, dataset, reviewer=reviewer, losses=losses)
    losses.extend((key, "no instance of this table has this name") for key in report.unknown)
    answer(table=table.path, changed=report.changed, unchanged=report.unchanged)
    echo(str(report))
    next_step("divergen-filter", "decide", table.path)
    return losses, report.changed + report.unchanged


@click.command()
@TABLE
@REFERENCES
def diversity(table: Path, references: Path) -> None:
    """Print what the filter costs: Vendi score, density and coverage of the kept against the real, by category.

    Example: divergen-filter diversity run/instances.lance --references references.npz
    """
    from divergen_records import InstanceTable

    from .diversity import diversity_text
    from .references import References

    echo(diversity_text(InstanceTable.open(table), References.load(references)))
