from __future__ import annotations

from collections.abc import Callable

import numpy as np
from divergen_evaluate import draw_predictions
from divergen_records.coco import Dataset


def test_draw_predictions__outline_label_and_threshold(make_dataset: Callable[..., Dataset]) -> None:
    mask = np.zeros((64, 64), bool)
    mask[10:30, 12:40] = True
    shapes = make_dataset([(1, 1, mask)], frequencies={1: "r"})
    image = np.zeros((64, 64, 3), np.uint8)
    annotation = shapes.annotations[0]
    row = {
        "category_id": annotation.category_id,
        "bbox": annotation.bbox,
        "segmentation": annotation.segmentation,
        "score": 0.6,
    }
    drawn = draw_predictions(image, [row], shapes, scale=3)
    assert drawn.shape == (192, 192, 3)
    assert drawn.any()
    assert not draw_predictions(image, [row], shapes, threshold=0.7).any()
    assert not image.any()
    assert draw_predictions(image, [{**row, "segmentation": None}], shapes).any()
