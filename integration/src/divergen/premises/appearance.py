"""Premises about looks: the few training objects of a rare category show few of the ways in which it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from divergen_records.coco import Dataset

from .report import Premise, at_least, at_most

if TYPE_CHECKING:
    from divergen_filter import References
    from divergen_filter.embedder import Embeddings
    from divergen_records.coco import Annotation

__all__ = ["Looks", "look_premises", "thinned"]

RARE, FREQUENT = 0.5, 0.75
ENOUGH = 40
"""Validation objects of a category that are looked at: a share of 40 is known to within 8 points."""
WELL_SHOWN = 11
"""Training images from which on a category is not rare."""


@dataclass(frozen=True)
class Looks:
    """Embeddings of the real objects.

    Attributes:
        train: Of the training set.
        val: Of the validation set.
    """

    train: References
    val: References

    def of(self, category_id: int) -> tuple[Embeddings, Embeddings]:
        """Those of a category, in the training and in the validation set."""
        return self.train.of(category_id), self.val.of(category_id)


def thinned(val: Dataset) -> Dataset:
    """With at most `ENOUGH` objects of each category, evenly spread."""
    objects: dict[int, list[Annotation]] = {}
    for note in val.annotations:
        objects.setdefault(note.category_id, []).append(note)
    kept = {
        some[place].id
        for some in objects.values()
        for place in np.linspace(0, len(some) - 1, min(len(some), ENOUGH)).round().astype(int)
    }
    return val.replace(annotations=[note for note in val.annotations if note.id in kept])


def look_premises(train: Dataset, looks: Looks) -> list[Premise]:
    """How much of the validation objects' looks the training objects have, for rare and for frequent categories."""
    shares = _shares(train, looks)
    shown = ", ".join(f"{group} {100 * share:.0f} %" for group, share in shares.items() if share == share)
    rare, frequent = shares["r"], shares["f"]
    return [
        at_most(
            "training objects of rare categories show few of their looks (recall of validation objects)",
            100 * rare,
            100 * RARE,
            shown,
            "Where they show more than half, there is little left for generated objects to add.",
            unit=" %",
        ),
        at_least(
            "those of frequent categories show most of theirs",
            100 * frequent,
            100 * FREQUENT,
            f"{100 * frequent:.0f} %",
            "It is rarity that hides looks: where frequent categories lack them too, none can be learned. An object "
            "counts as shown if a training object is as near as 90 % of objects of common and frequent categories have "
            "another of theirs in another image.",
            unit=" %",
        ),
    ]


def _shares(train: Dataset, looks: Looks) -> Mapping[str, float]:
    """Recall by frequency: the mean over its categories; NaN where there are none."""
    from divergen_filter.appearance import look_alike_cosine, recall

    images = {note.id: note.image_id for note in train.annotations}
    owners = np.array([images[number] for number in looks.train.annotation_ids.tolist()], np.int64)
    shown_well = [
        (looks.train.of(category.id), owners[looks.train.category_ids == category.id])
        for category in train.categories
        if (category.image_count or 0) >= WELL_SHOWN and len(looks.train.of(category.id))
    ]
    cosine = look_alike_cosine(shown_well)
    found: dict[str, list[float]] = {"r": [], "c": [], "f": []}
    for category in train.categories:
        shown, real = looks.of(category.id)
        if category.frequency and len(real):
            found[category.frequency].append(recall(real, shown, cosine))
    return {group: float(np.mean(values)) if values else float("nan") for group, values in found.items()}
