"""What is said of a file before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

__all__ = ["exhaustive_notice", "frequency_notice", "masks_notice"]


def frequency_notice(dataset: Dataset) -> str | None:
    """A sentence about categories without ``frequency``, whose groups are computed; None where all have one.

    It matters for a validation file: LVIS's groups are those of the training images.
    """
    rows = [dataset.category_rows.get(category.id, {}) for category in dataset.categories]
    lacking = [row for row in rows if not row.get("frequency")]
    if not lacking:
        return None
    counted = sum(row.get("image_count") is not None for row in lacking)
    source = "their image_count" if counted == len(lacking) else "the images of this file that show them"
    return (
        f"{dataset.path.name}: {len(lacking)} of {len(rows)} categories have no frequency; computed from {source} "
        "(rare: up to 10 images, common: up to 100)"
    )


def exhaustive_notice(dataset: Dataset) -> str | None:
    """A sentence about a file that LVIS's rules judge exhaustively; None where it has LVIS's lists."""
    from divergen_records.formats.coco.folder import is_federated

    if is_federated(dataset):
        return None
    return (
        f"{dataset.path.name}: no image has negative or not exhaustively annotated categories (LVIS's lists), so it is "
        "judged exhaustively: a detection of any category on any image counts; --federated or --exhaustive decide it"
    )


def masks_notice(results: Sequence[Mapping[str, Any]], dataset: Dataset) -> str | None:
    """Why only boxes are judged, a sentence; None where masks are too."""
    if results and not any(row.get("segmentation") for row in results):
        return "the results have no masks: judged by their boxes alone"
    bare = sum(not annotation.has_mask for annotation in dataset.annotations)
    if not bare:
        return None
    objects = len(dataset.annotations)
    return f"{dataset.path.name}: {bare} of {objects} objects have a box and no mask: judged by boxes alone"
