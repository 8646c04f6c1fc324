import cv2
import numpy as np
import pytest
from divergen_paste import Paster
from divergen_paste.quality import Quality, match_quality, measure_blur, measure_noise, measure_quality
from divergen_records.sample import Sample


def picture(blur: float, noise: float, size: int = 256) -> np.ndarray:
    """Squares of different grey, (size, size, 3) uint8."""
    rng = np.random.default_rng(0)
    squares = np.kron(rng.integers(30, 220, (size // 32, size // 32)), np.ones((32, 32))).astype(np.float32)
    blurred = cv2.GaussianBlur(squares, (0, 0), blur) if blur else squares
    return np.clip(np.dstack([blurred + rng.normal(0, noise, squares.shape)] * 3), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0.0, 4.0, 12.0])
@pytest.mark.parametrize("blur", [0.5, 1.0, 2.0, 3.0])
def test_measure_quality__finds_what_was_done(blur, noise):
    found = measure_quality(picture(blur, noise))
    assert found.noise == pytest.approx(noise, abs=max(0.15 * noise, 1.0))
    if noise < 10:
        assert found.blur == pytest.approx(blur, rel=0.15, abs=0.2)


def test_measure_blur__nothing_to_measure_at():
    flat = np.full((64, 64), 100, dtype=np.float32)
    assert measure_blur(flat, np.ones((64, 64), bool)) is None
    assert measure_blur(flat, np.zeros((64, 64), bool)) is None
    assert measure_noise(flat, np.zeros((64, 64), bool)) == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (40, 2)])
def test_match_quality__tiny_crops(size):
    image, alpha = np.zeros((*size, 3), np.uint8), np.full(size, 255, np.uint8)
    matched = match_quality(image, alpha, Quality(2.0, 5.0), np.random.default_rng(0))
    assert matched[0].shape[:2] == matched[1].shape


def test_match_quality__reaches_the_target():
    alpha = np.full((256, 256), 255, dtype=np.uint8)
    target = measure_quality(picture(2.0, 8.0))
    image, grown = match_quality(picture(0.5, 0.0), alpha, target, np.random.default_rng(0))
    pad = (image.shape[0] - 256) // 2
    assert pad > 0
    assert grown.shape == image.shape[:2]
    reached = measure_quality(image[pad:-pad, pad:-pad])
    assert reached.noise == pytest.approx(target.noise, rel=0.15)
    assert reached.blur == pytest.approx(target.blur, rel=0.25)


def test_match_quality__what_is_worse_already_stays():
    image, alpha = picture(2.0, 8.0), np.full((256, 256), 255, dtype=np.uint8)
    same, shape = match_quality(image, alpha, Quality(0.5, 1.0), np.random.default_rng(0))
    assert (same == image).all()
    assert (shape == alpha).all()


@pytest.mark.parametrize("option", ["match_blur", "match_noise"])
def test_paster__matched_instances_keep_place_and_seed(pool, option):
    sample = Sample(picture(2.5, 10.0), (), image_id=1)
    plain, matched = (Paster(pool, count="fixed", max_instances=3, **on) for on in ({}, {option: True}))
    before, after = plain(sample), matched(sample)
    assert (before.image != after.image).any()
    assert (after.image == matched(sample).image).all()
    for one, two in zip(before.instances, after.instances, strict=True):
        assert one.source == two.source
        assert np.abs(np.subtract(one.box, two.box)).max() <= 4
