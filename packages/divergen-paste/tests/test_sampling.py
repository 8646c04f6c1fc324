import numpy as np
import pytest
from divergen_paste import InstanceSampler
from divergen_paste.sampling import BALANCES, COUNTS
from divergen_records import ConfigError


def shares(pool, **options):
    rows = InstanceSampler(pool, **options).draw(np.random.default_rng(0), 20_000)
    ids = pool.index["category_id"][rows]
    return [round(float((ids == category_id).mean()), 2) for category_id in (1, 3, 7)]


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        ("category", [1 / 3, 1 / 3, 1 / 3]),
        ("instance", [1 / 9, 2 / 9, 6 / 9]),
        ("frequency", [0.5, 0.25, 0.25]),
        ("inverse_frequency", [0.01, 0.79, 0.2]),
    ],
)
def test_draw__balance(pool, balance, expected):
    assert shares(pool, balance=balance) == pytest.approx(expected, abs=0.02)


def test_draw__every_row_of_a_category_alike(pool):
    rows = InstanceSampler(pool).draw(np.random.default_rng(0), 30_000)
    counts = np.bincount(rows, minlength=9)
    assert counts[3:] == pytest.approx(30_000 / 18, rel=0.1)


def test_draw__category_weights(pool):
    assert shares(pool, category_weights={1: 0, 3: 3}) == pytest.approx([0, 0.75, 0.25], abs=0.02)


def test_draw__instance_weights(pool):
    weights = np.array([1, 0, 1, 0, 0, 0, 3, 0, 1.0])
    rows = InstanceSampler(pool, instance_weights=weights).draw(np.random.default_rng(0), 20_000)
    found = np.bincount(rows, minlength=9) / 20_000
    assert found == pytest.approx([1 / 3, 0, 1 / 3, 0, 0, 0, 1 / 4, 0, 1 / 12], abs=0.02)


def test_draw__category_whose_instances_weigh_nothing(pool):
    sampler = InstanceSampler(pool, instance_weights=np.array([0, 1, 1, 1, 1, 1, 1, 1, 1.0]))
    assert 0 not in sampler.draw(np.random.default_rng(0), 1000)


def test_draw__only_categories_that_the_image_shows(pool):
    sampler = InstanceSampler(pool, image_categories=True)
    assert set(sampler.draw(np.random.default_rng(0), 200, {3, 99})) == {1, 2}
    assert len(set(sampler.draw(np.random.default_rng(0), 200, {99}))) == 9


@pytest.mark.parametrize(
    "options",
    [
        {"category_weights": {1: -1.0}},
        {"category_weights": {1: 0, 3: 0, 7: 0}},
        {"category_weights": {1: float("nan")}},
        {"category_weights": {"cup": 0.0}},
        {"category_weights": {1: "many"}},
        {"category_weights": [0, 1]},
        {"instance_weights": np.ones(4)},
        {"instance_weights": np.zeros(9)},
    ],
)
def test_sampler__bad_weights(pool, options):
    with pytest.raises(ConfigError, match="weights"):
        InstanceSampler(pool, **options)


def test_sampler__ids_as_json_has_them(pool):
    assert repr(InstanceSampler(pool, category_weights={"1": 0.5})) == repr(
        InstanceSampler(pool, category_weights={1: 0.5})
    )


def test_sampler__unknown_balance(pool):
    with pytest.raises(ConfigError, match=r"balance is one of category, instance, .* found 'frequent'"):
        InstanceSampler(pool, balance="frequent")


def test_inverse_frequency__needs_counts(make_pool, make_crop_of, monkeypatch):
    made = make_pool([make_crop_of(0, 1)])
    entry = made.manifest.categories[0]
    unknown = entry.model_copy(update={"category": entry.category.model_copy(update={"image_count": None})})
    monkeypatch.setattr(made, "manifest", made.manifest.model_copy(update={"categories": (unknown,)}))
    with pytest.raises(ConfigError, match="'cup' has none"):
        BALANCES["inverse_frequency"](made)


def test_counts():
    rng = np.random.default_rng(0)
    assert {COUNTS["uniform"](rng, 3) for _ in range(100)} == {0, 1, 2, 3}
    assert COUNTS["fixed"](rng, 3) == 3
    assert np.mean([COUNTS["poisson"](rng, 3) for _ in range(1000)]) == pytest.approx(3, abs=0.3)
