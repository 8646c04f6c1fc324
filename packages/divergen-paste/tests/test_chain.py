import numpy as np
import pytest
from divergen_paste import Chain, Paster, bake
from divergen_records import ConfigError


@pytest.fixture
def paster(pool):
    return Paster(pool, count="fixed", max_instances=2, min_visible=0, seed=1)


def test_chain__of_one_is_the_paster(paster, sample):
    assert (Chain(paster)(sample).image == paster(sample).image).all()


def test_chain__equal_pasters_do_not_repeat_each_other(paster, sample):
    plans = [paster.plan(sample, Chain(paster, paster).generator(sample, position)) for position in (0, 1)]
    assert [placement.place for placement in plans[0]] != [placement.place for placement in plans[1]]


def test_chain__later_pasters_cover_earlier(paster, sample):
    result = Chain(paster, paster)(sample)
    assert len([instance for instance in result.instances if instance.source]) > 2
    pasted = [mask for mask, instance in zip(result.masks(), result.instances, strict=True) if instance.source]
    assert sum(mask.astype(int) for mask in pasted).max() == 1


def test_chain__identity_depends_on_the_order(pool, paster):
    other = Paster(pool)
    assert Chain(paster, other).identity != Chain(other, paster).identity


def test_chain__bakes(dataset, paster, tmp_path):
    assert bake(dataset, Chain(paster, paster), tmp_path / "out", progress=False).is_file()


def test_chain__empty():
    with pytest.raises(ConfigError, match="at least one"):
        Chain()


def test_chain__paste_with_a_given_generator(pool, paster, sample):
    chain = Chain(paster, Paster(pool, count="fixed", max_instances=2, min_visible=1))
    results = [chain.paste(sample, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert (results[0].image == results[1].image).all()
    assert (results[0].image != results[2].image).any()
    assert chain.categories == pool.categories
