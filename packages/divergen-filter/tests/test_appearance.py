import numpy as np
import pytest
from divergen_filter.appearance import look_alike_cosine, recall, set_distance


def at(*degrees):
    """Unit vectors (N, 2) at these angles."""
    angle = np.radians(np.array(degrees, np.float32))
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def test_look_alike_cosine__is_the_distance_to_another_image():
    vectors, images = at(0, 1, 20, 21), np.array([1, 1, 2, 2])  # the near one is in the same image
    assert look_alike_cosine([(vectors, images)], share=0.999) == pytest.approx(np.cos(np.radians(20)), abs=0.01)


def test_look_alike_cosine__nothing_to_compare_with():
    assert np.isnan(look_alike_cosine([]))
    assert np.isnan(look_alike_cosine([(at(0, 1), np.array([1, 1]))]))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [((0,), 0.5), ((0, 91), 1.0), ((45,), 0.0), ((), 0.0)],
    ids=["one", "both", "between", "none"],
)
def test_recall__counts_real_ones_with_a_look_alike(shown, expected):
    assert recall(at(0, 5, 90, 95), at(*shown).reshape(-1, 2), np.cos(np.radians(10))) == expected


def test_recall__nothing_to_tell():
    assert np.isnan(recall(at().reshape(-1, 2), at(0), 0.9))
    assert np.isnan(recall(at(0), at(0), float("nan")))


def test_set_distance__is_unbiased_for_one_distribution_and_grows_with_the_difference():
    rng = np.random.default_rng(0)

    def draws(centre, count=12):
        return at(*rng.normal(centre, 10, count))

    same = [set_distance(draws(0), draws(0)) for _ in range(200)]
    near, far = (np.mean([set_distance(draws(0), draws(shift)) for _ in range(50)]) for shift in (10, 60))
    assert abs(np.mean(same)) < 3 * np.std(same) / len(same) ** 0.5
    assert 0.05 < near < far < 1


def test_set_distance__too_few():
    assert np.isnan(set_distance(at(0), at(0, 1)))
