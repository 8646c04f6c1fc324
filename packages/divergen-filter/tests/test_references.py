from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest
from divergen_filter import References, embed_real, reference_embeddings
from divergen_filter.efficientnet import EfficientNetLite0
from divergen_filter.references import Summary
from divergen_records import ConfigError, ExistsError, MaskError, WeightsError
from divergen_records.coco import Annotation, Dataset
from divergen_records.errors import NothingLeft
from divergen_records.masks import encode_rle


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


class Counting:
    """An embedder that counts its crops, and is killed after some."""

    def __init__(self, embedder, die_after=10**6):
        self.embedder, self.identity, self.dim = embedder, embedder.identity, embedder.dim
        self.seen, self.die_after = 0, die_after

    def __call__(self, crops):
        self.seen += len(crops)
        if self.seen > self.die_after:
            raise KeyboardInterrupt
        return self.embedder(crops)


def test_reference_embeddings__goes_on_after_a_kill(dataset, embedder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(embed_real, "_PART", 2)
    whole = reference_embeddings(dataset, embedder, progress=False)
    folder = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        reference_embeddings(dataset, Counting(embedder, die_after=3), resume=folder, progress=False)
    (folder / "000000.npz").with_name("000001.npz").write_bytes(b"PK cut")
    counting = Counting(embedder)
    again = reference_embeddings(dataset, counting, resume=folder, progress=False)
    assert counting.seen == 4
    assert capsys.readouterr().err == (f"{folder / '000001.npz'} is damaged; its pictures are done again\n")
    np.testing.assert_array_equal(again.embeddings, whole.embeddings)
    np.testing.assert_array_equal(again.annotation_ids, whole.annotation_ids)
    assert again.skipped == whole.skipped
    assert not folder.exists()


def test_reference_embeddings__killed_as_its_parts_are_removed(dataset, embedder, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    folder = tmp_path / "parts"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("divergen_filter.resume.shutil.rmtree", killed)
        reference_embeddings(dataset, embedder, resume=folder, progress=False)
    assert [path.name for path in folder.iterdir()] == ["task.json"]
    reference_embeddings(dataset, embedder, resume=folder, progress=False)
    assert not folder.exists()


def test_reference_embeddings__unfinished_work_of_other_settings(dataset, embedder, tmp_path):
    folder = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        reference_embeddings(dataset, Counting(embedder, die_after=3), resume=folder, progress=False)
    with pytest.raises(ConfigError, match="other settings"):
        reference_embeddings(dataset, embedder, fill="blur", resume=folder, progress=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="something else"):
        reference_embeddings(dataset, embedder, resume=tmp_path / "mine", progress=False)


def test_reference_embeddings__a_broken_vector_is_counted(dataset, embedder):
    class Broken(Counting):
        def __call__(self, crops):
            vectors = super().__call__(crops)
            vectors[0] = np.nan
            return vectors

    found = reference_embeddings(dataset, Broken(embedder), progress=False)
    assert len(found.embeddings) == 5
    assert found.skipped["the model gave a vector that is zero or not a number"] == 1


def test_reference_embeddings__bad_masks_are_counted(dataset, embedder):
    notes = list(dataset.annotations)
    empty = np.zeros((64, 64), dtype=bool)
    notes[0] = Annotation(1, 1, 1, (12, 16, 40, 32), 1280, encode_rle(empty))
    notes[1] = Annotation(2, 2, 2, (12, 16, 40, 32), 1280, {"size": [9, 9], "counts": [81]})
    broken = Dataset(dataset.path, dataset.image_dir, dataset.images, notes, dataset.categories)
    found = reference_embeddings(broken, embedder, progress=False)
    assert len(found.embeddings) == 4
    reasons = " ".join(found.skipped)
    assert "annotation 1: the mask is empty" in reasons and "annotation 2: " in reasons


def test_reference_embeddings__nothing_left(dataset, embedder):
    with pytest.raises(NothingLeft, match="no instance is left"):
        reference_embeddings(dataset, embedder, min_area=10**6, progress=False)


def test_references__save_and_load(references, tmp_path):
    path = tmp_path / "references.npz"
    references.save(path)
    again = References.load(path)
    np.testing.assert_array_equal(again.embeddings, references.embeddings)
    assert again.embedder == references.embedder
    with pytest.raises(ExistsError, match="is there already"):
        references.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["references.npz"]


def test_references__load_what_is_none(tmp_path):
    with pytest.raises(ConfigError, match="embed-real"):
        References.load(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ConfigError, match="damaged"):
        References.load(tmp_path / "bad.npz")


def lying(path):
    """An archive that says to hold 4 GB."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 2**32 - 2)
    path.write_bytes(data)
    return path


def test_references__load_a_bomb(tmp_path):
    with pytest.raises(ConfigError, match="says to hold 4,294,967,294 bytes"):
        Summary.load(lying(tmp_path / "bomb.npz"))
    with pytest.raises(WeightsError, match="says to hold 4,294,967,294 bytes"):
        EfficientNetLite0(weights=lying(tmp_path / "bomb.pth"))


@pytest.mark.parametrize("name", ["embeddings", "category_ids", "annotation_ids"])
def test_references__load_text_in_a_numbers_place(references, tmp_path, name):
    path = tmp_path / "references.npz"
    references.save(path)
    with np.load(path) as data:
        arrays = {key: data[key].astype("<U9") if key == name else data[key] for key in data}
    np.savez(path, **arrays)
    with pytest.raises(ConfigError, match=rf"references\.npz: .*{name}: expected .* found <U9"):
        References.load(path)


@pytest.mark.parametrize("name", ["sums_ids", "sums_counts", "sums"])
def test_summary__load_sums_that_do_not_fit(references, tmp_path, name):
    path = tmp_path / "references.npz"
    references.save(path)
    with np.load(path) as data:
        arrays = {key: data[key][:0] if key == name else data[key] for key in data}
    np.savez(path, **arrays)
    with pytest.raises(ConfigError, match="damaged"):
        Summary.load(path)


def test_references__load_one_array_alone(tmp_path):
    with (tmp_path / "references.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ConfigError, match="no file of references"):
        Summary.load(tmp_path / "references.npz")


def test_references__refuses_broken_vectors():
    with pytest.raises(MaskError, match="length"):
        References("fake", np.zeros((1, 4), dtype=np.float32), np.array([1]), np.array([1]))


def test_references__path_as_text(tmp_path):
    path = str(tmp_path / "x.npz")
    made = References("fake", np.eye(3, dtype=np.float32), np.array([1, 1, 2]), np.arange(3))
    made.save(path)
    assert References.load(path).embeddings.tolist() == made.embeddings.tolist()
    assert Summary.load(path).sums.counts.tolist() == [2, 1]
