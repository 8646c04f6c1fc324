"""The command ``divergen-annotate``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from divergen_records import ImageError, Shard
from divergen_records.command import Group

if TYPE_CHECKING:
    from divergen_records import InstanceTable

    from .annotator import Annotator, Image, Mask

_ANNOTATOR = click.option(
    "--annotator",
    "names",
    multiple=True,
    default=("grabcut",),
    show_default=True,
    help="grabcut, colour-key, true-alpha, or one that an installed package adds.",
)
_SETTINGS = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the annotator, for example size=160."
)
_NO_REPAIR = click.option("--no-repair", is_flag=True, help="Leave the masks as the annotator makes them.")


@click.group(cls=Group)
def main() -> None:
    """Masks for pictures of one object on a plain background."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_ANNOTATOR
@_SETTINGS
@_NO_REPAIR
@click.option("--out", type=click.Path(path_type=Path), required=True, help="COCO file to write.")
@click.option("--png-masks", type=click.Path(path_type=Path), help="Folder for the masks as PNG.")
@click.option("--preview", type=click.Path(path_type=Path), help="HTML page of pictures with outlines to write.")
@click.option("--folders-are-categories", is_flag=True, help="A picture's category is the folder that it lies in.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def images(
    folder: Path, names: tuple[str, ...], settings: tuple[str, ...], no_repair: bool, out: Path, **options: Any
) -> None:
    """Annotate every picture in FOLDER and the folders in it.

    Example: divergen-annotate images pictures --out coco.json --preview page.html
    """
    from .cleanup import repair
    from .config import build_annotator
    from .folder import annotate_folder

    mend = None if no_repair else repair
    report = annotate_folder(folder, build_annotator(_one(names), settings), out, repair=mend, **options)
    for name, reason in report.failed:
        click.echo(f"skipped {name}: {reason}", err=True)
    click.echo(f"{out}: {report.done} pictures annotated, {len(report.failed)} skipped")


@main.command()
@click.argument("table", type=click.Path(path_type=Path))
@_ANNOTATOR
@_SETTINGS
@_NO_REPAIR
@click.option("--shard", default="0/1", show_default=True, help="Do part i of n of the rows.")
@click.option("--retry-errors", is_flag=True, help="Try rows again that failed here before.")
def table(
    table: Path, names: tuple[str, ...], settings: tuple[str, ...], no_repair: bool, shard: str, retry_errors: bool
) -> None:
    """Fill the mask columns of an instance table; go on where it was interrupted.

    Example: divergen-annotate table run/instances.lance --annotator grabcut
    """
    from divergen_records import InstanceTable, fill

    from .cleanup import repair
    from .config import build_annotator
    from .stage import AnnotateStage

    stage = AnnotateStage(build_annotator(_one(names), settings), repair=None if no_repair else repair)
    opened = InstanceTable.open(table)
    if retry_errors:
        opened.retry_errors(stage.name)
    report = fill(opened, stage, shard=Shard.parse(shard))
    click.echo(f"{report.done} annotated, {report.failed} failed, {report.skipped} without a picture")


@main.command()
@click.argument("table", type=click.Path(path_type=Path))
@_ANNOTATOR
@_SETTINGS
@click.option("--limit", default=500, show_default=True, help="Rows to look at, at most.")
def evaluate(table: Path, names: tuple[str, ...], settings: tuple[str, ...], limit: int) -> None:
    """Compare annotators with the true alpha that the table holds, without and with repair.

    Example: divergen-annotate evaluate run/instances.lance --annotator grabcut --annotator colour-key
    """
    from divergen_records import InstanceTable

    from .cleanup import repair
    from .config import build_annotator
    from .evaluate import evaluate as measure

    opened = InstanceTable.open(table)
    if not opened.count(_HAS_TRUTH):
        raise click.ClickException(f"{table}: no row has a picture and a true alpha")
    click.echo(
        f"{'annotator':<12} {'repair':<6} {'n':>5} {'IoU':>6} {'>0.9':>6} {'bound. F':>8} {'extra':>6} "
        f"{'missing':>7} {'pictures/s':>10}"
    )
    for name in names:
        annotator = build_annotator(name, settings)
        for mend in (None, repair):
            row = measure(_with_truth(opened, annotator, limit), annotator, repair=mend)
            click.echo(
                f"{row.annotator:<12} {'yes' if mend else 'no':<6} {row.count:>5} {row.mean_iou:>6.3f} "
                f"{row.above_90:>6.3f} {row.boundary_f:>8.3f} {row.too_large:>6.3f} {row.too_small:>7.3f} "
                f"{row.per_second:>10.1f}"
            )


_HAS_TRUTH = "image IS NOT NULL AND alpha IS NOT NULL"


def _with_truth(table: InstanceTable, annotator: Annotator, limit: int) -> Iterator[tuple[list[Image], list[Mask]]]:
    """Pictures and true masks of a table, a batch at a time."""
    from divergen_records.images import read_image

    column = getattr(annotator, "column", "image")
    seen = 0
    for batch in table.batches(["id", "image", "alpha"], where=_HAS_TRUTH, batch_size=32):
        pairs = []
        for row in batch.to_pylist()[: limit - seen]:
            seen += 1
            try:
                pairs.append((read_image(row[column]), read_image(row["alpha"])[..., 0] >= 128))
            except ImageError as error:
                click.echo(f"left out {row['id']}: {error}", err=True)
        if pairs:
            yield [image for image, _ in pairs], [truth for _, truth in pairs]


def _one(names: tuple[str, ...]) -> str:
    if len(names) != 1:
        raise click.UsageError("give one --annotator here; to compare several, see divergen-annotate evaluate")
    return names[0]
