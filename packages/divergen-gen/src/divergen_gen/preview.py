"""A contact sheet: a row per category, a few pictures of each generator side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from divergen_records import ConfigError, InstanceRecord
from divergen_records.images import read_image
from divergen_records.losses import Losses
from numpy.typing import NDArray

from .planning import Plan
from .protocol import Generator

__all__ = ["contact_sheet"]

TITLE = 18
"""Height of a line of text, pixels."""


def contact_sheet(
    plan: Plan, generators: Sequence[Generator], *, each: int = 3, side: int = 128, losses: Losses | None = None
) -> NDArray[np.uint8]:
    """Make the first pictures of every category and generator of a plan and lay them out.

    Args:
        plan: The plan, of a handful of categories; see `Plan.only`.
        generators: Those of the plan: the columns.
        each: Pictures per category and generator.
        side: Of one picture on the sheet, pixels.
        losses: Takes in the pictures that failed.

    Returns:
        (H, W, 3) uint8 RGB; a record that failed is a grey cell.

    Raises:
        ConfigError: The plan is empty.
    """
    names = list(plan.per_category())
    if not names:
        raise ConfigError("preview: the plan has no pictures; ask for at least one per category")
    width = each * side
    head = [_title(generator.name, width) for generator in generators]
    rows = [np.concatenate(head, axis=1)]
    cells = {
        generator.name: _cells(plan.only(generator=generator.name), generator, each, side, losses)
        for generator in generators
    }
    for name in names:
        rows.append(_title(name, width * len(generators)))
        rows.append(np.concatenate([cells[generator.name][name] for generator in generators], axis=1))
    return np.concatenate(rows)


def _cells(
    plan: Plan, generator: Generator, each: int, side: int, losses: Losses | None
) -> dict[str, NDArray[np.uint8]]:
    made: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in plan.per_category()}
    for record in generator(list(plan.limit(each))):
        made[record.category].append(_cell(record, side))
        if record.image is None and losses is not None:
            losses.add(f"{record.category}, {record.generator}", record.error or "made no picture")
    empty = np.full((side, side, 3), 255, np.uint8)
    return {name: np.concatenate([*row, *[empty] * (each - len(row))], axis=1) for name, row in made.items()}


def _cell(record: InstanceRecord, side: int) -> NDArray[np.uint8]:
    if record.image is None:
        return np.full((side, side, 3), 128, np.uint8)
    image = read_image(record.image)
    scale = side / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    cell = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def _title(text: str, width: int) -> NDArray[np.uint8]:
    line = np.full((TITLE, width, 3), 255, np.uint8)
    cv2.putText(line, text, (4, TITLE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return line
