"""The command ``divergen-annotate``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from divergen_records import ConfigError, Shard, short_hash
from divergen_records.command import Group, answer, echo, next_step, note
from divergen_records.data_options import on_problem_option
from divergen_records.files import refuse_existing, write_bytes
from divergen_records.formats import OnProblem
from divergen_records.losses import Losses, finish, finish_rows, finishing, losses_options

from .choosing import annotator_options, build_all, build_one, build_repair

_PATH = click.Path(path_type=Path)


@click.group(cls=Group)
def main() -> None:
    """Masks for pictures of one object on a plain background."""


@main.command()
@click.argument("folder", type=_PATH)
@annotator_options
@click.option("--out", type=_PATH, required=True, help="COCO file to write.")
@click.option("--png-masks", type=_PATH, help="Folder for the masks as PNG.")
@click.option("--preview", type=_PATH, help="HTML page of pictures with outlines to write.")
@click.option("--report", type=_PATH, help="JSON Lines to write: each picture's scores and measures, or its error.")
@click.option(
    "--folders-are-categories", is_flag=True, help="A picture's category is its folder, or by metadata.jsonl."
)
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(1), help="Pictures at a time.")
@click.option(
    "--max-pixels", default=89_478_485, show_default=True, type=click.IntRange(1), help="Refuse larger pictures."
)
@click.option("--overwrite", is_flag=True, help="Replace what this command wrote before.")
@losses_options
def images(
    folder: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    out: Path,
    **options: Any,
) -> None:
    """Annotate every picture in FOLDER and the folders in it; go on where it was interrupted.

    Where no annotator is named, a picture's own transparency is its mask, and GrabCut makes the others.

    Example: divergen-annotate images pictures --out coco.json --preview page.html
    """
    from .folder import annotate_folder

    annotator, repair = build_one(names, settings, checkpoint), build_repair(settings, no_repair)
    if getattr(annotator, "instances", "best") == "all":
        raise ConfigError("images makes one mask per picture; for all objects see divergen-annotate photos")
    resume = short_hash(str(folder.resolve()), *names, *settings, checkpoint, no_repair)
    losses = Losses()
    with finishing(losses, out=out):
        report = annotate_folder(
            folder, annotator, out, repair=repair, own_alpha=not names, resume=resume, losses=losses, **options
        )
    answer(out=out, done=report.done, by_own_transparency=report.own_alpha)
    own = f" ({report.own_alpha} by their own transparency)" if report.own_alpha else ""
    echo(f"{out}: {report.done} pictures annotated{own}, {len(losses)} lost")
    if options["preview"] is not None:
        note(f"look: {options['preview']}")
    next_step("divergen-filter", "images", folder, "--real", "TRAIN.json", "--masks", out, "--out", "decided")
    finish(losses, came=report.done + len(losses), went=report.done, out=out)


@main.command()
@click.argument("folder", type=_PATH)
@click.option(
    "--categories",
    required=True,
    metavar="NAMES|FILE",
    help="What to look for: names separated by commas, a text file with a name a line, or a data set.",
)
@annotator_options
@click.option("--out", type=_PATH, required=True, help="COCO file to write; every object has its score.")
@click.option("--preview", type=_PATH, help="HTML page of photos with outlines to write.")
@click.option(
    "--doubles",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Masks with a larger IoU are of one object, under one name or under two: the higher score stays.",
)
@click.option(
    "--max-pixels", default=89_478_485, show_default=True, type=click.IntRange(1), help="Refuse larger photos."
)
@click.option("--overwrite", is_flag=True, help="Replace what this command wrote before.")
@losses_options
def photos(
    folder: Path,
    categories: str,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    out: Path,
    doubles: float,
    **options: Any,
) -> None:
    """Find all objects of some categories in the photos in FOLDER, as a first annotation for people to correct.

    Takes an annotator that finds objects by name: sam3 or grounded-sam. Goes on where it was interrupted.

    Example: divergen-annotate photos DIR --categories cup,dog --annotator sam3 --out coco.json --preview page.html
    """
    from .photos import annotate_photos
    from .wanted import build_finder, wanted_categories

    wanted = wanted_categories(categories)
    finder, repair = build_finder(names, settings, checkpoint), build_repair(settings, no_repair)
    asked = [(one.id, one.name) for one in wanted]
    resume = short_hash(str(folder.resolve()), asked, *names, *settings, checkpoint, no_repair, doubles)
    losses = Losses()
    with finishing(losses, unit="photos", out=out):
        report = annotate_photos(
            folder, finder, wanted, out, repair=repair, doubles=doubles, resume=resume, losses=losses, **options
        )
    answer(out=out, photos=report.done, without_objects=report.blank, objects=report.found)
    for name, count in report.found.items():
        echo(f"  {name}: {count}")
    echo(f"{out}: {report.found.total()} objects in {report.done} photos ({report.blank} without one)")
    echo(
        "Next: correct it by hand, low scores first: in CVAT (a task of these photos; Upload annotations, COCO 1.0) or"
    )
    echo("another tool that reads COCO. Then, with what the tool exports:")
    data = f"data.kind=lvis data.train.annotations={out} data.train.images={folder}"
    echo(f"  divergen run coco100 --out RUN {data}")
    finish(losses, came=report.done + len(losses), went=report.done, unit="photos", out=out)


@main.command()
@click.argument("table", type=_PATH)
@annotator_options
@click.option("--shard", default="0/1", show_default=True, help="Do part i of n of the rows.")
@click.option("--retry-errors", is_flag=True, help="Try rows again that failed here before.")
@losses_options
def table(
    table: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    shard: str,
    retry_errors: bool,
) -> None:
    """Fill the mask columns of an instance table; go on where it was interrupted.

    Example: divergen-annotate table run/instances.lance --annotator grabcut
    """
    from divergen_records import InstanceTable, fill

    from .objects import append_objects
    from .stage import AnnotateStage

    annotator = build_one(names, settings, checkpoint)
    stage = AnnotateStage(annotator, repair=build_repair(settings, no_repair))
    opened = InstanceTable.open(table)
    if retry_errors:
        opened.retry_errors(stage.name)
    part = Shard.parse(shard)
    report = fill(opened, stage, shard=part)
    answer(table=table, done=report.done, failed=report.failed, skipped=report.skipped)
    echo(f"{report.done} annotated, {report.failed} failed, {report.skipped} without a picture")
    if further := append_objects(opened, shard=part):
        answer(added=further)
        echo(f"{further} rows added, of further objects of these pictures")
    next_step("divergen-filter", "embed-real", "TRAIN.json", "--out", "references.npz")
    finish_rows(opened, f"error_stage = '{stage.name}'")


@main.command()
@click.argument("source", type=_PATH)
@annotator_options
@click.option("--images", type=_PATH, help="The folder of images of a COCO or LVIS file.")
@click.option("--limit", default=500, show_default=True, type=click.IntRange(1), help="Pictures to look at, at most.")
@on_problem_option
@losses_options
def evaluate(
    source: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    images: Path | None,
    on_problem: OnProblem,
    limit: int,
) -> None:
    """Compare annotators with the truth, without and with repair.

    SOURCE is an instance table that holds the true alpha; a COCO or LVIS file, whose objects are cut out with a margin;
    or a folder of pictures whose transparency is the truth.

    Example: divergen-annotate evaluate run/instances.lance --annotator grabcut --annotator colour-key
    """
    from .evaluate import HEAD, evaluate_repairs
    from .truth import read_examples

    annotators, mended = build_all(names, settings, checkpoint), build_repair(settings, no_repair)
    repairs = [None] if no_repair else [None, mended]
    echo(HEAD)
    losses, rows = Losses(), list[dict[str, Any]]()
    tell: Callable[[str], None] = losses.note
    for annotator in annotators:
        examples = read_examples(source, images=images, limit=limit, on_problem=on_problem, left_out=tell)
        for row, mend in zip(evaluate_repairs(examples, annotator, repairs), repairs, strict=True):
            rows.append({**asdict(row), "repaired": mend is not None})
            echo(row.line(repaired=mend is not None))
        tell = _say_nothing
    answer(annotators=rows)
    finish(losses, came=row.count + len(losses), went=row.count)


@main.command()
@click.argument("source", type=_PATH)
@annotator_options
@click.option("--out", type=_PATH, required=True, help="Picture to write: .png or .jpg.")
@click.option("--images", type=_PATH, help="The folder of images of a COCO or LVIS file.")
@click.option("--limit", default=12, show_default=True, type=click.IntRange(1), help="Rows of the sheet.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
@on_problem_option
@losses_options
def compare(
    source: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    out: Path,
    images: Path | None,
    on_problem: OnProblem,
    limit: int,
    overwrite: bool,
) -> None:
    """Draw annotators side by side, with the IoU where the truth is known.

    SOURCE is what evaluate takes, or a folder of any pictures.

    Example: divergen-annotate compare pictures --annotator grabcut --annotator colour-key --out sheet.png
    """
    from divergen_records.images import encode_image

    from .compare import compare as draw
    from .truth import read_examples

    if out.suffix not in (".png", ".jpg", ".jpeg"):
        raise ConfigError(f"{out}: a sheet is a .png or .jpg file")
    refuse_existing(out, overwrite=overwrite)
    losses = Losses()
    batches = list(read_examples(source, images=images, limit=limit, on_problem=on_problem, left_out=losses.note))
    shown = sum(map(len, batches))
    sheet = draw(batches, build_all(names, settings, checkpoint), repair=build_repair(settings, no_repair))
    write_bytes(out, encode_image(sheet, "png" if out.suffix == ".png" else "jpeg"), overwrite=overwrite)
    answer(out=out, width=sheet.shape[1], height=sheet.shape[0], examples=shown)
    echo(f"{out}: {sheet.shape[1]} x {sheet.shape[0]} pixels")
    finish(losses, came=shown + len(losses), went=shown, out=out)


def _say_nothing(reason: str) -> None:
    """For the second time that the same pictures are read."""
