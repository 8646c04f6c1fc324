"""Pictures of what a detector sees, for people to judge."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from divergen_records.coco import Dataset
from divergen_records.masks import decode_rle
from numpy.typing import NDArray

__all__ = ["draw_predictions"]


def draw_predictions(
    image: NDArray[np.uint8],
    results: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    *,
    threshold: float = 0.5,
    scale: int = 2,
) -> NDArray[np.uint8]:
    """Draw results into their image: outline and a light fill of each mask, or the box; name and score beside it.

    Args:
        image: (H, W, 3) uint8 RGB.
        results: COCO results of this image, by `predict`; ground-truth rows without score are drawn too.
        dataset: Names the categories.
        threshold: Results below this score are left out.
        scale: The picture is enlarged so many times, so that the text can be read.

    Returns:
        (scale * H, scale * W, 3) uint8 RGB.
    """
    height, width = (side * scale for side in image.shape[:2])
    canvas: NDArray[np.uint8] = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    shown = sorted(
        (row for row in results if row.get("score", 1.0) >= threshold), key=lambda row: row.get("score", 1.0)
    )
    for row in shown:
        if row.get("segmentation") is not None:
            mask = decode_rle(row["segmentation"]).astype(np.uint8)
            _draw_mask(canvas, cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), _colour(row))
        else:
            x, y, w, h = (round(value * scale) for value in row["bbox"])
            cv2.rectangle(canvas, (x, y), (x + w, y + h), _colour(row), 2, cv2.LINE_AA)
    for row in shown:
        name = dataset.category(row["category_id"]).label
        text = f"{name} {100 * row['score']:.0f}" if "score" in row else name
        _draw_label(canvas, text, (int(row["bbox"][0] * scale), int(row["bbox"][1] * scale)), _colour(row))
    return canvas


def _draw_mask(canvas: NDArray[np.uint8], mask: NDArray[np.uint8], colour: tuple[int, int, int]) -> None:
    inside = mask.astype(bool)
    canvas[inside] = (0.75 * canvas[inside] + 0.25 * np.array(colour)).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, colour, 2, cv2.LINE_AA)


def _draw_label(canvas: NDArray[np.uint8], text: str, corner: tuple[int, int], colour: tuple[int, int, int]) -> None:
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.42
    (width, height), baseline = cv2.getTextSize(text, font, size, 1)
    x = min(max(corner[0], 0), max(canvas.shape[1] - width - 4, 0))
    y = min(max(corner[1] - 2, height + 4), canvas.shape[0] - baseline)
    cv2.rectangle(canvas, (x, y - height - 4), (x + width + 4, y + baseline - 2), colour, cv2.FILLED)
    cv2.putText(canvas, text, (x + 2, y - 3), font, size, (255, 255, 255), 1, cv2.LINE_AA)


def _colour(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Dark enough for white text; the golden ratio keeps neighbouring ids apart."""
    red, green, blue = colorsys.hsv_to_rgb(row["category_id"] * 0.618034 % 1.0, 0.85, 0.75)
    return int(red * 255), int(green * 255), int(blue * 255)
