"""What a file declares of its objects, compared with their masks, which are the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from statistics import median

from msgspec import Raw

from .dataset import Annotation, Dataset
from .errors import DatasetError, ImageError, MaskError
from .formats.pictures import check_size, sizes
from .images import read_image
from .progress import Progress

__all__ = ["compare_declared", "drop_empty", "drop_misfits"]

_SHARE = 0.1
"""Of the mask's area that the declared one may differ by, beside two pixels along the box: outlines are no pixels."""

_SIDE = 2.0
"""Pixels that a box's sides may differ by."""

Box = tuple[float, float, float, float]


def compare_declared(dataset: Dataset, *, progress: bool = False) -> Iterator[str]:
    """How the file's ``bbox`` and ``area`` differ from the masks, and its sizes from the pictures'.

    A sentence for each kind, none where they agree.

    Args:
        dataset: The data set; objects that have a box alone are counted, no more.
        progress: Show the progress.
    """
    areas: list[tuple[float, int, int]] = []
    boxes: list[tuple[Box, Box, int]] = []
    alone = empty = 0
    bar = Progress("compare", len(dataset.annotations), unit="annotations") if progress else None
    with bar or nullcontext():
        for annotation in dataset.annotations:
            if bar is not None:
                bar.update()
            measured = _measure(dataset, annotation)
            if measured is None:
                alone += 1
                continue
            box, area = measured
            empty += not area
            areas.append((annotation.area, area, annotation.id))
            boxes.append((annotation.bbox, box, annotation.id))
    total = len(dataset.annotations)
    unused = [category.name for category in dataset.unused_categories if category not in dataset.root_categories]
    if unused:
        shown = ", ".join(unused[:5]) + (", ..." if len(unused) > 5 else "")
        yield f"{len(unused)} of {len(dataset.categories)} categories have no object: {shown}"
    if alone:
        yield f"{alone} of {total} objects have a box alone: they are left out where a mask is needed"
    if empty:
        yield f"{empty} of {total} masks cover no pixel"
    yield from _find_shares(dataset)
    yield from _find_twins(dataset)
    yield from _find_repeated(dataset)
    yield from _compare_sizes(dataset)
    yield from _compare_areas(areas, boxes, total)
    yield from _compare_boxes(boxes, total)


def _find_shares(dataset: Dataset) -> Iterator[str]:
    """Coordinates that all lie within 0 and 1: shares of the picture, not pixels."""
    masks = (one.segmentation for one in dataset.annotations if one.has_mask)
    largest = (max(polygon) for mask in masks if isinstance(mask, list) for polygon in mask)
    first = next(largest, None)
    if first is not None and first <= 1 and all(one <= 1 for one in largest):
        yield "all outlines lie within the first pixel: they are shares of width and height; multiply by the pictures'"


def _find_twins(dataset: Dataset) -> Iterator[str]:
    counts = Counter(one.file_name for one in dataset.images)
    twins = [name for name, count in counts.items() if count > 1 and name]
    if twins:
        yield (
            f"{len(twins)} files are pictures of more than one image id, as {twins[0]!r}: a detector sees each with a "
            "part of its objects, and bake refuses them; give a file one id"
        )


def _find_repeated(dataset: Dataset) -> Iterator[str]:
    """Objects of one picture, category, box and mask, under ids of their own; files that were joined have them."""
    first: dict[int, int] = {}
    again = []
    for one in dataset.annotations:
        mask = one.stored_segmentation
        text = bytes(mask) if isinstance(mask, Raw) else repr(mask)
        id_ = first.setdefault(hash((one.image_id, one.category_id, one.bbox, text)), one.id)
        if id_ != one.id:
            again.append((id_, one.id))
    if again:
        ids = " and ".join(map(str, again[0]))
        yield f"{len(again)} objects stand twice, as annotations {ids}: one mask of one category"


def _compare_sizes(dataset: Dataset) -> Iterator[str]:
    """Of the pictures that are there, by their heads."""
    others = []
    for image in dataset.images:
        with suppress(DatasetError, ImageError):
            stored, seen = sizes(dataset.image_path(image))
            if (image.width, image.height) not in (stored, seen):
                others.append((image, seen or stored))
    if others:
        image, (width, height) = others[0]
        yield (
            f"size: {len(others)} of {len(dataset.images)} pictures have another than declared, as "
            f"{image.file_name!r}: {width} wide and {height} high, the data set says {image.width} and "
            f"{image.height}; bake and convert leave them out"
        )


def drop_empty(dataset: Dataset) -> Dataset:
    """Without the objects whose masks cover no pixel, which are told in `Dataset.problems`; boxes alone stay."""
    empty = [one for one in dataset.annotations if one.has_mask and not dataset.measure(one)[1]]
    if not empty:
        return dataset
    ids = {one.id for one in empty}
    told = [f"annotation {one.id} of image {one.image_id}: its mask covers no pixel" for one in empty]
    kept = [one for one in dataset.annotations if one.id not in ids]
    return dataset.replace(annotations=kept, problems=[*dataset.problems, *told])


def drop_misfits(dataset: Dataset, *, decode: bool = False) -> Dataset:
    """Without the pictures that cannot be read or have another size than declared, nor their objects; all are told.

    Their heads are read; with ``decode`` all of them.
    """
    told: dict[int, str] = {}
    for image in dataset.images:
        try:
            path = dataset.image_path(image)
            check_size(path, (image.width, image.height))
            if decode:
                read_image(path)
        except (DatasetError, ImageError) as error:
            told[image.id] = f"image {image.id}: {error}"
    if not told:
        return dataset
    kept = [one for one in dataset.annotations if one.image_id not in told]
    lost = [f"annotation {one.id} of image {one.image_id}" for one in dataset.annotations if one.image_id in told]
    return dataset.replace(
        images=[one for one in dataset.images if one.id not in told],
        annotations=kept,
        problems=[*dataset.problems, *told.values(), *(f"{one}: its picture is left out" for one in lost)],
    )


def _measure(dataset: Dataset, annotation: Annotation) -> tuple[Box, int] | None:
    try:
        return dataset.measure(annotation) if annotation.has_mask else None
    except MaskError:
        return None


def _compare_areas(areas: list[tuple[float, int, int]], boxes: list[tuple[Box, Box, int]], total: int) -> Iterator[str]:
    others = [
        (declared, area, box, id_)
        for (declared, area, id_), (_, box, _) in zip(areas, boxes, strict=True)
        if abs(declared - area) > _SHARE * area + 2 * (box[2] + box[3])
    ]
    if not others:
        return
    of_box = sum(abs(declared - box[2] * box[3]) <= _SHARE * declared for declared, _, box, _ in others)
    zero = sum(declared == 0 for declared, *_ in others)
    factor = median(declared / max(area, 1) for declared, area, _, _ in others)
    declared, area, _, id_ = max(others, key=lambda one: abs(one[0] - one[1]))
    told = [f"{of_box} have the box's"] * bool(of_box) + [f"{zero} have 0"] * bool(zero)
    kinds = f" ({', '.join(told)})" if told else ""
    yield (
        f"area: {len(others)} of {total} differ from their mask's{kinds}, by a factor of "
        f"{factor:.3g} in the median; annotation {id_} declares {declared:g}, its mask has {area}"
    )


def _compare_boxes(boxes: list[tuple[Box, Box, int]], total: int) -> Iterator[str]:
    others = [(declared, box, id_) for declared, box, id_ in boxes if box[2] and _apart(declared, box) > _SIDE]
    if not others:
        return
    corners = sum(_apart(_from_corners(declared), box) <= _SIDE for declared, box, _ in others)
    declared, box, id_ = max(others, key=lambda one: _apart(one[0], one[1]))
    kinds = f" ({corners} are corners [x0, y0, x1, y1] instead of [x, y, width, height])" if corners else ""
    yield (
        f"bbox: {len(others)} of {total} differ from their mask's{kinds}, by {_apart(declared, box):.3g} px at most: "
        f"annotation {id_} declares {[*declared]}, its mask has {[*box]}"
    )


def _apart(one: Box, other: Box) -> float:
    """Pixels that the sides of two boxes (XYWH) lie apart, at most."""
    ends = ((box[0], box[1], box[0] + box[2], box[1] + box[3]) for box in (one, other))
    return float(max(abs(a - b) for a, b in zip(*ends, strict=True)))


def _from_corners(box: Box) -> Box:
    return box[0], box[1], box[2] - box[0], box[3] - box[1]
