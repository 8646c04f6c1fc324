"""What a training thought of each generated instance, back in the table: which generator, which prompts help?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from divergen_records import InstanceTable, fill

from .columns import FeedbackColumns

if TYPE_CHECKING:
    from divergen_records.stage import Batch
    from divergen_train.bsgal.ledger import Contribution

__all__ = ["FeedbackStage", "GroupFeedback", "forget_feedback", "group_feedback", "write_feedback"]


class FeedbackStage:
    """Writes `FeedbackColumns`; an instance that was never judged has 0 and NULL.

    Args:
        contributions: As `divergen_train.bsgal.ledger.read_contributions` reads them.
    """

    name = "feedback"
    reads = ("id",)
    writes = tuple(FeedbackColumns.model_fields)
    columns = FeedbackColumns

    def __init__(self, contributions: Iterable[Contribution]) -> None:
        self._found = {row.source: row for row in contributions}

    def __call__(self, batch: Batch) -> Batch:
        """See `divergen_records.Stage`."""
        rows = [self._found.get(name) for name in batch["id"]]
        return {
            "judged": [row.n if row else 0 for row in rows],
            "acceptance": [_acceptance(row) for row in rows],
            "contribution": [row.mean if row else None for row in rows],
            "belief": [row.belief if row else None for row in rows],
            "draw_weight": [row.weight if row else None for row in rows],
        }


def _acceptance(row: Contribution | None) -> float | None:
    return None if row is None or row.accepted is None or not row.n else row.accepted / row.n


def write_feedback(table: InstanceTable, contributions: Iterable[Contribution]) -> int:
    """Write what a training found to the table, in place of what an earlier one did; returns the rows judged."""
    forget_feedback(table)
    fill(table, FeedbackStage(contributions), batch_size=4096, progress=False)
    return table.count("judged > 0")


def forget_feedback(table: InstanceTable) -> None:
    """Forget what trainings found."""
    if "judged" in table.columns:
        table.clear(FeedbackStage.writes, "judged IS NOT NULL")


@dataclass(frozen=True)
class GroupFeedback:
    """What a training thought of a group of instances.

    Attributes:
        group: What they have in common, for example ``"generator cgi"``.
        instances: How many were judged.
        acceptance: Share of the judgements in which they were accepted; None where nothing is rejected.
        contribution: Mean of their mean contributions.
        drawn: How often they were drawn at the end, 1 on average; None where the training drew all alike.
    """

    group: str
    instances: int
    acceptance: float | None
    contribution: float | None
    drawn: float | None


def _share(part: float | None, whole: float) -> float | None:
    return None if part is None else part / whole


def group_feedback(
    table: InstanceTable, columns: Sequence[str] = ("frequency", "generator", "prompt_source")
) -> list[GroupFeedback]:
    """Feedback by the values of each column, one column after the other; empty where nothing was judged."""
    import pyarrow.compute as pc

    if "judged" not in table.columns:
        return []
    table.ensure_columns(FeedbackColumns)  # an older run's table has not all of them
    rows = table.select([*columns, *FeedbackStage.writes], where="judged > 0")
    if not len(rows):
        return []
    rows = rows.append_column("accepted", pc.multiply(rows["judged"], rows["acceptance"]))
    wanted: list[tuple[Any, str]] = [
        ([], "count_all"),
        ("judged", "sum"),
        ("accepted", "sum"),
        ("contribution", "mean"),
        ("draw_weight", "mean"),
    ]
    found = []
    for column in columns:
        groups = rows.group_by(column).aggregate(wanted).sort_by(column).to_pylist()
        found += [
            GroupFeedback(
                group=f"{column.replace('_', ' ')} {group[column] or '–'}",
                instances=group["count_all"],
                acceptance=_share(group["accepted_sum"], group["judged_sum"]),
                contribution=group["contribution_mean"],
                drawn=group["draw_weight_mean"],
            )
            for group in groups
        ]
    return found
