from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from divergen_records.formats.coco.geometry import sound_segmentations
from divergen_records.masks import encode_rle

SIDE = 6
CODE = encode_rle(np.eye(SIDE, dtype=bool))


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        (CODE, True),
        ({"size": [SIDE, SIDE], "counts": [1, 35]}, True),
        ({"size": [SIDE, SIDE], "counts": [1, 34]}, False),
        ({"size": [SIDE, SIDE], "counts": CODE["counts"][:-1]}, False),
        ({"size": [float(SIDE), SIDE], "counts": CODE["counts"]}, False),
        ({"size": [SIDE, SIDE - 1], "counts": CODE["counts"]}, False),
        ({"size": None, "counts": CODE["counts"]}, False),
        ({"counts": CODE["counts"]}, False),
        ({"size": [SIDE, SIDE], "counts": None}, False),
    ],
)
def test_sound_segmentations__codes_together(segmentation: Any, expected: bool) -> None:
    """Each as it would be judged alone, whatever its neighbours are."""
    raws = [msgspec.Raw(msgspec.json.encode(one)) for one in (CODE, segmentation, CODE)]
    assert sound_segmentations(raws, np.full((3, 2), SIDE)).tolist() == [True, expected, True]
