import numpy as np
from divergen_records.masks import mask_to_polygons, segmentation_to_mask
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


def test_mask_to_polygons__one_pixel():
    assert mask_to_polygons(np.array([[0, 0], [0, 1]], dtype=bool)) == [[1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 2.0]]


def test_mask_to_polygons__empty():
    assert mask_to_polygons(np.zeros((3, 3), dtype=bool)) == []


def test_mask_to_polygons__hole_stays_open():
    ring = np.ones((3, 4), dtype=np.uint8)
    ring[1, 1:3] = 0
    (polygon,) = mask_to_polygons(ring)
    np.testing.assert_array_equal(segmentation_to_mask([polygon], 3, 4), ring)


def test_mask_to_polygons__parts_apart():
    assert len(mask_to_polygons(np.array([[1, 0, 1], [0, 1, 0]], dtype=bool))) == 3


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_mask_to_polygons__drawn_again_is_the_same_mask(mask):
    if mask.any():
        np.testing.assert_array_equal(segmentation_to_mask(mask_to_polygons(mask), *mask.shape), mask)
