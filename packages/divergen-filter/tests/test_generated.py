from __future__ import annotations

import numpy as np
from divergen_filter import generated
from divergen_filter.generated import compare_generated
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(2, 30), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_compare_generated__equals_all_pairs(count, block, seed):
    rows = np.random.default_rng(seed).normal(size=(count, 5))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    kept = generated._BLOCK
    generated._BLOCK = block
    try:
        found = compare_generated(vectors)
    finally:
        generated._BLOCK = kept
    pairs = vectors.astype(np.float64) @ vectors.T
    for row in range(count):
        others = np.delete(pairs[row], row)
        assert abs(found["intra_similarity"][row] - others.mean()) < 1e-6
        assert abs(found["nearest_generated"][row] - others.max()) < 1e-6
        assert abs(found["duplicate_similarity"][row] - max(pairs[row, :row], default=-1)) < 1e-6


def test_compare_generated__single_and_none():
    one = compare_generated(np.eye(3, dtype=np.float32)[:1])
    assert np.isnan(one["intra_similarity"][0]) and one["nearest_generated"].tolist() == [-1]
    assert all(len(values) == 0 for values in compare_generated(np.zeros((0, 3), dtype=np.float32)).values())


def test_compare_generated__one_of_each_group_of_duplicates_stays():
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 0, 0, 1, 2]]
    found = compare_generated(vectors)
    assert (found["duplicate_similarity"] < 0.99).tolist() == [True, True, False, False, False, True]
    assert (found["nearest_generated"] < 0.99).tolist() == [False] * 5 + [True]
