import cv2
import numpy as np
import pytest
from divergen_paste.blending import BLENDS

RNG = np.random.default_rng(0)
REGION = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
CROP = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
ALPHA = np.zeros((40, 50), dtype=np.uint8)
ALPHA[10:30, 10:40] = 255


@pytest.mark.parametrize("name", ["hard", "feather"])
def test_blends__exact_where_the_alpha_is_0_or_255(name):
    result = BLENDS[name](REGION, CROP, ALPHA)
    assert (result[ALPHA == 255] == CROP[ALPHA == 255]).all()
    assert (result[ALPHA == 0] == REGION[ALPHA == 0]).all()


def test_feather__half_alpha_is_the_mean():
    result = BLENDS["feather"](np.full_like(REGION, 100), np.full_like(CROP, 200), np.full_like(ALPHA, 128))
    assert abs(result.astype(int) - 150).max() <= 1


@pytest.mark.parametrize("name", sorted(BLENDS))
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 5), (8, 64), (33, 17)])
@pytest.mark.parametrize("fill", [0, 255])
def test_blends__any_size_and_empty(name, size, fill):
    region, crop = REGION.repeat(2, 1)[: size[0], : size[1]], CROP.repeat(2, 1)[: size[0], : size[1]]
    alpha = np.full(size, fill, dtype=np.uint8)
    before = region.copy()
    result = BLENDS[name](region, crop, alpha)
    assert result.shape == region.shape
    assert result.dtype == np.uint8
    assert (region == before).all()
    if not fill:
        assert (result == region).all()


@pytest.mark.parametrize("name", sorted(BLENDS))
def test_blends__far_outside_nothing_changes(name):
    result = BLENDS[name](REGION, CROP, ALPHA)
    far = np.ones_like(ALPHA, dtype=bool)
    far[4:36, 4:46] = False
    assert (result[far] == REGION[far]).all()


@pytest.mark.parametrize("name", ["gaussian", "laplacian"])
def test_blends__deep_inside_is_the_crop(name):
    flat = np.full_like(CROP, 77)
    result = BLENDS[name](np.full_like(REGION, 200), flat, ALPHA)
    assert abs(result[18:22, 22:28].astype(int) - 77).max() <= 40
    assert abs(result[0, 0].astype(int) - 200).max() == 0


def test_poisson__takes_the_colour_around():
    result = BLENDS["poisson"](np.full_like(REGION, 200), np.full_like(CROP, 20), ALPHA)
    assert abs(result.astype(int) - 200).max() <= 2


def test_poisson__same_picture_stays_in_place():
    smooth = cv2.GaussianBlur(REGION, (5, 5), 2)
    assert abs(BLENDS["poisson"](smooth, smooth, ALPHA).astype(int) - smooth).max() <= 1
