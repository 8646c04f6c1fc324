from __future__ import annotations

import numpy as np
import pytest
from divergen_annotate import Prediction
from divergen_annotate.finding import best_of_found, drop_doubles
from divergen_records import MaskError


def box(left, right, score, side=8):
    mask = np.zeros((side, side), dtype=bool)
    mask[:, left:right] = True
    return Prediction(mask, score)


def test_best_of_found__says_of_how_many():
    assert best_of_found([box(0, 2, 0.9)], "sam3 looked for 'cup' and").note == ""
    assert best_of_found([box(0, 2, 0.9), box(4, 6, 0.3)], "sam3").note == "[best of 2 instances]"
    nothing = best_of_found([], "sam3 looked for 'cup' and")
    assert isinstance(nothing, MaskError) and "sam3 looked for 'cup' and found nothing" in str(nothing)


def test_drop_doubles__under_one_name_and_under_two():
    cup, again, mug, dog = box(0, 4, 0.5), box(0, 4, 0.4), box(0, 4, 0.6), box(4, 8, 0.1)
    assert drop_doubles([[cup, again], [mug, dog]]) == [[], [mug, dog]]
    assert drop_doubles([[cup, again]], most=1.0) == [[cup, again]]


@pytest.mark.parametrize("side", [8, 3000])
def test_drop_doubles__empty_masks_are_not_each_other(side):
    one, other = box(0, 0, 0.5, side), box(1, 1, 0.4, side)
    assert drop_doubles([[one], [other]]) == [[one], [other]]
