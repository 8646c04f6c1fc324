from __future__ import annotations

import cv2
import numpy as np
import pytest
from divergen_filter.basics import measure_basics
from divergen_records import MaskError


def textured(size=200):
    image = np.random.default_rng(0).integers(0, 255, (size // 5, size // 5, 3), dtype=np.uint8)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_NEAREST)
    mask = np.zeros((size, size), dtype=bool)
    mask[20:-20, 30:-30] = True
    return image, mask


def test_measure_basics__a_blur_is_less_sharp_the_stronger():
    image, mask = textured()
    found = [measure_basics(cv2.GaussianBlur(image, (0, 0), sigma), mask).sharpness for sigma in (0.1, 2, 5)]
    assert 1 >= found[0] > found[1] > found[2] > 0


def test_measure_basics__blank_and_grey():
    mask = np.ones((20, 20), dtype=bool)
    blank = measure_basics(np.full((20, 20, 3), 120, dtype=np.uint8), mask)
    assert (blank.sharpness, blank.saturation, blank.contrast) == (0, 0, 0)
    red = np.zeros((20, 20, 3), dtype=np.uint8)
    red[..., 0] = 255
    red[10:] = 0
    half = measure_basics(red, mask)
    assert half.saturation == pytest.approx(0.5) and half.contrast > 0.1
    only = np.zeros((20, 20), dtype=bool)
    only[:10] = True
    assert measure_basics(red, only).saturation == 1


@pytest.mark.parametrize("sides", [(1, 1), (1, 50), (3, 2)])
def test_measure_basics__tiny(sides):
    basics = measure_basics(np.full((*sides, 3), 7, dtype=np.uint8), np.ones(sides, dtype=bool))
    assert 0 <= basics.sharpness <= 1


def test_measure_basics__bad_masks():
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    with pytest.raises(MaskError, match="empty"):
        measure_basics(image, np.zeros((4, 4), dtype=bool))
    with pytest.raises(MaskError, match="does not fit"):
        measure_basics(image, np.ones((4, 5), dtype=bool))
