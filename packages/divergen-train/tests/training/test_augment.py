from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from divergen_records.sample import Instance, Sample
from divergen_train.training.augment import Augmentation, resize_longest
from hypothesis import given, settings
from hypothesis import strategies as st


def sample(height: int = 40, width: int = 60) -> Sample:
    """A black image whose one object is its white part."""
    mask = np.zeros((height, width), bool)
    mask[10:30, 5:35] = True
    image = np.where(mask[:, :, None], 255, 0).astype(np.uint8).repeat(3, axis=2)
    return Sample(image, (Instance.from_mask(mask, 3, annotation_id=8),), image_id=1)


def test_augmentation__identity_pads_with_grey() -> None:
    result = Augmentation(size=64, flip=0)(sample(64, 48), np.random.default_rng(0))
    assert result.image.shape == (64, 64, 3)
    assert (result.image[:, 48:] == 127).all()
    assert result.instances[0].box == (5, 10, 35, 30)
    assert (result.instances[0].category_id, result.instances[0].annotation_id) == (3, 8)


def test_augmentation__flip() -> None:
    result = Augmentation(size=60, flip=1)(sample(), np.random.default_rng(0))
    assert result.instances[0].box == (25, 10, 55, 30)
    assert (result.image[:40, :, 0] > 127).tolist() == result.masks()[0][:40].tolist()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), low=st.floats(0.3, 1), high=st.floats(1, 2.5), size=st.sampled_from([32, 64, 96]))
def test_augmentation__mask_follows_the_image(seed: int, low: float, high: float, size: int) -> None:
    result = Augmentation(size, 0.5, (low, high))(sample(), np.random.default_rng(seed))
    white = result.image[:, :, 0] > 127
    drawn = result.masks().any(axis=0)
    perimeter = 2 * (30 + 20) * high * size / 60
    assert np.count_nonzero(white ^ drawn) <= 0.25 * perimeter + 8


def test_augmentation__drops_what_is_hardly_there() -> None:
    assert not Augmentation(64, 0, (1, 1), min_area=10_000)(sample(), np.random.default_rng(0)).instances


@pytest.mark.parametrize(("sampling", "median"), [("linear", 1.05), ("log", 0.447)])
def test_augmentation__scales_are_drawn_on_the_axis_asked_for(
    sampling: Literal["linear", "log"], median: float
) -> None:
    augment, rng = Augmentation(100, 0, (0.1, 2.0), sampling=sampling), np.random.default_rng(0)
    white = np.full((50, 50, 3), 255, np.uint8)
    sides = [int((augment(Sample(white, (), 1), rng).image[0, :, 0] == 255).sum()) for _ in range(400)]
    assert min(sides) >= 10
    assert np.mean(np.array(sides) < 100 * min(median, 1)) == pytest.approx(0.5 if median < 1 else 0.9 / 1.9, abs=0.06)


def test_augmentation__same_generator_same_sample() -> None:
    augment = Augmentation(64, 0.5, (0.5, 2))
    first, second = (augment(sample(), np.random.default_rng(5)) for _ in range(2))
    assert (first.image == second.image).all()
    assert first.boxes().tolist() == second.boxes().tolist()


@pytest.mark.parametrize(("shape", "expected"), [((40, 60), (43, 64)), ((64, 10), (64, 10)), ((200, 100), (64, 32))])
def test_resize_longest(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resize_longest(np.zeros((*shape, 3), np.uint8), 64).shape[:2] == expected
