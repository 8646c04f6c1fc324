import pytest
import torch
from divergen_gen.diffusion.store import EmbeddingStore


@pytest.mark.parametrize("limit", [0, 2000, 10**6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_store__gives_back_what_was_put(limit, dtype):
    store = EmbeddingStore(limit)
    put = {i: {"a": torch.randn(1, 7, 16).to(dtype), "m": torch.ones(1, 7, dtype=torch.int64)} for i in range(9)}
    for key, value in put.items():
        store.put(key, value)
    for key, value in put.items():
        found = store.get(key)
        assert all(torch.equal(found[name], value[name]) for name in value)
    assert len(store) == 9
    assert (3 in store, 9 in store) == (True, False)
    assert store.bytes <= limit
    assert bool(store.spilled) == (limit < 10**6)
    store.close()
    assert len(store) == 0
