from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import CategorySums, inter_similarity, leave_one_out
from divergen_filter.similarity import bad_vectors, check_vectors
from divergen_records import MaskError
from hypothesis import given
from hypothesis import strategies as st


def units(count, dim, seed):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 20), st.integers(2, 64), st.integers(0, 2**32 - 1))
def test_inter_similarity__equals_all_pairs(real_count, count, dim, seed):
    real, generated = units(real_count, dim, seed), units(count, dim, seed + 1)
    random = np.random.default_rng(seed)
    real_ids, ids = random.integers(0, 4, real_count), random.integers(0, 4, count)
    fast = inter_similarity(generated, ids, CategorySums(real, real_ids))
    for vector, category, value in zip(generated.astype(np.float64), ids, fast, strict=True):
        pairs = [
            vector @ other for other, key in zip(real.astype(np.float64), real_ids, strict=True) if key == category
        ]
        assert np.isnan(value) if not pairs else abs(value - np.mean(pairs)) < 1e-6


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_inter_similarity__order_and_batch_do_not_matter(count, seed):
    real, generated = units(20, 16, seed), units(count, 16, seed + 1)
    real_ids, ids = np.arange(20) % 3, np.arange(count) % 3
    whole = inter_similarity(generated, ids, CategorySums(real, real_ids))
    order = np.random.default_rng(seed).permutation(20)
    sums = CategorySums(real[order], real_ids[order])
    single = np.concatenate([inter_similarity(generated[i : i + 1], ids[i : i + 1], sums) for i in range(count)])
    np.testing.assert_allclose(single, whole, atol=1e-12)


def test_leave_one_out__compares_with_the_others_only():
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    ids = np.array([5, 5, 5, 7])
    result = leave_one_out(vectors, ids, CategorySums(vectors, ids))
    np.testing.assert_allclose(result[:3], [0.5, 0.5, 0.0], atol=1e-7)
    assert np.isnan(result[3])


@pytest.mark.parametrize("row", [[np.nan, 0], [0, 0], [2, 0], [np.inf, 0]])
def test_check_vectors__refuses_what_is_not_of_unit_length(row):
    vectors = np.array([[1, 0], row], dtype=np.float32)
    assert bad_vectors(vectors).tolist() == [False, True]
    with pytest.raises(MaskError, match="embedding 1 has the length"):
        check_vectors(vectors)
