from __future__ import annotations

import numpy as np
import pytest
from divergen_filter.crops import crop_instance, pad_box
from divergen_records import MaskError
from hypothesis import given
from hypothesis import strategies as st


def test_pad_box__widens_about_the_centre():
    assert pad_box((40, 50, 60, 60), 200, 200, min_side=80) == (10, 15, 90, 95)


def test_pad_box__moves_at_the_edge_and_stops_at_the_picture():
    assert pad_box((0, 0, 10, 10), 200, 200, min_side=80) == (0, 0, 80, 80)
    assert pad_box((190, 5, 200, 10), 40, 200, min_side=80) == (120, 0, 200, 40)


def test_pad_box__square():
    assert pad_box((10, 10, 50, 20), 100, 100, min_side=0, square=True) == (10, 0, 50, 40)


@given(st.data())
def test_pad_box__holds_the_box_and_stays_inside(data):
    height, width = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 300))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = (x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height)))
    padded = pad_box(box, height, width, min_side=data.draw(st.integers(0, 200)), square=data.draw(st.booleans()))
    assert 0 <= padded[0] <= box[0] and box[2] <= padded[2] <= width
    assert 0 <= padded[1] <= box[1] and box[3] <= padded[3] <= height


def test_crop_instance__blurs_outside_the_mask_only():
    image = np.random.default_rng(0).integers(0, 255, (120, 150, 3), dtype=np.uint8)
    mask = np.zeros((120, 150), dtype=bool)
    mask[50:70, 60:75] = True
    crop = crop_instance(image, mask, min_side=80)
    assert crop.shape == (80, 80, 3)
    np.testing.assert_array_equal(crop[30:50, 32:47], image[50:70, 60:75])
    assert crop[:30].std() < 0.5 * image.std()


def test_crop_instance__blur_reads_over_the_crop_s_edge():
    image = np.random.default_rng(1).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    mask = np.zeros((60, 60), dtype=bool)
    mask[20:40, 20:40] = np.eye(20, dtype=bool)
    import cv2

    whole = cv2.blur(image, (10, 10))[20:40, 20:40]
    crop = crop_instance(image, mask)
    outside = ~np.eye(20, dtype=bool)
    np.testing.assert_array_equal(crop[outside], whole[outside])


@pytest.mark.parametrize(("fill", "value"), [("black", 0), ("white", 255), ("original", 7)])
def test_crop_instance__fills(fill, value):
    image = np.full((8, 8, 3), 7, dtype=np.uint8)
    mask = np.zeros((8, 8), dtype=bool)
    mask[2, 2] = mask[3, 3] = True
    crop = crop_instance(image, mask, fill=fill)
    assert crop.shape == (2, 2, 3)
    assert crop[0, 1, 0] == value and crop[0, 0, 0] == 7


def test_crop_instance__margin_ends_at_the_picture():
    image = np.arange(300).astype(np.uint8).reshape(10, 10, 3)
    mask = np.zeros((10, 10), dtype=bool)
    mask[1, 6] = True
    crop = crop_instance(image, mask, fill="original", margin=3)
    np.testing.assert_array_equal(crop, image[0:5, 3:10])


def test_crop_instance__whole_picture():
    image = np.full((8, 6, 3), 9, dtype=np.uint8)
    mask = np.zeros((8, 6), dtype=bool)
    mask[2, 3] = True
    crop = crop_instance(image, mask, fill="black", whole=True, margin=3)
    assert crop.shape == (8, 6, 3) and crop.sum() == 27


def test_crop_instance__window_of_a_larger_picture():
    image = np.zeros((20, 20, 3), dtype=np.uint8)
    image[7, 9] = 50
    assert crop_instance(image, np.ones((1, 1), dtype=bool), x=9, y=7, fill="black").tolist() == [[[50, 50, 50]]]


def test_crop_instance__empty_mask_or_outside():
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    with pytest.raises(MaskError, match="empty"):
        crop_instance(image, np.zeros((4, 4), dtype=bool))
    with pytest.raises(MaskError, match="leaves its picture"):
        crop_instance(image, np.ones((4, 4), dtype=bool), x=1)
