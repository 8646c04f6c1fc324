from __future__ import annotations

import numpy as np
import pytest
from divergen_annotate.background import border_ring, enclosed, fit_background


def gradient(height=60, width=80):
    y, x = np.mgrid[:height, :width]
    return np.stack([200 + 0.3 * x, 180 + 0.5 * y, 230 - 0.2 * x], axis=2).round().astype(np.uint8)


def test_fit_background__sees_through_the_object():
    empty = gradient()
    image = empty.copy()
    image[15:45, 20:60] = (10, 90, 40)
    background = fit_background(image, border_ring(60, 80, 0.05))
    assert np.abs(background.colour - empty).max() < 3
    assert background.noise == 1.5


def test_fit_background__object_at_the_border():
    image = gradient()
    image[:20, 30:50] = (10, 90, 40)
    background = fit_background(image, border_ring(60, 80, 0.05))
    assert np.abs(background.colour[25:] - gradient()[25:]).max() < 4


def test_shadow__less_light_of_the_same_hue():
    image = np.full((20, 20, 3), 240, dtype=np.uint8)
    image[8, 8], image[8, 12], image[12, 8] = (180, 180, 180), (180, 120, 120), (20, 20, 20)
    shadow = fit_background(image, border_ring(20, 20, 0.1)).shadow(image)
    assert shadow[8, 8] and not shadow[8, 12] and not shadow[12, 8]


@pytest.mark.parametrize(("rim", "inside"), [(2, True), (14, False)])
def test_enclosed__the_inside_of_a_drawing_but_not_the_hole_of_a_ring(rim, inside):
    image = np.full((64, 64, 3), 250, dtype=np.uint8)
    image[10:54, 10:54] = 40
    image[10 + rim : 54 - rim, 10 + rim : 54 - rim] = 250
    background = fit_background(image, border_ring(64, 64, 0.03))
    assert enclosed(image, image[..., 0] < 100, background)[32, 32] == inside
