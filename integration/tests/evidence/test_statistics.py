from __future__ import annotations

from statistics import stdev

import numpy as np
import pytest
from divergen.evidence.statistics import (
    detectable,
    image_interval,
    mean_and_interval,
    seeds_for,
    spread_of_differences,
    unpaired_interval,
)
from scipy.stats import ttest_ind


@pytest.mark.parametrize(("seeds", "quantile"), [(3, 4.3027), (10, 2.2622), (11, 2.2281), (30, 2.0452)])
def test_mean_and_interval__of_student_at_any_number_of_seeds(seeds: int, quantile: float) -> None:
    values = [float(value) for value in range(seeds)]
    mean, half = mean_and_interval(values)
    assert mean == pytest.approx((seeds - 1) / 2)
    assert half == pytest.approx(quantile * stdev(values) / seeds**0.5, rel=1e-4)


def test_mean_and_interval__one_seed_has_none() -> None:
    assert mean_and_interval([1.0]) == (1.0, None)


def test_unpaired_interval__is_welchs() -> None:
    first, second = [1.0, 2.0, 4.0, 4.5], [3.0, 9.0, 5.0]
    theirs = ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert unpaired_interval(first, second) == pytest.approx((theirs.high - theirs.low) / 2)
    assert unpaired_interval([1.0], second) is None
    assert unpaired_interval([1.0, 1.0], [2.0, 2.0]) == 0


def test_image_interval__is_basic_and_over_the_mean_of_the_seeds() -> None:
    rng = np.random.default_rng(0)
    before = [rng.normal(0.1, 0.02, 500).astype(np.float32) for _ in range(3)]
    after = [values + np.float32(0.05) for values in before]
    assert image_interval(before, after, 0.05) == pytest.approx((0.05, 0.05), abs=1e-6)
    assert image_interval(before, [after[0], after[1][:200], after[2]], 0.05) == pytest.approx((0.05, 0.05), abs=1e-6)
    high = [values + rng.exponential(0.01, 500).astype(np.float32) for values in before]
    ends = image_interval(before, high, 0.01)
    means = np.mean([b - a for a, b in zip(before, high, strict=True)], axis=0)
    assert ends == pytest.approx((0.02 - np.quantile(means, 0.975), 0.02 - np.quantile(means, 0.025)), abs=1e-6)


def test_image_interval__none_where_hardly_a_resample_has_the_score() -> None:
    empty = np.full(100, np.nan, np.float32)
    assert image_interval([empty], [empty], 0.1) is None
    assert image_interval([], [], 0.1) is None


def test_spread_of_differences__finds_the_noise_under_arms_and_seeds() -> None:
    rng = np.random.default_rng(1)
    seeds = {seed: rng.normal(0, 5) for seed in range(40)}
    arms = [{seed: place + shift + rng.normal(0, 0.3) for seed, shift in seeds.items()} for place in range(6)]
    spread, freedom = spread_of_differences(arms) or (0.0, 0)
    assert freedom == 5 * 39
    assert spread == pytest.approx(0.3 * 2**0.5, rel=0.15)
    two = [{0: 1.0, 1: 2.0, 2: 9.0}, {0: 2.0, 1: 5.0}, {2: 4.0}]
    assert spread_of_differences(two) == pytest.approx((stdev([1.0, 3.0]), 1)), "lone cells say nothing"


def test_spread_of_differences__needs_two_arms_and_two_seeds_in_common() -> None:
    assert spread_of_differences([{0: 1.0, 1: 2.0}]) is None
    assert spread_of_differences([{0: 1.0, 1: 2.0}, {1: 1.0, 2: 3.0}]) is None
    assert spread_of_differences([{}, {}]) is None


def test_seeds_for__so_many_tell_a_difference_apart_four_times_in_five() -> None:
    spread, difference = 0.6, 0.5
    seeds = seeds_for(spread, difference)
    assert detectable(spread, seeds) <= difference < detectable(spread, seeds - 1)
    rng = np.random.default_rng(2)
    draws = rng.normal(difference, spread, (4000, seeds))
    told = [abs(mean) > (half or 0) for mean, half in map(mean_and_interval, draws[:400].tolist())]
    assert 0.74 < np.mean(told) < 0.90
    assert (seeds_for(0.0, 0.5), seeds_for(100.0, 0.5)) == (2, 1000)
