"""How far a run is: per stage, and per frequency group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_records import DatasetError
from divergen_records.files import read_json
from rich.console import Console
from rich.table import Table

from .personal import PersonalStatus, personal_status
from .prompting import PromptsStatus, prompts_status

if TYPE_CHECKING:
    from divergen_records import InstanceTable

    from .run import Run

__all__ = ["MARKERS", "FrequencyStatus", "StageStatus", "Status", "print_status", "run_status"]

MARKERS = {
    "gen": "width",
    "annotate": "area_fraction",
    "embed": "embedder",
    "score": "inter_similarity",
    "decide": "kept",
}
"""Stage -> the light column that is filled when the stage is done with a row."""

_FREQUENCIES = ("r", "c", "f")


@dataclass(frozen=True)
class StageStatus:
    """Rows of the table by what a stage did with them; a row that an earlier stage failed on waits for nobody."""

    stage: str
    done: int
    pending: int
    failed: int


@dataclass(frozen=True)
class FrequencyStatus:
    """The funnel of one frequency group."""

    frequency: str
    planned: int
    generated: int
    masked: int
    kept: int


@dataclass(frozen=True)
class Status:
    """A run at one moment.

    Attributes:
        stages: In order.
        frequencies: r, c, f (or "?" for categories without a group) and "all".
        errors: (stage, reason) -> rows, the most frequent first.
        prompts: Sources of prompts, in order.
        personal: Generators whose weights of single categories the run trains, in order.
    """

    stages: tuple[StageStatus, ...]
    frequencies: tuple[FrequencyStatus, ...]
    errors: Mapping[tuple[str, str], int]
    prompts: tuple[PromptsStatus, ...] = ()
    personal: tuple[PersonalStatus, ...] = ()

    def values(self) -> dict[str, Any]:
        """As lists and mappings."""
        errors = [{"stage": stage, "reason": reason, "rows": rows} for (stage, reason), rows in self.errors.items()]
        values = {"stages": [asdict(s) for s in self.stages], "frequencies": [asdict(f) for f in self.frequencies]}
        prompts = [asdict(source) for source in self.prompts]
        personal = [asdict(generator) for generator in self.personal]
        return {"prompts": prompts, "personal": personal, **values, "errors": errors}


def run_status(run: Run) -> Status:
    """Count the rows of a run in one scan; no picture, mask or embedding is read."""
    planned = Counter(_planned(run.folder / "plan.json"))
    if run.has_table():
        planned += _further(run.table)
    groups = _groups(run.table) if run.has_table() else []
    errors = Counter[tuple[str, str]]()
    for group in groups:
        if group["error_stage"] is not None:
            errors[group["error_stage"], group["error"]] += group["rows"]
    return Status(
        _stages(groups, sum(planned.values())),
        _frequencies(groups, planned),
        dict(errors.most_common()),
        prompts_status(run),
        personal_status(run),
    )


def _planned(path: Path) -> dict[str, int]:
    """Pictures planned by frequency group; none before generation."""
    if not path.exists():
        return {}
    remedy = "run the same line again, which writes it anew"
    try:
        return {str(group): int(count) for group, count in read_json(path, remedy)["frequencies"].items()}
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: damaged ({error!r}); {remedy}") from error


def _further(table: InstanceTable) -> Counter[str]:
    """Rows of further objects of a picture, by frequency group; no plan knows of them before masks are made."""
    if "object_of" not in table.columns:
        return Counter()
    rows = table.group_counts(["frequency"], "object_of IS NOT NULL")
    return Counter({row["frequency"] or "?": row["count"] for row in rows})


def _groups(table: InstanceTable) -> list[dict[str, Any]]:
    """Rows, and rows where each stage is done, by frequency and error."""
    import pyarrow.compute as pc

    keys = ["frequency", "error_stage", "error"]
    markers = [column for column in MARKERS.values() if column in table.columns]
    rows = table.select([*keys, *markers])
    rows = rows.append_column("accepted", pc.fill_null(rows["kept"], False)).append_column(
        "masked", pc.is_valid(rows[MARKERS["annotate"]])
    )
    counts = [((), "count_all"), *((column, "count") for column in markers), ("accepted", "sum"), ("masked", "sum")]
    found: list[dict[str, Any]] = rows.group_by(keys).aggregate(counts).to_pylist()
    return [{**group, "rows": group["count_all"]} for group in found]


def _stages(groups: list[dict[str, Any]], planned: int) -> tuple[StageStatus, ...]:
    result, ready = [], planned
    for stage, column in MARKERS.items():
        done = sum(group.get(f"{column}_count", 0) for group in groups)
        failed = sum(group["rows"] for group in groups if group["error_stage"] == stage)
        result.append(StageStatus(stage, done, max(ready - done - failed, 0), failed))
        ready = done
    return tuple(result)


def _frequencies(groups: list[dict[str, Any]], planned: Mapping[str, int]) -> tuple[FrequencyStatus, ...]:
    names = [*_FREQUENCIES, *sorted({group["frequency"] or "?" for group in groups} - set(_FREQUENCIES)), "all"]
    result = []
    for name in names:
        own = [group for group in groups if name in (group["frequency"] or "?", "all")]
        total = sum(planned.values()) if name == "all" else planned.get(name, 0)
        sums = [
            sum(group.get(column) or 0 for group in own)
            for column in (f"{MARKERS['gen']}_count", "masked_sum", "accepted_sum")
        ]
        result.append(FrequencyStatus(name, total, *sums))
    return tuple(result)


def print_status(status: Status, console: Console) -> None:
    """As tables for people."""
    for table in _tables(status):
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
    notes = [f"{source.source}, {name}: {why}" for source in status.prompts for name, why in source.shortfalls.items()]
    notes += [f"{one.generator}, {name}: {why}" for one in status.personal for name, why in one.without.items()]
    for note in notes[:10]:
        console.print(note, highlight=False, markup=False)
    if len(notes) > 10:
        console.print(f"... and {len(notes) - 10} more categories that lack something (--json lists all)")
    for (failed, reason), rows in list(status.errors.items())[:10]:
        console.print(f"{rows:,} rows failed in {failed}: {reason}", highlight=False, markup=False)
    if len(status.errors) > 10:
        console.print(f"... and {len(status.errors) - 10} more reasons (--json lists all)")


def _tables(status: Status) -> Iterator[Table]:
    """Sources of prompts and personal weights where there are some, stages, and the funnel."""
    sources = Table("source", "categories", "prompts", "wanted", "short", "cost", title="Prompts", title_justify="left")
    for source in status.prompts:
        wanted = "" if source.wanted is None else f"{source.wanted:,}"
        short, cost = str(len(source.shortfalls) or ""), f"{source.cost:.4g}" if source.cost else ""
        sources.add_row(source.source, f"{source.categories:,}", f"{source.prompts:,}", wanted, short, cost)
    if status.prompts:
        yield sources
    personal = Table("generator", "trained", "wanted", "without", title="Personal weights", title_justify="left")
    for one in status.personal:
        personal.add_row(one.generator, f"{one.trained:,}", f"{one.wanted:,}", str(len(one.without) or ""))
    if status.personal:
        yield personal
    stages = Table("stage", "done", "pending", "failed", title="Stages", title_justify="left")
    for stage in status.stages:
        stages.add_row(stage.stage, f"{stage.done:,}", f"{stage.pending:,}", f"{stage.failed:,}")
    yield stages
    funnel = Table("frequency", "planned", "generated", "masked", "kept", title="Instances", title_justify="left")
    for group in status.frequencies:
        counts = (group.planned, group.generated, group.masked, group.kept)
        funnel.add_row(group.frequency, *(f"{count:,}" for count in counts))
    yield funnel
