import pytest
from divergen_gen.counts import CountsConfig, count_per_category, share
from divergen_records import Category, ConfigError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError


def categories(**image_counts):
    return [Category(id=i, name=name, image_count=n) for i, (name, n) in enumerate(image_counts.items())]


def by_name(counts):
    return {category.name: n for category, n in counts.items()}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({}, "none"),
        ({"per_category": 1, "total": 3}, "per_category and total"),
        ({"per_category": 1, "floor": 2}, "floor"),
        ({"per_frequency": {"r": -1}}, "negative"),
        ({"per_frequency": {"rare": 1}}, "rare"),
        ({"per_category": 1, "weights": {"a": 0}}, "greater than 0"),
        ({"per_category": 1, "extra": 0}, "extra"),
    ],
)
def test_counts_config__refuses(settings, word):
    with pytest.raises(ValidationError, match=word):
        CountsConfig(**settings)


def test_count_per_category__per_frequency():
    found = [Category(id=1, name="a", frequency="r"), Category(id=2, name="b", frequency="f")]
    assert by_name(count_per_category(found, CountsConfig(per_frequency={"r": 5}))) == {"a": 5, "b": 0}


def test_count_per_category__per_frequency_without_groups():
    with pytest.raises(ConfigError, match="'a' has no frequency"):
        count_per_category([Category(id=1, name="a")], CountsConfig(per_frequency={"r": 5}))


def test_count_per_category__a_known_number_of_images_has_a_group():
    counts = CountsConfig(per_frequency={"r": 5, "c": 2})
    assert by_name(count_per_category(categories(extra=0, rare=9, common=50), counts)) == {
        "extra": 5,
        "rare": 5,
        "common": 2,
    }


def test_count_per_category__total_levels_what_there_is():
    found = categories(rare=1, common=5, frequent=100)
    assert by_name(count_per_category(found, CountsConfig(total=8))) == {"rare": 6, "common": 2, "frequent": 0}
    assert by_name(count_per_category(found, CountsConfig(total=8, floor=1))) == {"rare": 6, "common": 1, "frequent": 1}


def test_count_per_category__total_below_floor():
    with pytest.raises(ConfigError, match="at least 9"):
        count_per_category(categories(a=1, b=1, c=1), CountsConfig(total=5, floor=3))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.integers(0, 60), st.integers(0, 20))
def test_count_per_category__total_adds_up_and_only_grows(image_counts, total, more):
    found = [Category(id=i, name=str(i), image_count=n) for i, n in enumerate(image_counts)]
    before = count_per_category(found, CountsConfig(total=total))
    after = count_per_category(found, CountsConfig(total=total + more))
    assert sum(before.values()) == total
    assert all(after[category] >= before[category] for category in found)


@pytest.mark.parametrize(
    ("count", "weights", "expected"),
    [(1000, (1.0, 1.0), (500, 500)), (7, (1.0, 1.0), (4, 3)), (8, (3.0, 1.0), (6, 2)), (0, (1.0,), (0,))],
)
def test_share(count, weights, expected):
    assert share(count, weights) == expected


@given(st.integers(0, 200), st.lists(st.floats(0.1, 10), min_size=1, max_size=5).map(tuple))
def test_share__adds_up_and_only_grows(count, weights):
    before, after = share(count, weights), share(count + 1, weights)
    assert sum(before) == count
    assert all(b <= a for b, a in zip(before, after, strict=True))
