import numpy as np
import pytest
from divergen_paste.appearance import jitter_colours, resize_crop, rotate_crop

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
ALPHA = np.zeros((20, 30), dtype=np.uint8)
ALPHA[5:15, 7:] = 255


def test_resize_crop__edges_are_anti_aliased():
    image, alpha = resize_crop(IMAGE, ALPHA, (10, 15))
    assert image.shape == (10, 15, 3)
    assert alpha[:, 0].tolist() == [0] * 10
    assert alpha[5, 2:5].tolist() == [0, 128, 255]
    assert alpha[2, 10] == 128


def test_resize_crop__area_filter_keeps_the_mean():
    image, _ = resize_crop(IMAGE, ALPHA, (5, 6))
    assert image.reshape(-1, 3).mean(0) == pytest.approx(IMAGE.reshape(-1, 3).mean(0), abs=1)


def test_resize_crop__flip():
    plain, flipped = (resize_crop(IMAGE, ALPHA, (10, 15), flip=flip) for flip in (False, True))
    assert (plain[0][:, ::-1] == flipped[0]).all()
    assert (plain[1][:, ::-1] == flipped[1]).all()


def test_rotate_crop__quarter_turn():
    image, turned = rotate_crop(IMAGE, ALPHA, 90)
    assert (np.rot90(IMAGE) == image).all()
    assert (np.rot90(ALPHA) == turned).all()


def test_rotate_crop__keeps_the_area():
    _, turned = rotate_crop(np.zeros((50, 80, 3), np.uint8), np.full((50, 80), 255, np.uint8), 30)
    assert (turned >= 128).sum() == pytest.approx(50 * 80, rel=0.02)


def test_jitter_colours__ones_change_nothing():
    assert (jitter_colours(IMAGE, [1, 1, 1]) == IMAGE).all()


def test_jitter_colours__brightness_contrast_saturation():
    flat = np.full((4, 4, 3), (100, 60, 20), dtype=np.uint8)
    assert (jitter_colours(flat, [1.5, 1, 1])[0, 0] == (150, 90, 30)).all()
    grey = jitter_colours(flat, [1, 1, 0])[0, 0]
    assert np.ptp(grey) <= 1
    striped = np.repeat(np.array([[50, 150]], dtype=np.uint8), 2, axis=0)[..., None].repeat(3, axis=2)
    assert np.unique(jitter_colours(striped, [1, 0.5, 1])).tolist() == [75, 125]


def test_resize_crop__no_stairs_where_a_mask_is_enlarged():
    line = np.arange(64)
    mask = (line[None] > 3 * line[:, None] - 40) * np.uint8(255)
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    hard, smooth = (resize_crop(image, mask, (96, 96), smooth=on)[1] for on in (False, True))
    true = (np.arange(96)[None] + 0.5) / 1.5 > 3 * (np.arange(96)[:, None] + 0.5) / 1.5 - 40
    wrong = [int(((alpha >= 128) ^ true).sum()) for alpha in (hard, smooth)]
    assert wrong[1] <= wrong[0]
    steps = [int(np.abs(np.diff(alpha.astype(int), axis=0)).max()) for alpha in (hard, smooth)]
    assert steps[1] < steps[0]


def test_resize_crop__a_mask_of_its_own_size_stays():
    mask = np.eye(9, dtype=np.uint8) * np.uint8(255)
    assert (resize_crop(np.zeros((9, 9, 3), np.uint8), mask, (9, 9), smooth=True)[1] == mask).all()
