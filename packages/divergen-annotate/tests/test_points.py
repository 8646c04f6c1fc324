from __future__ import annotations

import numpy as np
import pytest
from divergen_annotate.points import background_points
from hypothesis import given
from hypothesis import strategies as st

LAYOUTS = ["corners", "margin", "ring", "grid"]


def test_background_points__corners_are_x_y():
    assert background_points(3, 7).tolist() == [[0, 0], [6, 0], [0, 2], [6, 2]]


def test_background_points__margin_of_the_shorter_side():
    points = background_points(100, 300, layout="margin", margin=0.1)
    assert points.tolist() == [[10, 10], [289, 10], [10, 89], [289, 89]]


def test_background_points__ring_is_evenly_spaced_on_the_frame():
    points = background_points(101, 201, layout="ring", margin=0, count=6)
    assert points.tolist() == [[0, 0], [100, 0], [200, 0], [200, 100], [100, 100], [0, 100]]


def test_background_points__grid_is_the_two_outer_layers():
    points = background_points(80, 160, layout="grid", count=16)
    assert len(points) == 8 * 8 - 4 * 4
    assert sorted(set(points[:, 0].tolist())) == [9.5 + 20 * i for i in range(8)]
    assert not (((points[:, 0] > 40) & (points[:, 0] < 120)) & ((points[:, 1] > 20) & (points[:, 1] < 60))).any()


@given(st.sampled_from(LAYOUTS), st.integers(1, 300), st.integers(1, 300), st.integers(4, 40))
def test_background_points__are_inside_and_as_many_for_every_size(layout, height, width, count):
    points = background_points(height, width, layout=layout, count=count)
    assert len(points) == len(background_points(64, 64, layout=layout, count=count))
    assert points.dtype == np.float32 and points.min() >= 0
    assert points[:, 0].max() <= width - 1 and points[:, 1].max() <= height - 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_background_points__turn_with_the_picture(layout):
    def places(points):
        return sorted(map(tuple, points.round(3).tolist()))

    upright, flat = (background_points(*shape, layout=layout) for shape in [(90, 50), (50, 90)])
    if layout != "ring":  # which starts at the top left and goes on clockwise
        assert places(upright) == places(flat[:, ::-1])
