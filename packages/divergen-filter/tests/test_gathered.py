from __future__ import annotations

import lance
import numpy as np
import pyarrow as pa
import pytest
from divergen_filter import gathered
from divergen_filter.gathered import gather_embeddings
from divergen_filter.generated import _BLOCK, compare_generated
from divergen_records.stores import place


@pytest.mark.parametrize("in_memory", [0, 2**20])
def test_gather_embeddings__any_order_and_no_file_left(tmp_path, monkeypatch, in_memory):
    monkeypatch.setattr(gathered, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(gathered, "_ROWS", 7)
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 3)
    names = pa.array([None if row % 9 == 4 else "e" for row in range(50)])
    path = tmp_path / "t.lance"
    dataset = lance.write_dataset(pa.table({"embedding": column, "embedder": names}), path, max_rows_per_file=20)
    dataset.delete("embedding[1] > 1.5")
    rows = dataset.to_table(["embedding"], filter="embedder IS NOT NULL", with_row_address=True)
    chosen = np.random.default_rng(1).permutation(len(rows))[:31]
    found = gather_embeddings(dataset, path, rows["_rowaddr"].to_numpy()[chosen])
    expected = np.array(rows["embedding"].to_pylist(), dtype=np.float32)[chosen]
    assert isinstance(found, np.memmap) == (in_memory == 0)
    np.testing.assert_array_equal(found, expected)
    assert [child.name for child in tmp_path.iterdir()] == ["t.lance"]


def test_gather_embeddings__of_a_store_lie_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(gathered, "_IN_MEMORY", 0)
    column = pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4], pa.float32()), 2)
    rows = pa.table({"embedding": column, "embedder": ["e", "e"]})
    dataset = lance.write_dataset(rows, tmp_path / "t.lance")
    found = gather_embeddings(dataset, place("s3://bucket/t.lance"), np.array([1, 0], np.uint64))
    assert found.tolist() == [[3, 4], [1, 2]]


@pytest.mark.parametrize("count", [1, 2, _BLOCK, _BLOCK + 1, 2 * _BLOCK + 3])
def test_compare_generated__blocks_are_all_pairs(count):
    vectors = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = vectors @ vectors.T
    np.fill_diagonal(pairs, -1)
    found = compare_generated(vectors)
    np.testing.assert_allclose(found["nearest_generated"], pairs.max(axis=1), atol=1e-6)
    earlier = np.where(np.tri(count, k=-1, dtype=bool), pairs, -1).max(axis=1)
    np.testing.assert_allclose(found["duplicate_similarity"], earlier, atol=1e-6)
