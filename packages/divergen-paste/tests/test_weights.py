import gc
import pickle
import subprocess
import sys

import numpy as np
import pytest
from divergen_paste import InstanceSampler, Paster, PoolError, PoolWeights
from divergen_records import ConfigError


def drawn(sampler):
    return set(sampler.draw(np.random.default_rng(0), 500).tolist())


def test_weights__ones_change_nothing_but_the_path(pool):
    weights = PoolWeights(pool)
    assert (weights.version, weights.categories.tolist(), weights.instances.tolist()) == (0, [1.0] * 3, [1.0] * 9)
    assert drawn(InstanceSampler(pool, weights=weights)) == set(range(9))


def test_weights__the_sampler_follows(pool):
    weights = PoolWeights(pool)
    sampler = InstanceSampler(pool, weights=weights)
    weights.set_categories({1: 0.0, 3: 0.0, 99: 5.0})
    assert drawn(sampler) == {3, 4, 5, 6, 7, 8}
    weights.set_instances([0.0, 0.0], rows=[3, 4])
    assert drawn(sampler) == {5, 6, 7, 8}
    weights.set_categories({1: 1.0})
    weights.set_instances([0, 0, 0, 0, 0, 0, 0, 0, 1])
    assert drawn(sampler) == {8}


def test_weights__identity_tells_the_state(pool):
    weights = PoolWeights(pool)
    paster = Paster(pool, sampler=InstanceSampler(pool, weights=weights))
    before = paster.identity
    weights.set_categories({1: 0.5})
    assert paster.identity != before


def test_weights__file_lives_on_and_a_temporary_one_does_not(pool, tmp_path):
    weights = PoolWeights(pool, tmp_path / "weights")
    weights.set_categories({1: 0.25})
    assert PoolWeights(pool, tmp_path / "weights").categories.tolist() == [0.25, 1.0, 1.0]
    temporary = PoolWeights(pool)
    copied, path = pickle.loads(pickle.dumps(temporary)), temporary.path
    del copied
    gc.collect()
    assert path.exists()
    del temporary
    gc.collect()
    assert not path.exists()


def test_weights__of_another_pool(pool, tmp_path, make_pool, make_crop_of):
    (tmp_path / "empty").write_bytes(b"")
    PoolWeights(pool, tmp_path / "weights")
    for path, other in ((tmp_path / "weights", make_pool([make_crop_of(0, 1)])), (tmp_path / "empty", pool)):
        with pytest.raises(PoolError, match="not weights of this pool"):
            PoolWeights(other, path)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), 0.0])
def test_weights__wrong_values_change_nothing(pool, value):
    weights = PoolWeights(pool)
    with pytest.raises(ConfigError, match="finite, not negative, and leave something"):
        weights.set_instances(np.full(9, value))
    with pytest.raises(ConfigError, match="finite, not negative, and leave something"):
        weights.set_categories(dict.fromkeys((1, 3, 7), value))
    assert weights.version == 0
    assert (weights.instances == 1).all()


def test_weights__of_another_length(pool):
    with pytest.raises(ConfigError, match="shape"):
        PoolWeights(pool).set_instances([1.0, 2.0])


def test_sampler__two_kinds_of_weights(pool):
    with pytest.raises(ConfigError, match="not both"):
        InstanceSampler(pool, weights=PoolWeights(pool), instance_weights=np.ones(9))


_WORKER = """
import pickle, sys
import numpy as np

sampler = pickle.load(sys.stdin.buffer)
for _ in range(2):
    print(sorted(set(sampler.draw(np.random.default_rng(0), 300).tolist())), flush=True)
    sys.stdin.buffer.readline()
"""
"""Keeps the copy of a sampler that it was sent, as a loader's worker does."""


@pytest.mark.slow
def test_weights__workers_that_live_on_see_a_change(pool):
    weights = PoolWeights(pool)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", _WORKER], **pipes) as worker:
        worker.stdin.write(pickle.dumps(InstanceSampler(pool, weights=weights)))
        worker.stdin.flush()
        assert worker.stdout.readline() == b"[0, 1, 2, 3, 4, 5, 6, 7, 8]\n"
        weights.set_instances([0, 0, 0, 0, 0, 0, 1, 0, 0])
        worker.stdin.write(b"\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == b"[6]\n"


def test_rows__way_back_from_a_source(pool):
    sources = [pool.source(row) for row in (8, 0, 4)]
    assert pool.rows(sources).tolist() == [8, 0, 4]
    assert pool.rows([]).tolist() == []
    with pytest.raises(PoolError, match="'zebra'"):
        pool.rows(["zebra"])
