"""Annotators that find all objects of the kinds that texts name, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from divergen_records import MaskError

from .annotator import Image, Mask, Prediction, Result

__all__ = ["Finder", "Instances", "best_of_found", "drop_doubles"]

Instances = Literal["best", "all"]
"""Of a picture that shows several objects: the best alone, or all, one row each."""

_COMPARED = 256
"""Masks are compared at no more than about this many rows and columns."""


@runtime_checkable
class Finder(Protocol):
    """Finds every object of each kind, on any background. Its answer for a picture depends on that picture alone.

    Attributes:
        name: Goes into the file that is written.
    """

    name: str

    def find(self, image: Image, names: Sequence[str]) -> list[list[Prediction]]:
        """For each name the objects found, the highest score first.

        Args:
            image: (H, W, 3) uint8 RGB.
            names: What to look for, for example ``["coffee cup", "dog"]``.
        """


def best_of_found(found: Sequence[Prediction], what: str, instances: Instances = "best") -> Result:
    """The prediction for a row: the object with the highest score; the note says of how many.

    Args:
        found: Objects, the highest score first.
        what: Who looked for what, for the error where nothing is found.
        instances: ``"all"``: with the others, each object once.
    """
    if not found:
        return MaskError(f"{what} found nothing with a score of at least its threshold")
    best = found[0]
    if len(found) == 1:
        return best
    others = tuple(drop_doubles([found])[0][1:]) if instances == "all" else ()
    return Prediction(best.mask, best.score, f"{best.note} [best of {len(found)} instances]".lstrip(), others)


def drop_doubles(found: Sequence[Sequence[Prediction]], most: float = 0.8) -> list[list[Prediction]]:
    """Without the objects that are found twice, under one name or under two: the higher score stays.

    Args:
        found: For each name its objects.
        most: Two masks with a larger IoU are of one object.

    Returns:
        For each name the objects that are left, in their order.
    """
    order = sorted(
        ((-one.score, which, at) for which, objects in enumerate(found) for at, one in enumerate(objects))
    )  # of equal scores the first name and object
    seen: list[Mask] = []
    kept: list[list[tuple[int, Prediction]]] = [[] for _ in found]
    for _, which, at in order:
        one = found[which][at]
        small = _small(one.mask)
        if any(_overlap(small, other) > most for other in seen):
            continue
        seen.append(small)
        kept[which].append((at, one))
    return [[one for _, one in sorted(objects, key=lambda pair: pair[0])] for objects in kept]


def _small(mask: Mask) -> Mask:
    step = max(1, max(mask.shape) // _COMPARED)
    return np.asarray(mask[step // 2 :: step, step // 2 :: step])


def _overlap(one: Mask, other: Mask) -> float:
    """IoU; 0 where both are empty, for two specks that the coarse grid misses are not the same."""
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 0.0
