import numpy as np
import pytest
from divergen_paste import SizeSampler
from divergen_records import ConfigError, DatasetError
from hypothesis import given
from hypothesis import strategies as st

RNG = np.random.default_rng


def test_scales__category_mean_and_deviation():
    scales = SizeSampler({1: (0.2, 0.02)}).scales(RNG(0), [1] * 5000, (400, 400))
    assert scales.mean() == pytest.approx(0.2, abs=0.002)
    assert scales.std() == pytest.approx(0.02, abs=0.002)


def test_scales__uniform_for_categories_without_statistics():
    scales = SizeSampler({1: (0.2, 0.0)}, uniform_scale=(0.05, 0.3)).scales(RNG(0), [2] * 5000, (400, 400))
    assert scales.min() == pytest.approx(0.05, abs=0.01)
    assert scales.max() == pytest.approx(0.3, abs=0.01)


def test_scales__limits():
    sizes = SizeSampler({1: (0.0001, 0.0), 2: (0.9, 0.0)}, min_pixels=10, max_scale=0.5)
    assert sizes.scales(RNG(0), [1, 2], (100, 400)).tolist() == [10 / 200, 0.5]


@pytest.mark.parametrize(("fit", "expected"), [("mask", 20 * 20), ("box", 10 * 20)])
def test_size__area_is_of_the_mask_or_the_box(fit, expected):
    # The crop's mask fills half of its box.
    size = SizeSampler(fit=fit).size(np.sqrt(200) / 100, 1.0, (50, 50), 1250, (100, 100))
    assert size[0] * size[1] == pytest.approx(expected, rel=0.1)


def test_size__aspect():
    high, wide = SizeSampler().size(0.2, 1.5, (100, 100), 10_000, (200, 200))
    assert wide / high == pytest.approx(1.5, rel=0.05)
    assert high * wide == pytest.approx(1600, rel=0.05)


def test_size__small_crops_are_not_blown_up():
    assert SizeSampler(max_upscale=2).size(0.5, 1.0, (10, 10), 100, (200, 200)) == (20, 20)


@given(
    st.floats(0.001, 1),
    st.floats(0.8, 1.2),
    st.tuples(st.integers(1, 600), st.integers(1, 600)),
    st.floats(0.01, 1),
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
)
def test_size__always_fits_the_canvas(scale, aspect, crop, fill, canvas):
    area = max(int(fill * crop[0] * crop[1]), 1)
    high, wide = SizeSampler().size(scale, aspect, crop, area, canvas)
    assert 1 <= high <= canvas[0]
    assert 1 <= wide <= canvas[1]


@pytest.mark.parametrize(
    "options", [{"uniform_scale": (0.3, 0.1)}, {"max_scale": 0.0}, {"aspect_jitter": 1.0}, {"max_upscale": 0}]
)
def test_size_sampler__bad_settings(options):
    with pytest.raises(ConfigError, match="sizes: need"):
        SizeSampler(**options)


def test_size_sampler__statistics_as_the_published_file_has_them():
    assert SizeSampler({"3": [0.2, 0.1, 99]}).statistics == {3: (0.2, 0.1)}
    with pytest.raises(DatasetError, match=r"statistics: key 'person': expected \{category id:"):
        SizeSampler({"person": (0.2, 0.1)})
