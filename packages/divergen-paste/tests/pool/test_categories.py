import pickle

import numpy as np
import pytest
from divergen_paste import Chain, InstanceSampler, Paster, PoolWeights
from divergen_paste.pool import match_categories
from divergen_records import Category, ConfigError
from divergen_records.sample import Sample

CUP, BOW, APPLE = Category(id=1, name="cup"), Category(id=3, name="bow_(weapon)"), Category(id=7, name="apple")
SHUFFLED = (
    Category(id=1, name="apple", frequency="r"),
    Category(id=2, name="cup"),
    Category(id=7, name="bow_(weapon)"),
)
BLANK = Sample(np.zeros((128, 160, 3), np.uint8), (), 0)


def found(pool, data, **options):
    return {key: category.id for key, category in match_categories(pool, data, **options).found.items()}


@pytest.mark.parametrize(
    ("name", "synset", "data", "expected"),
    [
        ("cup", None, [(9, "cup", None)], 9),
        ("sports_ball", None, [(9, "Sports Ball", None)], 9),
        ("cup", "cup.n.01", [(9, "cup", None)], 9),
        ("cup", "cup.n.01", [(9, "cup", "cup.n.02"), (4, "cup", "cup.n.01")], 4),
        ("cup", None, [(9, "cup", None), (1, "cup", None)], 1),
        ("cup", None, [(9, "Cup", None), (4, "cup", None)], 4),
    ],
)
def test_match_categories__finds(name, synset, data, expected):
    known = [Category(id=key, name=word, synset=sense) for key, word, sense in data]
    assert found([Category(id=1, name=name, synset=synset)], known) == {1: expected}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([(1, "mug", None)], r"cup \(no category has this name\)"),
        ([(1, "cup", "cup.n.02")], r"cup \(the name means cup\.n\.02 there, cup\.n\.01 here\)"),
        ([(5, "cup", None), (6, "cup", None)], r"cup \(several have this name, ids 5, 6\)"),
    ],
)
def test_match_categories__refuses(data, reason):
    known = [Category(id=key, name=word, synset=sense) for key, word, sense in data]
    with pytest.raises(ConfigError, match=reason):
        match_categories([Category(id=1, name="cup", synset="cup.n.01")], known, unmatched="leave-out")


@pytest.mark.parametrize("data", [[{"id": 7, "name": "cup", "supercategory": "kitchen"}], {7: "cup"}])
def test_match_categories__takes_cocos_rows_and_names(data):
    assert found([CUP], data) == {1: 7}


@pytest.mark.parametrize("data", [["cup"], {"cup": 7}, None, [{"name": "cup"}]])
def test_match_categories__categories_of_another_form(data):
    with pytest.raises(ConfigError, match=r"or \{id: name\} as in \{1: 'person'\}, found "):
        match_categories([CUP], data)


def test_match_categories__two_of_the_pool_for_one():
    with pytest.raises(ConfigError, match=r"several of the pool have this name, one is id 8"):
        match_categories([CUP, Category(id=8, name="cup")], [CUP])
    assert found([CUP, Category(id=8, name="cup")], [CUP, Category(id=8, name="cup")]) == {1: 1, 8: 8}


def test_match_categories__refusal_counts_and_says_what_to_do():
    with pytest.raises(ConfigError, match=r"1 of the pool's 3 categories are not .* apple .* --unmatched leave-out"):
        match_categories([CUP, BOW, APPLE], {1: "cup", 2: "bow_(weapon)"})


def test_match_categories__leaves_out_and_says_so():
    match = match_categories([CUP, BOW, APPLE], {1: "cup", 2: "bow (weapon)"}, unmatched="leave-out")
    assert str(match).startswith("2 of the pool's 3 categories are in the data set, by name; left out: apple")


def test_matched__pastes_the_right_object_under_the_data_sets_id(pool):
    paster = Paster(pool.matched(SHUFFLED), count="fixed", max_instances=60)
    pasted = paster(BLANK).instances
    own = {pool.source(row): int(pool.index["category_id"][row]) for row in range(len(pool))}
    assert {(own[one.source], one.category_id) for one in pasted} == {(1, 2), (3, 7), (7, 1)}


def test_matched__same_ids_paste_the_same(pool):
    matched = Paster(pool, count="fixed", max_instances=9).matched([CUP, BOW, APPLE])
    plain = Paster(pool, count="fixed", max_instances=9)
    assert matched.identity == plain.identity
    assert (matched(BLANK).image == plain(BLANK).image).all()


def test_matched__left_out_categories_are_never_drawn(pool):
    small = pool.matched([APPLE, CUP], unmatched="leave-out")
    weights = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1.0])
    for sampler in (InstanceSampler(small), InstanceSampler(small, instance_weights=weights)):
        rows = sampler.draw(np.random.default_rng(0), 2000)
        assert set(small.category_ids(rows)) == {1, 7}
    assert Paster(small).identity != Paster(pool).identity
    assert small.matched([APPLE, CUP]).categories == small.categories


def test_matched__weights_of_the_whole_pool_still_fit(pool):
    weights = PoolWeights(pool)
    small = Paster(pool, sampler=InstanceSampler(pool, weights=weights)).matched(
        {70: "apple", 10: "cup"}, unmatched="leave-out"
    )
    weights.set_categories({7: 0})
    assert set(small.pool.category_ids(small.sampler.draw(np.random.default_rng(0), 500))) == {10}


def test_matched__takes_over_what_the_data_set_knows(pool):
    apple = pool.matched(SHUFFLED).categories[2]
    assert (apple.id, apple.frequency, apple.image_count) == (1, "r", 8)


def test_matched__survives_pickling(pool):
    matched = pool.matched(SHUFFLED[:2], unmatched="leave-out")
    again = pickle.loads(pickle.dumps(matched))
    assert again.categories == matched.categories
    assert again.category_ids([0, 3]) == [2, 1]


def test_matched__chain(pool):
    chain = Chain(Paster(pool), Paster(pool)).matched(SHUFFLED)
    assert {category.id for category in chain.categories} == {1, 2, 7}
