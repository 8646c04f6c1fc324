import json

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.formats import find_format, read_any, writers
from divergen_records.formats.fiftyone.arrays import pack_mask, unpack_mask
from divergen_records.images import encode_image
from divergen_records.masks import segmentation_to_mask
from divergen_records.testing import small_dataset

WRITTEN_BY_FIFTYONE = (  # of np.ones((4, 4), bool), by 1.22.1: in Fortran's order
    "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBek2SorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RomOgommjoKtQpkAy5GNAAAKjobuA=="
)
BOX = {"_cls": "Detection", "label": "cup", "bounding_box": [0.1, 0.25, 0.2, 0.5]}


@pytest.fixture
def folder(tmp_path):
    """Writes samples of one picture of 20 x 12 pixels; gives the folder."""

    def write(*objects, key="detections", field="ground_truth", cls="Detections", **more):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "a.png").write_bytes(encode_image(np.zeros((12, 20, 3), np.uint8), "png"))
        labels = {"_cls": cls, key: objects}
        document = {"_id": {"$oid": "6b0b"}, "filepath": "data/a.png", "tags": ["odd"], field: labels, **more}
        (tmp_path / "samples.json").write_text(json.dumps({"samples": [document]}))
        (tmp_path / "metadata.json").write_text('{"version": "1.22.1", "media_type": "image"}')
        return tmp_path

    return write


def drawn(dataset, at=0):
    annotation = dataset.annotations[at]
    info = dataset.image(annotation.image_id)
    return segmentation_to_mask(annotation.segmentation, info.height, info.width)


def test_read_fiftyone__a_mask_in_its_box_and_what_is_kept_beside(folder):
    mask = {"$binary": {"base64": WRITTEN_BY_FIFTYONE, "subType": "00"}}
    path = folder(BOX | {"mask": mask, "tags": ["mask"], "confidence": 0.5}, kept=True, prompt="a cup")
    dataset = read_any(path)
    assert find_format(path).name == "fiftyone"
    assert dataset.images[0].extra == {"tags": ["odd"], "kept": True, "prompt": "a cup"}
    assert dataset.annotations[0].extra == {"tags": ["mask"], "confidence": 0.5}
    assert dataset.annotations[0].bbox == (2, 3, 4, 6)  # stretched to its box, as FiftyOne does
    assert drawn(dataset)[3:9, 2:6].all() and drawn(dataset).sum() == 24


def test_read_fiftyone__what_is_not_read_and_has_no_name_is_told(folder):
    others = {"scene": {"_cls": "Segmentation"}, "pred": {"_cls": "Detections"}, "odd": {"_cls": []}}
    dataset = read_any(folder(BOX | {"label": None}, **others), boxes=True)
    assert "not read are the fields pred (Detections), scene (Segmentation)" in dataset.notes
    assert "1 objects have no label; their category is called 'unnamed'" in dataset.notes


def test_read_fiftyone__half_a_character(folder):
    dataset = read_any(folder(BOX | {"label": "cup \ud83d"}), boxes=True)
    assert [one.name for one in dataset.categories] == ["cup \ufffd"]
    assert "samples.json: holds halves of characters (as \\ud83d alone), read as \\ufffd" in dataset.notes


def test_read_fiftyone__mask_files_and_outlines(folder):
    path = folder(BOX | {"mask_path": "/elsewhere/me/export/fields/ground_truth/m.png"})
    (path / "fields" / "ground_truth").mkdir(parents=True)
    (path / "fields" / "ground_truth" / "m.png").write_bytes(encode_image(np.full((6, 4), 255, np.uint8), "png"))
    assert drawn(read_any(path)).sum() == 24
    line = {"_cls": "Polyline", "label": "cup", "points": [[[0.1, 0.25], [0.3, 0.25], [0.3, 0.75]]], "closed": True}
    path = folder(line, line | {"closed": False}, key="polylines", cls="Polylines", field="drawn")
    dataset = read_any(path, on_problem="skip")
    assert 8 <= drawn(dataset).sum() <= 18 and "open line" in dataset.problems[0]


def test_read_fiftyone__without_pictures_by_metadata(folder):
    path = folder(BOX | {"mask": pack_mask(np.ones((6, 4), bool))}, metadata={"width": 20, "height": 12})
    (path / "data" / "a.png").unlink()
    assert read_any(path).images[0].file_name == "a.png"
    with pytest.raises(DatasetError, match=r"'a\.png' is not in the folder"):
        read_any(path, need_pictures=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": "bm8="}, "its mask cannot be read"),
        ({"mask": {"$binary": 3}}, "is no array of FiftyOne's"),
        ({"bounding_box": [0, 0, "x", 1]}, "bounding_box is no"),
        ({"bounding_box": [0, 0, 0, 1]}, "covers nothing"),
        ({"bounding_box": [0.9, 0.25, 0.2, 0.5], "mask": pack_mask(np.ones((6, 4), bool))}, "leaves the picture"),
        ({"mask_path": "../../secret.png"}, "is not in the folder"),
        ({}, "has no mask"),
    ],
)
def test_read_fiftyone__says_what_is_wrong_with_an_object(folder, change, message):
    with pytest.raises(DatasetError, match=message):
        read_any(folder(BOX | change))


def test_read_fiftyone__two_fields_of_objects(folder):
    path = folder(BOX, field="predictions", mine={"_cls": "Detections", "detections": []})
    with pytest.raises(DatasetError, match="the fields mine, predictions hold objects"):
        read_any(path)


def test_unpack_mask__a_huge_one_is_refused(monkeypatch):
    monkeypatch.setattr("divergen_records.formats.fiftyone.arrays._MOST_BYTES", 1000)
    with pytest.raises(DatasetError, match=r"more than 1,000 bytes"):
        unpack_mask(pack_mask(np.zeros((100, 100), bool)))


def test_write_fiftyone__reads_back_exactly(tmp_path):
    source = small_dataset(tmp_path / "source")
    written = read_any(writers()["fiftyone"].write(source, tmp_path / "out"))
    for before, after in zip(source.annotations, written.annotations, strict=True):
        info = source.image(before.image_id)
        mask = segmentation_to_mask(before.segmentation, info.height, info.width)
        again = segmentation_to_mask(after.segmentation, info.height, info.width)
        np.testing.assert_array_equal(again, mask)
        box = json.loads((tmp_path / "out" / "samples.json").read_text())["samples"][0]["ground_truth"]["detections"]
        assert int(box[0]["bounding_box"][0] * info.width) == source.measure(source.annotations[0])[0][0]
