"""Annotation as a stage of the pipeline: the table's pictures in, masks and their quality measures out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from divergen_records import Batch, Category, DivergenError, MaskError
from divergen_records.cores import usable_cores
from divergen_records.images import read_image
from divergen_records.masks import encode_rle, mask_to_bbox

from .annotator import Annotator, Image, Mask, Result, run_annotator
from .cleanup import repair as default_repair
from .columns import MaskColumns
from .objects import ObjectColumns, pack_objects
from .quality import border_contact, count_components, solidity, thin_share

__all__ = ["AnnotateStage", "Annotation", "Repair", "annotate"]

Repair = Callable[[Mask, Image], Mask]
"""Mends a mask (H, W) bool of a picture (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """The mask of one picture, repaired, with its measures.

    Attributes:
        mask: (H, W) bool, neither empty nor full.
        score: The annotator's own confidence, 0 to 1.
        components: Components of the mask before the repair; see `count_components`.
        border_contact: Share of the picture's border pixels that the mask touches, 0 to 1.
        note: How the mask came about, where the annotator had a choice.
        by: Who made the mask, where it was not the annotator that was asked for.
        text: What was looked for, where there were several kinds.
        others: The picture's further objects, where the annotator was asked for all.
    """

    mask: Mask
    score: float
    components: int
    border_contact: float
    note: str = ""
    by: str = ""
    text: str = ""
    others: tuple[Annotation, ...] = ()

    @property
    def area_fraction(self) -> float:
        """Mask pixels / picture pixels."""
        return float(self.mask.mean())

    @property
    def solidity(self) -> float:
        """See `divergen_annotate.quality.solidity`."""
        return solidity(self.mask)

    @property
    def thin_share(self) -> float:
        """See `divergen_annotate.quality.thin_share`."""
        return thin_share(self.mask)


def annotate(
    images: Sequence[Image],
    annotator: Annotator,
    *,
    repair: Repair | None = default_repair,
    texts: Sequence[str] | None = None,
) -> list[Annotation | DivergenError]:
    """Mask, repair and measure pictures; an empty or full mask comes back as the error that says so.

    Args:
        images: Pictures (H, W, 3) uint8 RGB, of any sizes.
        annotator: Makes the masks.
        repair: Mends each mask; None leaves them as they are.
        texts: The objects' names, for annotators that look for an object by name.
    """
    results = run_annotator(annotator, images, texts)
    return [_finish(image, result, repair) for image, result in zip(images, results, strict=True)]


def _finish(image: Image, result: Result, repair: Repair | None) -> Annotation | DivergenError:
    if isinstance(result, DivergenError):
        return result
    raw = result.mask
    mask = raw if repair is None or not raw.any() else repair(raw, image)
    height, width = mask.shape
    if not mask.any():
        return MaskError(f"no object found: the mask of this {width} × {height} picture is empty")
    if mask.all():
        return MaskError(f"no background found: the mask covers the whole {width} × {height} picture")
    found = [_finish(image, other, repair) for other in result.others]
    others = tuple(other for other in found if isinstance(other, Annotation))
    return Annotation(mask, result.score, count_components(raw), border_contact(mask), result.note, others=others)


class AnnotateStage:
    """Fills the mask columns of an instance table; a `divergen_records.Stage`.

    Rows whose picture cannot be read, or whose mask is empty or full, get an ``error``.

    Args:
        annotator: Makes the masks, for example `GrabCut`.
        repair: Mends each mask; None leaves them as they are.
        workers: Threads that decode pictures; the number of CPU cores where None.
    """

    name = "annotate"
    columns: type[MaskColumns] = MaskColumns
    writes: tuple[str, ...] = ("area_fraction", "mask", "bbox", "annotator", *MaskColumns.model_fields)

    def __init__(
        self, annotator: Annotator, *, repair: Repair | None = default_repair, workers: int | None = None
    ) -> None:
        self.annotator, self.repair = annotator, repair
        if getattr(annotator, "instances", "best") == "all":
            self.columns, self.writes = ObjectColumns, (*AnnotateStage.writes, "objects")
        self.column: str = getattr(annotator, "column", "image")
        self.reads = (self.column, "category") if getattr(annotator, "takes_texts", False) else (self.column,)
        self.workers = workers or usable_cores()

    def __call__(self, batch: Batch) -> Batch:
        """Annotate a batch of encoded pictures."""
        with ThreadPoolExecutor(self.workers) as pool:
            decoded = list(pool.map(_read, batch[self.column]))
        good = [number for number, image in enumerate(decoded) if isinstance(image, np.ndarray)]
        texts = [category_label(batch["category"][number]) for number in good] if "category" in self.reads else None
        images: list[Any] = [decoded[number] for number in good]
        annotations = iter(annotate(images, self.annotator, repair=self.repair, texts=texts))
        result: dict[str, list[Any]] = {name: [] for name in (*self.writes, "error")}
        for image in decoded:
            row = self._row(next(annotations) if isinstance(image, np.ndarray) else image)
            for name, column in result.items():
                column.append(row.get(name))
        return result

    def _row(self, annotation: Annotation | DivergenError) -> dict[str, Any]:
        if isinstance(annotation, DivergenError):
            return {"error": str(annotation)}
        row = self._columns(annotation)
        return {**row, "objects": pack_objects([self._columns(other) for other in annotation.others])}

    def _columns(self, annotation: Annotation) -> dict[str, Any]:
        return {
            "area_fraction": annotation.area_fraction,
            "mask": encode_rle(annotation.mask)["counts"],
            "bbox": mask_to_bbox(annotation.mask),
            "annotator": f"{self.annotator.name} {annotation.note}".rstrip(),
            "mask_score": annotation.score,
            "components": annotation.components,
            "border_contact": annotation.border_contact,
            "solidity": annotation.solidity,
            "thin_share": annotation.thin_share,
        }


def category_label(name: str) -> str:
    """A category's name as a person writes it: ``"sports ball"`` for ``"sports_ball"``."""
    return Category(id=0, name=name).label


def _read(data: bytes) -> Image | DivergenError:
    try:
        return read_image(data)
    except DivergenError as error:
        return error
