"""The command ``divergen-paste``: parse, call one function, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from divergen_records.command import Group, answer, echo, next_step, note
from divergen_records.data_options import (
    finish_reading,
    format_option,
    on_problem_option,
    open_dataset,
    tell_crowds,
    tell_shared,
)
from divergen_records.files import refuse_existing, write_bytes
from divergen_records.losses import Losses, finish, finishing, losses_options

if TYPE_CHECKING:
    from divergen_records.coco import Dataset
    from divergen_records.formats import OnProblem

    from .paster import Paster
    from .pool import Unmatched

FILE = click.Path(path_type=Path)
COUNT, SIDE = click.IntRange(min=0), click.IntRange(min=1)

DATASET = click.argument("annotations", type=FILE)
IMAGES = click.option("--images", type=FILE, help="Folder of the pictures, where they lie elsewhere than usual.")
SETTINGS = click.option(
    "-s",
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the paste, for example -s max_instances=10 -s blend=poisson -s place=avoid; repeat as needed.",
)
SEED = click.option("--seed", default=0, show_default=True, help="Seed of the pastes.")
UNMATCHED = click.option(
    "--unmatched",
    type=click.Choice(["refuse", "leave-out"]),
    default="refuse",
    show_default=True,
    help="What to do with categories of the pool whose names the data set does not have.",
)
WORKERS = click.option("--workers", type=COUNT, help="Processes; 0: this one.  [default: what the work is worth]")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is there.")

NO_VAL = "note: data.yaml must name validation pictures and has only those of the training; give others by --val"


@click.group(cls=Group)
@click.version_option(package_name="divergen-paste")
def main() -> None:
    """Paste generated instances into training images.

    \b
    divergen-paste pool run/instances.lance --out pool
    divergen-paste preview train.json pool --out sheet.jpg
    divergen-paste bake train.json pool --out augmented
    """


@main.command()
@click.argument("source", type=FILE)
@click.option("--out", required=True, type=FILE, help="Folder of the pool.")
@click.option(
    "--from",
    "kind",
    type=click.Choice(["table", "dataset", "folder", "pools-json"]),
    help="What SOURCE is; by default told from what is there.",
)
@click.option("--where", default="kept", show_default=True, help="Rows of a table, as an SQL filter.")
@click.option("--categories", type=FILE, help="Data set whose categories they are; for a folder or a pools-json.")
@IMAGES
@click.option("--min-area", type=COUNT, default=256, show_default=True, help="Of a dataset's objects, pixels.")
@click.option("--whole-only", is_flag=True, help="Objects of a dataset that the picture's edge cuts are left out.")
@click.option("--max-side", type=SIDE, default=512, show_default=True, help="Larger crops are reduced to it, pixels.")
@click.option("--format", "image_format", type=click.Choice(["jpeg", "png"]), default="jpeg", help="Of the crops.")
@on_problem_option
@UNMATCHED
@WORKERS
@losses_options
@OVERWRITE
def pool(source: Path, out: Path, **options: Any) -> None:
    """Build an instance pool.

    SOURCE is an instance table (kept rows), a data set (its own objects: copy-paste), a folder of RGBA pictures
    (<category>/<picture>.png), or a published instance_pools.json.

    \b
    divergen-paste pool run/instances.lance --out pool
    divergen-paste pool train.json --images train2017 --out copy_paste_pool
    divergen-paste pool cutouts/ --categories train.json --out pool
    """
    from .pool.from_path import pool_from_path, source_kind

    losses = Losses()
    with finishing(losses, unit="instances", out=out):
        made = pool_from_path(source, out, losses=losses, **options)
    answer(out=out, instances=len(made), categories=len(made.categories), left_out=made.manifest.left_out)
    echo(repr(made))
    for reason, count in made.manifest.left_out.items():
        echo(f"left out: {count:,} x {reason}")
    known = source if (options["kind"] or source_kind(source)) == "dataset" else options["categories"]
    next_step("divergen-paste", "bake", known or "TRAIN.json", out, "--out", "augmented")
    finish(losses, came=len(made) + len(losses), went=len(made), unit="instances", out=out)


@main.command()
@click.argument("path", type=FILE)
def verify(path: Path) -> None:
    """Decode every instance of a pool and say which are damaged.

    \b
    divergen-paste verify pool
    """
    from .pool import InstancePool

    opened = InstancePool.open(path)
    problems = opened.verify()
    for problem in problems:
        echo(problem)
    answer(pool=path, instances=len(opened), problems=problems)
    echo(f"{len(opened)} instances, {len(problems)} problems")
    if problems:
        raise click.exceptions.Exit(1)


@main.command()
@DATASET
@click.option("--out", required=True, type=FILE, help="JSON file to write.")
@on_problem_option
@losses_options
@OVERWRITE
def stats(annotations: Path, out: Path, on_problem: OnProblem, overwrite: bool) -> None:
    """Compute how large the objects of each category are; pasted instances are scaled to it.

    \b
    divergen-paste stats train.json --out area_mean_std.json
    divergen-paste bake train.json pool --out augmented -s statistics=area_mean_std.json
    """
    from .statistics import area_statistics, write_statistics

    refuse_existing(out, overwrite=overwrite)
    dataset = open_dataset(annotations, split="train", on_problem=on_problem, need_pictures=False)
    result = area_statistics(dataset)
    write_statistics(out, result, overwrite=overwrite)
    answer(out=out, categories=len(result))
    echo(f"{len(result)} categories written to {out}")
    finish_reading(dataset, out)


@main.command()
@DATASET
@click.argument("pool_path", metavar="POOL", type=FILE)
@click.option("--out", required=True, type=FILE, help="Picture to write, .jpg or .png.")
@IMAGES
@click.option("--count", type=SIDE, default=6, show_default=True, help="Images on the sheet.")
@click.option("--start", type=COUNT, default=0, show_default=True, help="First image.")
@click.option("--epoch", default=0, show_default=True, help="Each pastes others.")
@click.option("--width", type=SIDE, default=480, show_default=True, help="Of each picture, pixels.")
@SETTINGS
@SEED
@on_problem_option
@UNMATCHED
@losses_options
@OVERWRITE
def preview(
    annotations: Path,
    pool_path: Path,
    out: Path,
    images: Path | None,
    settings: tuple[str, ...],
    seed: int,
    on_problem: OnProblem,
    unmatched: Unmatched,
    overwrite: bool,
    **options: Any,
) -> None:
    """Draw images before and after, with outlines and labels.

    \b
    divergen-paste preview train.json pool --out sheet.jpg --count 8
    divergen-paste preview train.json pool --out poisson.jpg -s blend=poisson
    """
    from divergen_records.images import encode_image

    from .preview import picture_kind, preview_sheet

    kind = picture_kind(out)
    refuse_existing(out, overwrite=overwrite)
    dataset = open_dataset(annotations, images, split="train", on_problem=on_problem)
    paster = _paster(dataset, pool_path, settings, seed, unmatched)
    sheet = preview_sheet(dataset, paster, **options)
    write_bytes(out, encode_image(sheet, kind, 90), overwrite=overwrite)
    answer(out=out)
    echo(str(out))
    finish_reading(dataset, out)


@main.command()
@DATASET
@click.argument("pool_path", metavar="POOL", type=FILE)
@click.option("--out", required=True, type=FILE, help="Folder to write.")
@IMAGES
@click.option("--copies", type=COUNT, default=1, show_default=True, help="Pasted copies of each image.")
@click.option("--keep-originals/--no-originals", default=True, show_default=True, help="Also the images as they were.")
@click.option("--pictures", "image_format", type=click.Choice(["jpeg", "png"]), default="jpeg", help="Of the copies.")
@format_option("--format", "formats", multiple=True, help="Write this too, beside annotations.json; repeat as needed.")
@click.option("--yolo", is_flag=True, help="The same as --format yolo: labels/ and data.yaml for Ultralytics.")
@click.option(
    "--val",
    type=FILE,
    help="Validation data, written unpasted to OUT/val; data.yaml names it. One folder may hold the training data too.",
)
@click.option("--val-images", type=FILE, help="Folder of its pictures.")
@WORKERS
@SETTINGS
@SEED
@on_problem_option
@UNMATCHED
@losses_options
@OVERWRITE
def bake(
    annotations: Path,
    pool_path: Path,
    out: Path,
    images: Path | None,
    formats: tuple[str, ...],
    yolo: bool,
    val: Path | None,
    val_images: Path | None,
    settings: tuple[str, ...],
    seed: int,
    on_problem: OnProblem,
    unmatched: Unmatched,
    **options: Any,
) -> None:
    """Write an augmented dataset: images/ and annotations.json, which COCO and LVIS readers read.

    Killed and started again, it goes on where it was. OUT appears when all of it is there.

    \b
    divergen-paste bake train.json pool --out augmented --copies 2 --workers 8
    divergen-paste bake train.json pool --out augmented --yolo --val val.json -s max_instances=10
    """
    from divergen_records.declared import drop_empty
    from divergen_records.formats import writers

    from .baking import bake as write

    formats = tuple(dict.fromkeys([*formats, "yolo"] if yolo else formats))
    dataset = open_dataset(annotations, images, split="train", on_problem=on_problem, progress=True)
    if any(writers()[name].needs_masks for name in formats):
        dataset = drop_empty(dataset)
    beside = None if val is None else open_dataset(val, val_images, split="val", on_problem=on_problem)
    if beside is not None:
        tell_shared(dataset, beside)
    for name in formats:
        tell_crowds(dataset, writers()[name])
    paster = _paster(dataset, pool_path, settings, seed, unmatched)
    losses = Losses()
    losses.extend(dataset.problems)
    with finishing(losses, out=out):
        written = write(dataset, paster, out, formats=formats, val=beside, losses=losses, **options)
    answer(out=written, formats=formats, pictures=len(dataset.images))
    echo(str(written))
    if "yolo" in formats and val is None:
        echo(NO_VAL, err=True)
    if "yolo" in formats:
        next_step("yolo", "segment", "train", "model=yolo11n-seg.pt", f"data={out / 'data.yaml'}")
    else:
        next_step("divergen-train", "fit", written, "--out", "trained", "--val", val or "VAL.json")
    went = len(dataset.images) + len(dataset.problems) - len(losses)
    finish(losses, came=went + len(losses), went=went, unit="pictures", out=out)


@main.command()
@click.option("--side", "sides", multiple=True, type=SIDE, help="Of the square images; by default 640 and 896.")
@click.option("--instances", type=COUNT, default=20, show_default=True, help="Pasted into each image.")
@click.option("--objects", type=COUNT, default=12, show_default=True, help="That each image has already.")
@click.option("--rows", type=SIDE, default=1_000_000, show_default=True, help="Of the pool whose opening is timed.")
@click.option("--profile", is_flag=True, help="Also show where the time goes.")
def bench(sides: tuple[int, ...], instances: int, objects: int, rows: int, profile: bool) -> None:
    """Time the paste beside the published mapper's, on the same pictures, sizes and places, in one thread.

    \b
    divergen-paste bench
    divergen-paste bench --side 1024 --instances 40 --profile
    """
    from .bench import report

    lines = list(report(sides or (640, 896), instances=instances, objects=objects, rows=rows, profile=profile))
    answer(lines=lines)
    for line in lines:
        echo(line)


def _paster(dataset: Dataset, pool_path: Path, settings: tuple[str, ...], seed: int, unmatched: Unmatched) -> Paster:
    """The paster of these settings, its categories those of the dataset; prints how many match."""
    from divergen_records.settings import apply_settings

    from .config import PasteConfig
    from .pool import InstancePool, match_categories
    from .statistics import area_statistics

    config = apply_settings(PasteConfig, {}, settings, where="paste")
    pool = InstancePool.open(pool_path)
    match = match_categories(pool.categories, dataset.categories, unmatched=unmatched)
    if match.left_out:
        echo(str(match), err=True)
    else:
        note(str(match))
    paster: Paster = config.build(pool.renamed(match), area_statistics(dataset), seed=seed)
    return paster
