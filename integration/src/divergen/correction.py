"""Masks that a person corrected in another tool, back into a run; what depends on them is made again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from divergen_records.coco import Annotation, Dataset
from divergen_records.losses import Losses
from divergen_records.masks import decode_counts, encode_rle, mask_to_bbox, mask_to_polygons, segmentation_to_mask
from divergen_records.text import folded

from .run import Run

if TYPE_CHECKING:
    import numpy as np
    from divergen_records import InstanceTable
    from numpy.typing import NDArray

__all__ = ["Correction", "correct_masks"]

_ID = re.compile(r"[0-9a-f]{32}")
_STAY = ("divergen-annotate", "divergen-gen", "divergen")
"""Packages whose columns do not depend on a mask, or are written with it."""


@dataclass(frozen=True)
class Correction:
    """What became of the masks of a data set.

    Attributes:
        corrected: Masks that are another one now.
        unchanged: Masks that are as they were.
    """

    corrected: int
    unchanged: int


def correct_masks(run: Run, dataset: Dataset, *, tool: str, who: str, losses: Losses) -> Correction:
    """Take over masks that differ from those of a run's table.

    The mask, its box and its measures are replaced, and ``annotator`` says who made it; the columns that were made from
    the old mask are cleared, so that the run makes them again; a verdict that the mask is wrong is taken back.

    Args:
        run: The run that the pictures were exported from; a picture's name is its instance's id, or has it inside, as
            Label Studio and Roboflow rename what they are given.
        dataset: What came back. Several objects on a picture are one mask.
        tool: What it was corrected in, for ``annotator``.
        who: Who corrected it.
        losses: Takes in objects of unknown pictures, of another category than their instance's, or without a mask, and
            pictures without an object, of another size, or of an instance that has several.
    """
    objects: defaultdict[str, list[Annotation]] = defaultdict(list)
    known = run.table.ids()
    names = {image.id: _instance_of(image.file_name, known) for image in dataset.images}
    sizes = {names[image.id]: (image.height, image.width) for image in dataset.images}
    shown = Counter(names.values())
    for annotation in dataset.annotations:
        objects[names[annotation.image_id]].append(annotation)
    losses.extend((key, "no instance of this run has this name") for key in objects if key not in known)
    chosen = [key for key in objects if key in known]
    columns = ["id", "category", "mask", "height", "width"]
    labels = {category.id: category.name for category in dataset.categories}
    gone = (key for key in names.values() if key in known and key not in objects)
    losses.extend((key, "has no object any more; reject it by divergen review") for key in gone)
    changed: list[dict[str, Any]] = []
    unchanged = 0
    for row in run.table.take(chosen, columns).to_pylist() if chosen else ():
        found = objects[row["id"]]
        reason = _problem(row, found, labels, sizes[row["id"]], shown[row["id"]])
        if reason is not None:
            losses.add(row["id"], reason)
        elif not (mask := _drawn(row, found)).any():
            losses.add(row["id"], "its mask covers no pixel; reject it by divergen review")
        elif _is_new(row, mask):
            changed.append(_columns(row["id"], mask, f"{tool} ({who})"))
        else:
            unchanged += 1
    if changed:
        _replace(run.table, changed)
        _take_back(run, [row["id"] for row in changed], who)
    return Correction(len(changed), unchanged)


def _instance_of(file_name: str, known: Container[str]) -> str:
    """The id that a picture is named by or that stands in its name; the name itself where none is known."""
    stem = PurePosixPath(file_name).stem
    return stem if stem in known else next((one for one in _ID.findall(stem) if one in known), stem)


def _problem(
    row: dict[str, Any], found: Sequence[Annotation], labels: dict[int, str], size: tuple[int, int], shown: int
) -> str | None:
    if shown > 1:
        return f"is there as {shown} pictures; leave the one whose mask is meant, without augmented ones"
    if size != (row["height"], row["width"]):
        height, width = size
        return (
            f"its picture is {width} wide and {height} high there, and {row['width']} wide and {row['height']} high in "
            "the run; correct it in its own size"
        )
    other = {name for one in found if folded(name := labels[one.category_id]) != folded(row["category"])}
    if other:
        return f"is labelled {', '.join(sorted(other))}, not {row['category']}; say that by divergen review"
    if not all(one.has_mask for one in found):
        return "has a box alone"
    if row["mask"] is None:
        return "has no mask in the run yet"
    return None


def _drawn(row: dict[str, Any], found: Sequence[Annotation]) -> NDArray[np.bool_]:
    """The mask (H, W) of the objects."""
    import numpy as np

    masks = [segmentation_to_mask(one.segmentation, row["height"], row["width"]) for one in found]
    mask: NDArray[np.bool_] = np.any(masks, axis=0)
    return mask


def _is_new(row: dict[str, Any], mask: NDArray[np.bool_]) -> bool:
    """Whether it is neither the row's own mask, nor that as polygons draw it."""
    import numpy as np

    before = decode_counts(row["mask"], *mask.shape)
    drawn = segmentation_to_mask(mask_to_polygons(before), *mask.shape)
    return not (np.array_equal(mask, before) or np.array_equal(mask, drawn))


def _columns(instance_id: str, mask: NDArray[np.bool_], annotator: str) -> dict[str, Any]:
    from divergen_annotate.quality import border_contact, count_components, solidity, thin_share

    return {
        "id": instance_id,
        "mask": encode_rle(mask)["counts"],
        "bbox": mask_to_bbox(mask),
        "area_fraction": float(mask.mean()),
        "annotator": annotator,
        "mask_score": 1.0,
        "components": count_components(mask),
        "border_contact": border_contact(mask),
        "solidity": solidity(mask),
        "thin_share": thin_share(mask),
    }


def _replace(table: InstanceTable, changed: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa
    from divergen_annotate.columns import MaskColumns
    from divergen_filter.columns import ReviewColumns
    from divergen_records.schema import writer_in
    from divergen_records.storage import locate

    table.ensure_columns(MaskColumns)
    names = list(changed[0])
    rows = pa.table({name: pa.array([row[name] for row in changed], table.schema.field(name).type) for name in names})
    table.update(locate(table.snapshot(), rows))
    made = {field.name for field in table.schema if (writer := writer_in(field)) and writer.split()[0] not in _STAY}
    made -= set(ReviewColumns.model_fields) - {"rule_kept"}
    ids = ", ".join(f"'{row['id']}'" for row in changed)
    table.clear(sorted({"kept", "reject_reason", *made}), f"id IN ({ids})")


def _take_back(run: Run, ids: Sequence[str], who: str) -> None:
    """A verdict that the mask is wrong was about the old one."""
    from divergen_filter.review.merging import merge_reviews
    from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path, now

    log = VerdictLog(log_path(run.table.path))
    old = [key for key in ids if (last := log.last(key)) is not None and last.review == "mask"]
    if old:
        log.append([Verdict(key, None, who, now()) for key in old])
        merge_reviews(run.table, log)
