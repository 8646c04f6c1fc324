"""What is said of a file before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

__all__ = ["frequency_notice"]


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
