from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import References, reference_embeddings
from divergen_records import ConfigError, DatasetError, MaskError


def test_reference_embeddings__crops_by_category(dataset, embedder):
    found = reference_embeddings(dataset, embedder, progress=False)
    assert found.embedder == embedder.identity
    assert sorted(found.category_ids.tolist()) == [1, 1, 2, 2, 3, 3]
    assert found.skipped == {"area below 100": 1}
    assert found.of(1).shape == (2, 64)


def test_reference_embeddings__does_not_depend_on_threads(dataset, embedder):
    one = reference_embeddings(dataset, embedder, workers=1, progress=False)
    many = reference_embeddings(dataset, embedder, workers=4, progress=False)
    np.testing.assert_array_equal(one.embeddings, many.embeddings)
    np.testing.assert_array_equal(one.annotation_ids, many.annotation_ids)


def test_reference_embeddings__limit_per_category(dataset, embedder):
    found = reference_embeddings(dataset, embedder, max_per_category=1, progress=False)
    assert sorted(found.category_ids.tolist()) == [1, 2, 3]


def test_reference_embeddings__a_missing_picture_is_counted(dataset, embedder):
    (dataset.image_dir / "0.png").unlink()
    found = reference_embeddings(dataset, embedder, progress=False)
    assert len(found.embeddings) == 5
    assert any("0.png" in reason for reason in found.skipped)


def test_reference_embeddings__nothing_left(dataset, embedder):
    with pytest.raises(DatasetError, match="no instance is left"):
        reference_embeddings(dataset, embedder, min_area=10**6, progress=False)


def test_references__save_and_load(references, tmp_path):
    path = tmp_path / "references.npz"
    references.save(path)
    again = References.load(path)
    np.testing.assert_array_equal(again.embeddings, references.embeddings)
    assert again.embedder == references.embedder
    with pytest.raises(ConfigError, match="is there already"):
        references.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["references.npz"]


def test_references__load_what_is_none(tmp_path):
    with pytest.raises(ConfigError, match="embed-real"):
        References.load(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ConfigError, match="damaged"):
        References.load(tmp_path / "bad.npz")


def test_references__refuses_broken_vectors():
    with pytest.raises(MaskError, match="length"):
        References("fake", np.zeros((1, 4), dtype=np.float32), np.array([1]), np.array([1]))
