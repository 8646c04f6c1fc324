"""What is said of a file before it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

__all__ = [
    "boxes_notice",
    "exhaustive_notice",
    "frequency_notice",
    "masks_notice",
    "repeats_notice",
    "results_notices",
    "unseen_notice",
]


_BEYOND = 0.1
"""Share of boxes that far outside that no detector makes: corners taken for sizes leave it for a third and more."""


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


def unseen_notice(dataset: Dataset) -> str | None:
    """A sentence about objects that LVIS's federated rules do not see, for they declare no area; None without."""
    unseen = sum(annotation.area <= 0 for annotation in dataset.annotations)
    if not unseen:
        return None
    return (
        f"{dataset.path.name}: {unseen} of {len(dataset.annotations)} objects declare an area of 0, and are not looked "
        "for (lvis-api leaves them out); without the key `area` it is measured"
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


def results_notices(results: Sequence[Mapping[str, Any]], dataset: Dataset) -> list[str]:
    """Sentences about results that fit the data set and only look right; see `fit_results`."""
    nothing = None if results else "there are no results, so that every AP is 0"
    found = nothing, masks_notice(results, dataset), boxes_notice(results, dataset), repeats_notice(results)
    return [notice for notice in found if notice]


def boxes_notice(results: Sequence[Mapping[str, Any]], dataset: Dataset) -> str | None:
    """A sentence about boxes that look like corners, or like shares of the picture's sides; None where none do.

    A thousand results, evenly spread, are looked at.
    """
    import numpy as np

    boxed = [row for row in results[:: len(results) // 1000 + 1] if row.get("bbox") is not None]
    if not boxed:
        return None
    boxes = np.array([row["bbox"] for row in boxed], dtype=np.float64)
    images = (dataset.image(row["image_id"]) for row in boxed)
    sides = np.array([(image.width, image.height) for image in images], dtype=np.float64)
    if boxes.max() <= 1:
        return "every bbox lies within 0..1: these look like shares of the picture's sides; pixels are what is read"
    beyond = float(((boxes[:, :2] + boxes[:, 2:]) > 1.05 * sides).any(axis=1).mean())
    if beyond < _BEYOND:
        return None
    return (
        f"{beyond:.0%} of the boxes leave their picture by far: these look like [x0, y0, x1, y1], and are read as "
        "[x, y, width, height]"
    )


def repeats_notice(results: Sequence[Mapping[str, Any]]) -> str | None:
    """A sentence about images whose results all stand there twice, as several processes leave them; None without."""
    keys = [(row["image_id"], row["category_id"], row["score"]) for row in results]
    if len(set(keys)) == len(keys):
        return None
    shapes = (hash(repr(row.get("segmentation") or row.get("bbox"))) for row in results)
    whole = {(*key, shape) for key, shape in zip(keys, shapes, strict=True)}
    distinct, found = Counter(key[0] for key in whole), Counter(key[0] for key in keys)
    images = sum(2 * distinct[image] <= count for image, count in found.items())
    return f"every result stands twice or more on images: {images}; each repetition is an error" if images else None


def masks_notice(results: Sequence[Mapping[str, Any]], dataset: Dataset) -> str | None:
    """Why only boxes are judged, a sentence; None where masks are too."""
    if results and not any(row.get("segmentation") for row in results):
        return "the results have no masks: judged by their boxes alone"
    bare = sum(not annotation.has_mask for annotation in dataset.annotations)
    if not bare:
        return None
    objects = len(dataset.annotations)
    return f"{dataset.path.name}: {bare} of {objects} objects have a box and no mask: judged by boxes alone"
