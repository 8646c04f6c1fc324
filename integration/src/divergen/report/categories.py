"""What was made and kept of each category, and the worst of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .gallery import cards_of, kind_of_reason

if TYPE_CHECKING:
    from divergen_records import InstanceTable

__all__ = ["category_counts", "category_galleries", "offenders"]

_GALLERIES, _EACH, _WORST = 40, 6, 5


def category_counts(table: InstanceTable) -> dict[int, dict[str, Any]]:
    """By category id: its name and frequency, how many pictures were made, kept, rejected and failed, and why most."""
    groups = table.group_counts(
        {
            "id": "category_id",
            "name": "category",
            "frequency": "frequency",
            "kept": "kept",
            "failed": "error IS NOT NULL",
            "reason": "reject_reason",
        }
    )
    found: dict[int, dict[str, Any]] = {}
    reasons: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for group in groups:
        row = found.setdefault(
            group["id"],
            {"name": group["name"], "frequency": group["frequency"] or "–", **dict.fromkeys(_COUNTED, 0)},
        )
        row["made"] += group["count"]
        state = "failed" if group["failed"] else {True: "kept", False: "rejected"}.get(group["kept"])
        if state:
            row[state] += group["count"]
        if group["reason"]:
            reasons[group["id"]][kind_of_reason(group["reason"])] += group["count"]
    for key, row in found.items():
        row["why"] = reasons[key].most_common(1)[0][0] if reasons[key] else ""
    return found


_COUNTED = ("made", "kept", "rejected", "failed")


def offenders(counts: Mapping[int, Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Categories to look at first: those that fell most, and those of which least was kept."""
    fallen = [row for row in sorted(rows, key=lambda row: row["change"]) if row["change"] < 0][:_WORST]
    decided = {key: row for key, row in counts.items() if row["kept"] + row["rejected"]}
    lost = sorted(decided, key=lambda key: (decided[key]["kept"] / decided[key]["made"], -decided[key]["made"]))
    return [
        *(
            {
                "id": row["id"],
                "name": row["name"],
                "what": f"AP {row['first']:.1f} to {row['second']:.1f}: {row['verdict']}",
            }
            for row in fallen
        ),
        *(
            {
                "id": key,
                "name": decided[key]["name"],
                "what": f"{decided[key]['kept']} of {decided[key]['made']} kept"
                + (f"; most often {decided[key]['why']}" if decided[key]["why"] else ""),
            }
            for key in lost[:_WORST]
        ),
    ]


def category_galleries(
    table: InstanceTable, counts: Mapping[int, Mapping[str, Any]], first: Sequence[int]
) -> list[dict[str, Any]]:
    """Kept and rejected instances of the most telling categories.

    Args:
        table: The instance table.
        counts: Of `category_counts`.
        first: Categories that come before the others.
    """
    rarest = {"r": 0, "c": 1, "f": 2}
    others = sorted(counts, key=lambda key: (rarest.get(counts[key]["frequency"], 3), counts[key]["name"]))
    chosen = list(dict.fromkeys([*(key for key in first if key in counts), *others]))[:_GALLERIES]
    return [
        {
            "id": key,
            **counts[key],
            "kept_cards": cards_of(table, key, kept=True, count=_EACH),
            "rejected_cards": cards_of(table, key, kept=False, count=_EACH),
        }
        for key in chosen
    ]
