"""For tests: small LVIS cases with everything in them that evaluators may disagree on."""

from __future__ import annotations

from typing import Any

import numpy as np
from divergen_records.masks import encode_rle, mask_to_bbox

__all__ = ["lvis_case"]

_CATEGORIES = {3: "r", 1: "c", 8: "f", 5: "f", 9: "r"}
_SIDE = 240


def _triangle(x: int, y: int, width: int, height: int) -> np.ndarray:
    """Its box's lower left half, so that boxes and masks have different IoUs."""
    ys, xs = np.mgrid[:_SIDE, :_SIDE]
    inside = (xs >= x) & (xs < x + width) & (ys >= y) & (ys < y + height)
    triangle: np.ndarray = inside & ((xs - x) * height <= (ys - y + 1) * width)
    return triangle


def lvis_case(
    seed: int, *, images: int = 6, crowds: float = 0.0, objects: int = 7, masks: bool = True
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An LVIS file and COCO results: moved copies of objects, duplicates, wrong categories, many ties of score and IoU.

    Args:
        seed: Decides.
        images: Number of images; some have no object, some no result.
        crowds: Share of crowd regions.
        objects: Objects on an image, fewer than this.
        masks: Results have masks whose boxes are given; else only boxes.
    """
    rng = np.random.default_rng(seed)
    infos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    ids = list(_CATEGORIES)
    for image_id in rng.permutation(np.arange(1, images + 1)).tolist():
        for _ in range(int(rng.integers(0, objects))):
            x, y, width, height = (int(value) for value in rng.integers([0, 0, 4, 4], [80, 80, 160, 160]))
            category = int(rng.choice(ids[:4]))
            annotations.append({**_shape(_triangle(x, y, width, height)), "category_id": category, "image_id": image_id,
                                "id": len(annotations) + 1, "iscrowd": int(rng.random() < crowds)})  # fmt: skip
            for _ in range(int(rng.integers(0, 4))):
                dx, dy, grow = (int(value) for value in rng.integers(-4, 5, 3) * rng.integers(0, 2))
                moved = _triangle(max(x + dx, 0), max(y + dy, 0), max(width + grow, 2), max(height + grow, 2))
                row = _shape(moved)
                label = category if rng.random() < 0.8 else int(rng.choice(ids))
                results.append({"image_id": image_id, "category_id": label, "bbox": row["bbox"],
                                **({"segmentation": row["segmentation"]} if masks else {}),
                                "score": float(np.round(rng.random(), 1))})  # fmt: skip
        infos.append({"id": image_id, "width": _SIDE, "height": _SIDE, "file_name": f"{image_id}.jpg",
                      "neg_category_ids": [int(c) for c in rng.choice(ids, 2, replace=False)],
                      "not_exhaustive_category_ids": [int(rng.choice(ids))]})  # fmt: skip
    categories = [{"id": id_, "name": f"c{id_}", "frequency": group} for id_, group in _CATEGORIES.items()]
    return {"images": infos, "annotations": annotations, "categories": categories}, results


def _shape(mask: np.ndarray) -> dict[str, Any]:
    return {"bbox": list(mask_to_bbox(mask)), "area": int(mask.sum()), "segmentation": encode_rle(mask)}
