from __future__ import annotations

import numpy as np
import pytest
from divergen_train.bsgal.shrinkage import between_variance, shrink


def test_between_variance__of_groups_that_differ_by_noise_alone_is_small() -> None:
    rng = np.random.default_rng(0)
    values, groups = rng.normal(0, 2, 600), np.arange(600) % 3
    assert between_variance(values, np.full(600, 4.0), groups) < 0.4
    assert between_variance(values, np.full(600, 1.0), groups) == pytest.approx(3, abs=0.6)


def test_between_variance__nothing_known_is_none() -> None:
    assert between_variance(np.zeros(3), np.full(3, np.inf), np.zeros(3, np.int64)) == 0
    assert between_variance(np.ones(2), np.ones(2), np.array([0, 1])) == 0


def test_shrink__an_unseen_member_is_believed_what_its_group_is() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(400) % 4
    truth = np.array([-2.0, 0.0, 0.5, 1.5])[groups]
    variances = np.where(np.arange(400) < 8, np.inf, 1.0)
    guess, doubt = shrink(np.where(np.isinf(variances), 0, truth + rng.normal(size=400)), variances, [groups])
    assert guess[:4] == pytest.approx([-2, 0, 0.5, 1.5], abs=0.4)
    assert (doubt[:8] >= doubt[8:].max()).all()


def test_shrink__where_groups_do_not_differ_instances_speak() -> None:
    rng = np.random.default_rng(2)
    groups, truth = np.arange(300) % 3, rng.normal(0, 3, 300)
    guess, _ = shrink(truth + rng.normal(size=300), np.ones(300), [groups, np.zeros(3, np.int64)])
    assert np.corrcoef(guess, truth)[0, 1] > 0.9
    assert np.std([guess[groups == group].mean() for group in range(3)]) < 0.6


def test_shrink__noise_alone_moves_nobody() -> None:
    values = np.random.default_rng(3).normal(size=200)
    guess, doubt = shrink(values, np.full(200, 1.5), [np.arange(200) % 5])
    assert np.ptp(guess) < 0.2
    assert (doubt < 0.2).all()
