from __future__ import annotations

import numpy as np
import pytest
from divergen_evaluate.ious import Detected, Truth, find_groups, mask_ious
from divergen_records.masks import encode_rle
from divergen_records.run_lengths import measure_codes
from pycocotools import mask as coco_mask

SIDE = 16


def rectangles(rng: np.random.Generator, count: int) -> list[dict[str, object]]:
    masks = np.zeros((count, SIDE, SIDE), bool)
    for mask in masks:
        (x, y), (width, height) = rng.integers(0, SIDE, 2), rng.integers(0, 10, 2)  # some are empty
        mask[y : y + height, x : x + width] = True
    return [encode_rle(mask) for mask in masks]


@pytest.mark.parametrize("crowds", [0.0, 0.5])
def test_mask_ious__nothing_that_counts_is_left_out(crowds: float) -> None:
    """Pairs of which the codes' sizes say that they share too little are not intersected, and only those."""
    rng = np.random.default_rng(0)
    own, other = rectangles(rng, 400), rectangles(rng, 60)
    ours, theirs = (
        {
            "image": rng.integers(0, 4, len(masks)),
            "category": rng.integers(0, 3, len(masks)),
            "boxes": np.zeros((len(masks), 4)),
            "area": np.ones(len(masks)),
            "masks": masks,
            "sizes": measure_codes([mask["counts"] for mask in masks], np.full(len(masks), SIDE**2)),
        }
        for masks in (own, other)
    )
    truth = Truth(**theirs, crowd=rng.random(len(other)) < crowds)
    detected = Detected(**ours, score=rng.random(len(own)), forgiven=np.zeros(len(own), bool))
    groups = find_groups(truth, detected, np.argsort(-detected.score))
    row, column = groups.pairs()
    found = mask_ious(truth, detected, groups, 0.5)
    for row_of, column_of, iou in zip(groups.rows[row], groups.columns[column], found, strict=True):
        expected = coco_mask.iou([own[row_of]], [other[column_of]], [int(truth.crowd[column_of])])[0, 0]
        assert iou == expected or (iou == 0 and expected < 0.5)
    assert (found >= 0.5).sum() > 10
