from __future__ import annotations

import numpy as np
import pytest
from divergen_annotate import repair
from divergen_annotate.cleanup import drop_islands, fill_holes, label_regions, shrink, smooth
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

MASKS = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))


def grid(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


def ring(size=20, hole=3):
    mask = np.zeros((size, size), dtype=bool)
    mask[2:-2, 2:-2] = True
    middle = size // 2
    mask[middle : middle + hole, middle : middle + hole] = False
    return mask


def test_drop_islands__keeps_the_largest():
    mask = grid("##..#", "##...", "....#")
    assert np.array_equal(drop_islands(mask), grid("##...", "##...", "....."))


def test_drop_islands__diagonal_neighbours_are_one():
    mask = grid("#..", ".#.", "..#")
    assert np.array_equal(drop_islands(mask), mask)


def test_drop_islands__share_keeps_large_parts():
    mask = grid("####.", ".....", "##..#")
    assert np.array_equal(drop_islands(mask, keep_share=0.5), grid("####.", ".....", "##..."))


def test_fill_holes__small_ones():
    assert fill_holes(ring(20, 1)).sum() == 256
    assert fill_holes(ring(20, 3)).sum() == 247


@pytest.mark.parametrize(("colour", "filled"), [(250, False), (90, True)])
def test_fill_holes__a_large_hole_is_kept_where_it_shows_background(colour, filled):
    mask = ring(20, 5)
    image = np.full((20, 20, 3), 250, dtype=np.uint8)
    image[mask] = 60
    image[10:15, 10:15] = colour
    assert fill_holes(mask, image=image)[12, 12] == filled


def test_fill_holes__a_bay_is_no_hole():
    mask = grid("###", "#..", "###")
    assert np.array_equal(fill_holes(mask, below=9), mask)


def test_smooth__takes_single_pixels():
    mask = np.zeros((7, 7), dtype=bool)
    mask[3, 3] = True
    assert not smooth(mask).any()
    assert np.array_equal(smooth(mask, radius=0), mask)


def test_shrink__by_one_pixel():
    mask = np.zeros((7, 7), dtype=bool)
    mask[1:6, 1:6] = True
    assert shrink(mask).sum() == 9


@given(MASKS)
def test_repair__one_component_of_the_same_shape(mask):
    from divergen_annotate.quality import count_components

    before = mask.copy()
    result = repair(mask)
    assert result.shape == mask.shape and result.dtype == bool
    assert count_components(result, share=0) <= 1
    assert np.array_equal(mask, before)


def test_fill_holes__a_large_hole_of_a_full_picture_is_no_background():
    mask = np.ones((20, 20), dtype=bool)
    mask[8:14, 8:14] = False
    image = np.full((20, 20, 3), 90, dtype=np.uint8)
    assert fill_holes(mask, image=image).all()


@given(MASKS, st.sampled_from([4, 8]))
def test_label_regions__areas_are_counts(mask, connectivity):
    labels, areas = label_regions(mask, connectivity=connectivity)
    assert areas.tolist() == [int((labels == label).sum()) for label in range(len(areas))]
    assert np.array_equal(labels > 0, mask)
