from __future__ import annotations

import cv2
import numpy as np
import pytest
from divergen_annotate import repair, snap_to_edges, soft_alpha
from divergen_annotate.quality import iou


@pytest.fixture
def disc() -> tuple[np.ndarray, np.ndarray]:
    """A red disc on light grey, seen through a soft lens: picture (120, 150, 3) uint8, true alpha (120, 150)."""
    large = np.zeros((480, 600), np.float32)
    cv2.circle(large, (300, 240), 140, 1.0, -1)
    alpha = cv2.GaussianBlur(cv2.resize(large, (150, 120), interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    picture = alpha[..., None] * (180.0, 40.0, 30.0) + (1 - alpha[..., None]) * (230.0, 230.0, 235.0)
    return picture.round().astype(np.uint8), alpha


def test_soft_alpha__is_nearer_to_the_truth_than_the_hard_mask(disc):
    picture, alpha = disc
    hard = alpha > 0.5
    soft = soft_alpha(hard, picture)
    assert soft.dtype == np.float32 and soft.min() >= 0 and soft.max() <= 1
    assert np.abs(soft - alpha).mean() < 0.3 * np.abs(hard - alpha).mean()


def test_snap_to_edges__finds_the_outline_again(disc):
    picture, alpha = disc
    moved = np.roll(alpha > 0.5, 3, axis=1)
    assert iou(moved, alpha > 0.5) < 0.91
    assert iou(snap_to_edges(moved, picture, radius=5), alpha > 0.5) > 0.98


def test_snap_to_edges__keeps_a_mask_far_from_edges(disc):
    picture = np.full_like(disc[0], 200)
    mask = disc[1] > 0.5
    assert iou(snap_to_edges(mask, picture), mask) > 0.95


@pytest.mark.parametrize("value", [False, True])
def test_soft_alpha__empty_and_full_masks_stay(value):
    mask = np.full((6, 7), value)
    assert (soft_alpha(mask, np.zeros((6, 7, 3), np.uint8)) == value).all()


def test_repair__moves_the_outline_where_asked(disc):
    picture, alpha = disc
    moved = np.roll(alpha > 0.5, 3, axis=1)
    assert iou(repair(moved, picture, snap_radius=5), alpha > 0.5) > 0.98
    assert iou(repair(moved, picture), alpha > 0.5) < 0.92
