from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from divergen_annotate.batching import Batcher, ahead, is_out_of_memory
from divergen_records import RowError


class Memory:
    """Doubles numbers; runs out of memory above ``room`` items, or on an item that is in ``huge``."""

    def __init__(self, room, huge=(), error=None):
        self.room, self.huge, self.sizes = room, huge, []
        self.error = error or RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")

    def __call__(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.room or set(batch) & set(self.huge):
            raise self.error
        return [2 * item for item in batch]


def test_batcher__grows_while_it_fits():
    memory = Memory(100)
    assert list(Batcher(limit=8).run(range(40), memory)) == [2 * item for item in range(40)]
    assert memory.sizes == [1, 2, 4, 8, 8, 8, 8, 1]


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory."), MemoryError()])
def test_batcher__backs_off_and_loses_nothing(error):
    memory = Memory(5, error=error)
    batcher = Batcher(16)
    assert list(batcher.run(range(20), memory)) == [2 * item for item in range(20)]
    assert memory.sizes == [16, 8, 4, 4, 4, 4, 4] and batcher.size == 4
    assert list(batcher.run(range(4), memory)) == [0, 2, 4, 6] and memory.sizes[-1] == 4


def test_batcher__one_item_that_never_fits_fails_alone():
    results = list(Batcher(4).run(range(6), Memory(4, huge=[2])))
    assert isinstance(results[2], RowError) and "out of memory" in str(results[2])
    assert [result for result in results if not isinstance(result, RowError)] == [0, 2, 6, 8, 10]


def test_batcher__other_errors_come_through():
    with pytest.raises(RuntimeError, match="shape"):
        list(Batcher(4).run(range(6), Memory(0, error=RuntimeError("wrong shape"))))


def test_ahead__keeps_the_order_and_the_distance():
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(4) as pool:
        for number, result in enumerate(ahead(pool, str, items(), 6)):
            assert result == str(number)
            assert len(taken) <= number + 7
    assert len(taken) == 50


def test_is_out_of_memory__of_pytorch():
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("x")) and not is_out_of_memory(RuntimeError("mat1 and mat2"))
