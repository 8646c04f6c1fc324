"""Verdicts from the tags of a data set that went out to another tool and came back (FiftyOne)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from divergen_records import InstanceTable
from divergen_records.coco import Dataset
from divergen_records.losses import Losses

from .merging import merge_reviews
from .verdicts import Kind, Verdict, VerdictLog, log_path, now

__all__ = ["TagReport", "Tagged", "instance_tags", "take_tags"]

_WORDS: dict[str, Kind] = {
    **dict.fromkeys(["keep", "kept", "good"], "keep"),
    **dict.fromkeys(["reject", "rejected", "bad"], "reject"),
    **dict.fromkeys(["mask", "wrong mask", "bad mask", "mask is wrong"], "mask"),
    "category": "category",
    "wrong category": "category",
}
"""What people call the verdicts."""


@dataclass(frozen=True)
class Tagged:
    """What came back of one instance.

    Attributes:
        tags: Those of the picture and of its objects.
        review: The verdict that it went out with, if it did.
        reviewed_at: And when that was said.
    """

    tags: tuple[str, ...] = ()
    review: str | None = None
    reviewed_at: str | None = None


@dataclass
class TagReport:
    """What became of tags.

    Attributes:
        said: Kind of verdict -> new ones.
        taken_back: Verdicts whose tag has been removed.
        unchanged: Instances about which the tags say what was said before, or nothing.
        others: Tags that are no verdicts -> how often.
        unknown: Names of pictures that are no instance of the table.
    """

    said: Counter[Kind] = field(default_factory=Counter)
    taken_back: int = 0
    unchanged: int = 0
    others: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """Verdicts that were written."""
        return self.said.total() + self.taken_back

    def __str__(self) -> str:
        told = ", ".join(f"{count} {kind}" for kind, count in self.said.items())
        others = ", ".join(f"{tag} ({count})" for tag, count in self.others.most_common(5))
        return (
            f"tags: {self.said.total()} verdicts{': ' + told if told else ''}; {self.taken_back} taken back, "
            f"{self.unchanged} as they were{'; no verdicts: ' + others if others else ''}"
        )


def instance_tags(dataset: Dataset) -> dict[str, Tagged]:
    """Instance id -> what came back of it; a picture's name is its instance's id."""
    found: dict[str, Tagged] = {}
    for image in dataset.images:
        about = image.extra or {}
        rows = [about, *(one.extra or {} for one in dataset.annotations_of(image.id))]
        tags = dict.fromkeys(str(tag) for row in rows for tag in row.get("tags") or ())
        found[PurePosixPath(image.file_name).stem] = Tagged(tuple(tags), about.get("review"), about.get("reviewed_at"))
    return found


def take_tags(table: InstanceTable, dataset: Dataset, *, reviewer: str, losses: Losses) -> TagReport:
    """Write the tags of instances as verdicts, where they say something new; in the log and in the table at the end.

    A tag is ``keep``, ``reject``, ``mask`` (the mask is wrong) or ``category:NAME`` (it is another one). Where the tag
    of a verdict that went out is gone, the verdict is taken back. What somebody else has said since stays.

    Args:
        table: The table that the instances are from.
        dataset: What came back.
        reviewer: Who tagged.
        losses: Takes in tags that contradict each other, or what has been said since.
    """
    log, report, time = VerdictLog(log_path(table.path)), TagReport(), now()
    known = table.ids()
    made: list[Verdict] = []
    for key, tagged in instance_tags(dataset).items():
        if key not in known:
            report.unknown.append(key)
            continue
        try:
            verdict = _verdict(key, tagged.tags, reviewer, time, report.others)
        except ValueError as error:
            losses.add(key, str(error))
            continue
        last = log.last(key) or Verdict(key)
        if verdict is None and tagged.review and tagged.review == last.review:
            verdict = Verdict(key, None, reviewer, time)  # its tag is gone
        if verdict is None or _says_the_same(verdict, last):
            report.unchanged += 1
        elif last.review and last.reviewer != reviewer and last.reviewed_at != tagged.reviewed_at:
            losses.add(key, f"{last.reviewer} has said {last.review!r} since; that stays (divergen-filter review)")
        else:
            made.append(verdict)
    report.said.update(verdict.review for verdict in made if verdict.review)
    report.taken_back = sum(verdict.review is None for verdict in made)
    log.append(made)
    merge_reviews(table, log)
    return report


def _verdict(key: str, tags: Sequence[str], reviewer: str, time: str, others: Counter[str]) -> Verdict | None:
    """What the tags of an instance say; raises ValueError where that is not one thing."""
    found: set[tuple[Kind, str | None]] = set()
    for tag in tags:
        word, mark, name = (part.strip() for part in tag.replace("=", ":").partition(":"))
        kind = _WORDS.get(word.lower())
        if kind is None or (mark and kind != "category"):
            others[tag] += 1
        elif kind == "category" and not name:
            raise ValueError(f"the tag {tag!r} does not say which category; write category:NAME")
        else:
            found.add((kind, name or None))
    if len(found) > 1:
        raise ValueError(f"its tags contradict each other: {', '.join(tags)}")
    return next((Verdict(key, kind, reviewer, time, name) for kind, name in found), None)


def _says_the_same(verdict: Verdict, last: Verdict) -> bool:
    return (verdict.review, verdict.review_category) == (last.review, last.review_category)
