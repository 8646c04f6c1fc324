"""Write the generated instances of a run as an ordinary dataset."""

from __future__ import annotations

from pathlib import Path

from divergen_records import TableError
from divergen_records.export import ExportReport, export_instances
from divergen_records.losses import Losses

from .pipeline import Pipeline
from .run import Run

__all__ = ["HF", "export_run"]

HF = "hf"
"""The layout of `divergen.hub`, one of instances and not of data sets; `datasets` and `divergen pull` read it."""


def export_run(
    run: Run, out: Path, *, kind: str, where: str, overwrite: bool = False, losses: Losses | None = None
) -> ExportReport:
    """Export rows of the run's table, with the categories of its dataset and its extra ones.

    Args:
        run: The run.
        out: A new folder.
        kind: `HF`, or a format that writes; see `divergen_records.formats`.
        where: SQL filter over the table's columns.
        overwrite: Replace what an export wrote before.
        losses: Takes in the instances that have no picture or mask, or a bad one.

    Raises:
        TableError: If no row fits the filter.
        DatasetError: If the folder is in use.
    """
    total = run.table.count(where) if run.has_table() else 0
    if not total:
        raise TableError(f"{run.folder}: no instance fits {where!r}; `divergen status {run.folder}` says how far it is")
    if kind == HF:
        from .hub import write_dataset

        made = write_dataset(run, out.name, out, where=where, overwrite=overwrite, losses=losses)
        return ExportReport(out, made.count, total - made.count)
    categories = Pipeline(run).canvas.categories
    return export_instances(
        run.table.records(where),
        out,
        kind,
        categories=categories,
        total=total,
        overwrite=overwrite,
        losses=losses,
        progress=True,
    )
