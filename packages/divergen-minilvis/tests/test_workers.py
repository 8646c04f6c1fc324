import os

import pytest
from divergen_minilvis.workers import Workers
from divergen_records import DivergenError


def test_map__in_this_process_is_lazy_and_ordered():
    pool = Workers(str)
    assert list(pool.map(range(5))) == ["0", "1", "2", "3", "4"]
    assert next(iter(pool.map(iter(range(10**9))))) == "0"


def test_map__in_processes_keeps_the_order_and_starts_again_after_close():
    pool = Workers(abs, workers=2)
    assert list(pool.map(range(-20, 0))) == list(range(20, 0, -1))
    pool.close()
    assert list(pool.map([-1])) == [1]
    pool.close()


def test_map__a_worker_that_dies_is_one_clear_error():
    pool = Workers(os._exit, workers=2)
    with pytest.raises(DivergenError, match="worker processes ended"):
        list(pool.map([3]))


def test_map__an_error_in_a_worker_comes_through():
    pool = Workers(int, workers=2)
    with pytest.raises(ValueError, match="invalid literal"):
        list(pool.map(["x"]))
    pool.close()
