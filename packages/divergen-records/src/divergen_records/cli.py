"""The command ``divergen-records``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from pydantic import BaseModel

from .command import Group, echo
from .errors import require_extra
from .record import Category, InstanceRecord, PromptRecord
from .table_cli import table

if TYPE_CHECKING:
    from .dataset import Dataset

__all__ = ["main"]

_RECORDS: dict[str, type[BaseModel]] = {"instance": InstanceRecord, "prompt": PromptRecord, "category": Category}


@click.group(cls=Group)
@click.version_option(package_name="divergen-records")
def main() -> None:
    """Look at, check and convert what DiverGen reads and writes."""


main.add_command(table)


@main.command(epilog="Example: divergen-records schema prompt > prompt.schema.json")
@click.argument("record", type=click.Choice(list(_RECORDS)), default="instance")
def schema(record: str) -> None:
    """Print the JSON Schema of a record."""
    import json

    echo(json.dumps(_RECORDS[record].model_json_schema(), indent=2))


@main.command(epilog="Example: divergen-records check annotations.json --images images/ --decode")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="The folder of images: each picture must be in it.")
@click.option("--decode", is_flag=True, help="Also read every picture and draw every mask.")
@click.pass_context
def check(ctx: click.Context, dataset: Path, images: Path | None, decode: bool) -> None:
    """Check a COCO or LVIS file; ends with status 1 if it has problems."""
    with require_extra("divergen-records", "images"):
        from .coco import check_samples, read_dataset
    data = read_dataset(dataset, image_dir=images, on_error="skip", progress=True)
    problems = [*data.problems, *(check_samples(data, progress=True) if decode else ())]
    for problem in problems:
        echo(problem)
    if problems:
        echo(f"{dataset}: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}", err=True)
        ctx.exit(1)
    echo(_summary(data))


@main.command(epilog="Example: divergen-records convert annotations.json masks/ --format png --masks label")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--format", type=click.Choice(["coco", "lvis", "png"]), required=True, help="What to write.")
@click.option("--masks", type=click.Choice(["instance", "label"]), default="instance", help="PNG: one file per object, "
              "or one per picture whose values are category ids.", show_default=True)  # fmt: skip
@click.option("--skip-problems", is_flag=True, help="Leave out what has a problem instead of refusing the file.")
@click.option("--overwrite", is_flag=True, help="Replace the file OUT (folders are never replaced).")
def convert(
    source: Path,
    out: Path,
    format: Literal["coco", "lvis", "png"],  # noqa: A002
    masks: Literal["instance", "label"],
    skip_problems: bool,
    overwrite: bool,
) -> None:
    """Convert a COCO or LVIS file SOURCE to the file OUT (coco, lvis) or the folder OUT (png)."""
    with require_extra("divergen-records", "images"):
        from .coco import read_dataset, write_coco, write_lvis
        from .export import export_png_masks
    data = read_dataset(source, on_error="skip" if skip_problems else "raise", progress=True)
    for problem in data.problems:
        echo(f"left out: {problem}", err=True)
    if format == "png":
        export_png_masks(data, out, masks=masks, progress=True)
    else:
        write = write_lvis if format == "lvis" else write_coco
        write(out, data.images, data.annotations, data.categories, licenses=data.licenses, overwrite=overwrite)
    echo(f"{out}: {len(data.images)} images, {len(data.annotations)} annotations")


def _summary(data: Dataset) -> str:
    groups = Counter(category.frequency for category in data.categories)
    return (
        f"{data.path}: no problems\n"
        f"images       {len(data.images)}\n"
        f"annotations  {len(data.annotations)}\n"
        f"categories   {len(data.categories)} (rare {groups['r']}, common {groups['c']}, frequent {groups['f']})"
    )
