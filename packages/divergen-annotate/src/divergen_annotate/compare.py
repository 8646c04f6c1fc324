"""Annotators side by side: a sheet of pictures with the outlines of their masks and the IoU, where truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from .annotator import Annotator, Image, Mask
from .cleanup import repair as default_repair
from .evaluate import predict_masks
from .preview import draw_outline
from .quality import iou
from .stage import Repair
from .truth import Example

__all__ = ["compare"]

_TEXT = 18
"""Pixels of a line of text."""


def compare(
    batches: Iterable[Sequence[Example]],
    annotators: Sequence[Annotator],
    *,
    repair: Repair | None = default_repair,
    side: int = 240,
) -> Image:
    """Draw a sheet (H, W, 3) uint8 RGB: a row for each picture; its truth, then each annotator's mask.

    Args:
        batches: Pictures, with their truth where it is known.
        annotators: One column each.
        repair: Mends each mask.
        side: Side of a cell, pixels.
    """
    rows = [_line(["truth", *(annotator.name for annotator in annotators)], side)]
    for batch in batches:
        columns = [predict_masks(annotator, batch, repair) for annotator in annotators]
        for number, example in enumerate(batch):
            rows.extend(_row(example, [column[number] for column in columns], side))
    return np.concatenate(rows)


def _row(example: Example, masks: Sequence[Mask], side: int) -> list[Image]:
    truth = example.truth
    first = example.image if truth is None else draw_outline(example.image, truth, side=side)
    cells = [first, *(draw_outline(example.image, mask, side=side) for mask in masks)]
    scores = ["" if truth is None else f"IoU {iou(mask, truth):.3f}" for mask in masks]
    return [np.concatenate([_fit(cell, side) for cell in cells], axis=1), _line([example.text, *scores], side)]


def _fit(image: Image, side: int) -> Image:
    """The picture, scaled down if need be, in the middle of a white square with a gap around it."""
    scale = min(1.0, side / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = image if scale == 1.0 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cell = np.full((side + 8, side + 8, 3), 255, dtype=np.uint8)
    top, left = (side + 8 - small.shape[0]) // 2, (side + 8 - small.shape[1]) // 2
    cell[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cell


def _line(texts: Sequence[str], side: int) -> Image:
    line = np.full((_TEXT, len(texts) * (side + 8), 3), 255, dtype=np.uint8)
    for number, text in enumerate(texts):
        shown = text.encode("ascii", "replace").decode()[: side // 8]
        cv2.putText(line, shown, (number * (side + 8) + 6, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, 16)
    return line
