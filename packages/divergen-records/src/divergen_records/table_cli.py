"""``divergen-records table``: look into an instance table, retry its failed rows, keep it small."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .answers import asked_for_json
from .command import Group, answer, echo

if TYPE_CHECKING:
    from .table import InstanceTable

__all__ = ["table"]

STAGES = {
    "generated": "width",
    "masked": "area_fraction",
    "embedded": "embedder",
    "scored": "inter_similarity",
    "decided": "kept",
}
"""What a row went through, and the column that tells."""

where_option = click.option("--where", help="""SQL condition, for example "kept AND frequency = 'r'".""")
path_argument = click.argument("path", metavar="TABLE", type=click.Path(path_type=Path))


@click.group(cls=Group, epilog="Example: divergen-records table status run/table.lance")
def table() -> None:
    """Look into an instance table (a folder, in a run: table.lance)."""


@table.command(epilog="Example: divergen-records table status run/table.lance")
@path_argument
def status(path: Path) -> None:
    """Show how far the rows are, by frequency group."""
    opened = _open(path)
    have = opened.columns
    groups = opened.group_counts(
        {
            "frequency": "frequency",
            **{name: f"{column} IS NOT NULL" if column in have else "false" for name, column in STAGES.items()},
            "kept": "kept",
            "failed": "error IS NOT NULL",
        }
    )
    names = ["rows", *STAGES, "kept", "failed"]
    lines = [["frequency", *names]]
    for frequency in ("r", "c", "f", None, "all"):
        rows = [group for group in groups if frequency in (group["frequency"], "all")]
        if rows:
            counts = [sum(row["count"] for row in rows if name == "rows" or row[name]) for name in names]
            lines.append([frequency or "unknown", *map(str, counts)])
    unknown = _unknown(opened)
    counted = {line[0]: dict(zip(names, map(int, line[1:]), strict=True)) for line in lines[1:]}
    answer(rows=counted, unknown_columns=unknown)
    echo(_aligned(lines))
    if unknown:
        echo(f"columns that no installed package declares: {', '.join(unknown)}")


@table.command(epilog="Example: divergen-records table columns run/table.lance")
@path_argument
def columns(path: Path) -> None:
    """List the columns: type, rows that have a value, who declared it, and what it holds where that is known."""
    from .columns import declared_columns
    from .record import InstanceRecord
    from .schema import find_marker, writer_in

    opened, declared = _open(path), declared_columns()
    unknown, schema = _unknown(opened), opened.schema
    lines = [["column", "type", "rows", "declared by", "holds"]]
    for field in schema:
        filled = opened.count(f"{find_marker(schema, field.name)} IS NOT NULL")
        own = field.name in InstanceRecord.model_fields
        writer = "InstanceRecord" if own else writer_in(field) or "schema version 2"
        text = declared[field.name].model_fields[field.name].description if field.name in declared else None
        holds = "(no installed package declares it)" if field.name in unknown else (text or "").partition("\n")[0]
        lines.append([field.name, str(field.type), str(filled), writer, holds])
    answer(columns=[dict(zip(lines[0], line, strict=True)) for line in lines[1:]])
    echo(_aligned(lines))


@table.command(epilog="Example: divergen-records table errors run/table.lance")
@path_argument
def errors(path: Path) -> None:
    """Count the failed rows by stage and reason."""
    found = _open(path).errors()
    answer(errors=found)
    lines = [["count", "stage", "error"], *([str(row["count"]), row["error_stage"], row["error"]] for row in found)]
    echo(_aligned(lines) if found else "no row failed")


@table.command(epilog="Example: divergen-records table retry run/table.lance --stage annotate")
@path_argument
@click.option("--stage", help="Only rows that failed in this stage.")
def retry(path: Path, stage: str | None) -> None:
    """Make failed rows pending again; the next run does them.

    Rows without a picture are removed from the table, and made again from the plan.
    """
    count = _open(path).retry_errors(stage)
    answer(rows=count)
    echo(f"{count} {'row is' if count == 1 else 'rows are'} pending again")


@table.command(epilog='Example: divergen-records table head run/table.lance --where "error IS NOT NULL"')
@path_argument
@where_option
@click.option("-n", "--limit", type=click.IntRange(min=1), default=5, show_default=True, help="Rows at most.")
def head(path: Path, where: str | None, limit: int) -> None:
    """Print a few rows as JSON lines, without pictures, masks and vectors."""
    from .schema import is_heavy

    opened = _open(path)
    columns = [field.name for field in opened.schema if not is_heavy(field)]
    _echo_rows([opened.select(columns, where, limit).to_pylist()])


@table.command(
    "export-records", epilog="Example: divergen-records table export-records run/table.lance --where kept > kept.jsonl"
)
@path_argument
@where_option
@click.option("--images/--no-images", help="With the pictures (base64); without by default.")
def export_records(path: Path, where: str | None, images: bool) -> None:
    """Print rows as JSON lines of the record (see: divergen-records schema)."""
    opened = _open(path)
    columns = [name for name in opened.columns if images or name not in ("image", "alpha")]
    _echo_rows(batch.to_pylist() for batch in opened.batches(columns, where, batch_size=256))


@table.command(epilog="Example: divergen-records table compact run/table.lance")
@path_argument
def compact(path: Path) -> None:
    """Merge small files and remove old versions; run it while no stage is running."""
    opened = _open(path)
    opened.compact()
    answer(table=path, rows=opened.count())


def _open(path: Path) -> InstanceTable:
    from .errors import require_extra

    with require_extra("divergen-records", "table"):
        from .table import InstanceTable
    return InstanceTable.open(path)


def _unknown(opened: InstanceTable) -> list[str]:
    """Columns of a table that neither the record nor an installed package declares, with who did."""
    from .columns import declared_columns
    from .record import InstanceRecord

    known = {*InstanceRecord.model_fields, *declared_columns()}
    return [name for name in opened.columns if name not in known]


def _echo_rows(batches: Iterable[list[dict[str, Any]]]) -> None:
    for batch in batches:
        for row in batch:
            echo(json.dumps({name: value for name, value in row.items() if value is not None}, default=_text))
    if found := asked_for_json():
        answer(rows=[json.loads(line) for line in found.text])


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode("ascii")


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = [all(text.isdecimal() for text in column[1:]) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )
