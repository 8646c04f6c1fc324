"""The command ``divergen-records``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from pydantic import BaseModel

from .command import Group, answer, echo, next_step
from .data_options import FormatName, finish_reading, format_option, on_problem_option, open_dataset, tell_crowds
from .errors import require_extra
from .formats import OnProblem, ReadsData, WritesData, locate, writers
from .formats.problems import count_mendable
from .formats.protocol import SPLITS
from .losses import losses_options
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
    """Print the JSON Schema of a record; of an instance, with the columns that installed packages declare."""
    import json

    found = _instance_schema() if record == "instance" else _RECORDS[record].model_json_schema()
    answer(schema=found)
    echo(json.dumps(found, indent=2))


@main.command(epilog="Example: divergen-records check annotations.json --images images/ --decode")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="The folder of images: each picture must be in it.")
@click.option("--decode", is_flag=True, help="Also read every picture and draw every mask.")
@click.option("--on-problem", type=click.Choice(["skip", "repair"]), default="skip", show_default=True,
              help="What the data would be with it.")  # fmt: skip
@click.pass_context
def check(ctx: click.Context, dataset: Path, images: Path | None, decode: bool, on_problem: OnProblem) -> None:
    """Check a data set, and compare what it declares with its masks; ends with status 1 if it has problems."""
    with require_extra("divergen-records", "images"):
        from .coco import check_samples
        from .declared import compare_declared
    data = locate(dataset).read(image_dir=images, on_problem=on_problem, boxes=True, progress=True)
    problems = [*data.problems, *(check_samples(data, progress=True) if decode else ())]
    notes = [*data.notes, *compare_declared(data, progress=True)]
    counts = {name: len(getattr(data, name)) for name in ("images", "annotations", "categories")}
    answer(dataset=data.path, **counts, problems=problems, mended=data.repairs, notes=notes)
    for problem in problems:
        echo(problem)
    for title, lines in (("mended", data.repairs), ("note", notes)):
        for line in lines:
            echo(f"{title}: {line}")
    echo(_summary(data, len(problems)))
    if problems:
        mendable = count_mendable(problems)
        mend = f"; --on-problem repair mends {mendable} at least" if mendable else ""
        echo(f"{dataset}: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}{mend}", err=True)
        ctx.exit(1)


@main.command(epilog="Example: divergen-records convert annotations.json yolo/ --format yolo")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@format_option(required=True, help="What to write.")
@click.option("--from", "source_format", type=FormatName("read"), help="What SOURCE is; told from what is there.")
@click.option("--images", type=click.Path(path_type=Path), help="The folder of SOURCE's images.")
@click.option("--split", type=click.Choice(SPLITS), help="Of a folder that holds several, this one alone.")
@click.option("--masks", type=click.Choice(["instance", "label"]), default="instance", help="PNG: one file per object, "
              "or one per picture whose values are category ids.", show_default=True)  # fmt: skip
@on_problem_option
@losses_options
@click.option("--overwrite", is_flag=True, help="Replace OUT where this command wrote it.")
def convert(
    source: Path,
    out: Path,
    format: str,  # noqa: A002
    source_format: str | None,
    images: Path | None,
    split: str | None,
    masks: Literal["instance", "label"],
    on_problem: OnProblem,
    overwrite: bool,
) -> None:
    """Convert a data set SOURCE (COCO, LVIS, a YOLO folder, labelme, an X-Paste pool) to the file or folder OUT.

    COCO and LVIS are written as a file alone where OUT ends in .json, else as a folder with the pictures.
    """
    from .declared import drop_misfits

    writer = writers()["png-labels" if (format, masks) == ("png", "label") else format]
    with_pictures = getattr(writer, "needs_pictures", writer.beside) and out.suffix.lower() != ".json"
    data = open_dataset(
        source,
        images,
        split=split,
        on_problem=on_problem,
        format=source_format,
        boxes=not writer.needs_masks,
        need_pictures=with_pictures or (None if images else False),
        progress=True,
    )
    if with_pictures:
        data = drop_misfits(data, decode=getattr(writer, "decodes_pictures", False))
    data = _writable(data, writer) if writer.needs_masks else data
    written = writer.write(data, out, overwrite=overwrite, progress=True)
    answer(out=written, images=len(data.images), annotations=len(data.annotations))
    echo(f"{written}: {len(data.images)} images, {len(data.annotations)} annotations")
    if isinstance(writer, ReadsData):
        next_step("divergen", "run", "coco100", "--out", "RUN", f"data={out}")
    finish_reading(data, out)


def _writable(data: Dataset, writer: WritesData) -> Dataset:
    """The objects that a format of masks holds; the others are told, crowds as what they are."""
    from .declared import drop_empty

    if tell_crowds(data, writer):
        data = data.replace(annotations=[one for one in data.annotations if not one.iscrowd])
    return drop_empty(data)


def _instance_schema() -> dict[str, Any]:
    from .columns import declared_columns, writer_of

    found = InstanceRecord.model_json_schema()
    for name, model in declared_columns().items():
        declared = model.model_json_schema()["properties"][name]
        found["properties"].setdefault(name, {**declared, "x-writer": writer_of(model, name)})
    return found


def _summary(data: Dataset, problems: int) -> str:
    groups = Counter(category.frequency for category in data.categories)
    return (
        f"{data.path}: {f'{problems} left out or unreadable' if problems else 'no problems'}\n"
        f"images       {len(data.images)}\n"
        f"annotations  {len(data.annotations)}\n"
        f"categories   {len(data.categories)} (rare {groups['r']}, common {groups['c']}, frequent {groups['f']})"
    )
