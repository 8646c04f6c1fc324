from __future__ import annotations

import numpy as np
import pytest
from divergen_annotate.quality import border_contact, boundary_f, count_components, iou, solidity, thin_share
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


def square(low, high, size=16):
    mask = np.zeros((size, size), dtype=bool)
    mask[low:high, low:high] = True
    return mask


def test_count_components__specks_do_not_count():
    mask = square(0, 8)
    mask[12, 12] = True
    assert count_components(mask) == 1
    assert count_components(mask, share=0.01) == 2
    mask[10:14, 10:14] = True
    assert count_components(mask) == 2
    assert count_components(np.zeros((3, 3), dtype=bool)) == 0


@pytest.mark.parametrize(("mask", "share"), [(square(1, 15), 0), (square(0, 16), 1), (square(0, 4), 7 / 60)])
def test_border_contact(mask, share):
    assert border_contact(mask) == pytest.approx(share)


def test_border_contact__one_pixel_wide():
    assert border_contact(np.array([[True, False, True, True]])) == 0.75


def test_solidity():
    assert solidity(square(2, 9)) == 1
    corner = square(0, 8)
    corner[:6, :6] = False
    assert 0.4 < solidity(corner) < 0.7
    assert solidity(np.zeros((4, 4), dtype=bool)) == 0


def test_iou():
    assert iou(square(0, 4), square(0, 4)) == 1
    assert iou(square(0, 4), square(4, 8)) == 0
    assert iou(square(0, 4), square(0, 8)) == 0.25
    assert iou(square(0, 0), square(0, 0)) == 1


def test_boundary_f():
    assert boundary_f(square(4, 12), square(4, 12)) == 1
    assert 0.95 < boundary_f(square(4, 12), square(5, 12)) < 1
    assert boundary_f(square(0, 3), square(10, 15)) == 0
    assert boundary_f(square(0, 0), square(0, 3)) == 0


@given(arrays(bool, (9, 11)), arrays(bool, (9, 11)))
def test_measures__are_symmetric_shares(ours, theirs):
    assert iou(ours, theirs) == iou(theirs, ours)
    assert 0 <= boundary_f(ours, theirs) <= 1
    assert 0 <= solidity(ours) <= 1


@given(st.integers(1, 30), st.integers(1, 30))
def test_border_contact__is_a_share(height, width):
    assert border_contact(np.ones((height, width), dtype=bool)) == 1


def test_thin_share():
    disk = np.hypot(*(np.indices((200, 200)) - 100)) < 50
    spoked = disk.copy()
    spoked[99:101] = True
    assert thin_share(disk) == 0
    assert thin_share(spoked) == pytest.approx(200 / spoked.sum(), abs=0.015)
    assert thin_share(spoked & ~disk) == 1
    assert thin_share(np.zeros((5, 5), dtype=bool)) == 0
