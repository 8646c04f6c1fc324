"""How often people and rules say the same."""

from __future__ import annotations

from dataclasses import dataclass

from divergen_records import InstanceTable

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True)
class Agreement:
    """Reviewed instances that the rules decide about, too.

    Attributes:
        both_kept: People and rules keep them.
        both_rejected: Both reject them.
        rescued: People keep what the rules reject.
        spoilt: People reject what the rules keep.
        reviewers: Who reviewed, and how many.
    """

    both_kept: int
    both_rejected: int
    rescued: int
    spoilt: int
    reviewers: dict[str, int]

    @property
    def reviewed(self) -> int:
        """All of them."""
        return self.both_kept + self.both_rejected + self.rescued + self.spoilt

    @property
    def agreed(self) -> int:
        """Those about which people and rules say the same."""
        return self.both_kept + self.both_rejected


def agreement(table: InstanceTable) -> Agreement | None:
    """Compare people with the rules; None where nothing is reviewed and decided.

    Args:
        table: A table that was decided after its last review.
    """
    if "rule_kept" not in table.columns:
        return None
    where = "review IS NOT NULL AND rule_kept IS NOT NULL"
    groups = table.group_counts({"people": "review = 'keep'", "rules": "rule_kept"}, where)
    counts = {(group["people"], group["rules"]): group["count"] for group in groups}
    if not counts:
        return None
    names = {group["reviewer"]: group["count"] for group in table.group_counts(["reviewer"], where)}
    return Agreement(
        both_kept=counts.get((True, True), 0),
        both_rejected=counts.get((False, False), 0),
        rescued=counts.get((True, False), 0),
        spoilt=counts.get((False, True), 0),
        reviewers=names,
    )
