import os
import time

import divergen_paste.processes
import pytest
from divergen_paste.errors import WorkerDied
from divergen_paste.processes import in_batches, in_order, open_workers, worth_workers


@pytest.mark.parametrize(
    ("items", "cores", "expected"), [(0, 8, 0), (399, 8, 0), (400, 8, 2), (10_000, 8, 8), (9999, 1, 0)]
)
def test_worth_workers(monkeypatch, items, cores, expected):
    monkeypatch.setattr(divergen_paste.processes, "usable_cores", lambda: cores)
    assert worth_workers(items) == expected


def test_in_order__results_keep_the_order_of_items():
    taken = []

    def items():
        for number in range(6):
            taken.append(number)
            yield number

    with open_workers(0) as executor:
        results = in_order(executor, lambda number: (time.sleep(0.001 * (5 - number)), number)[1], items(), ahead=2)
        assert next(results) == 0
        assert len(taken) == 2  # the rest is taken when it is needed
        assert list(results) == [1, 2, 3, 4, 5]


def test_in_order__a_worker_that_dies_is_a_sentence():
    with open_workers(1) as executor, pytest.raises(WorkerDied, match="fewer workers"):
        list(in_order(executor, os._exit, [1], ahead=1))


def test_in_batches():
    assert list(in_batches("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
