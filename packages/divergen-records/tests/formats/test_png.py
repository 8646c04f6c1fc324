import json

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.coco import read_dataset
from divergen_records.formats.png import write_png_masks
from PIL import Image


def read_png(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_write_png_masks__instance(content, write, tmp_path):
    write_png_masks(read_dataset(write(content)), tmp_path / "out")
    stripe = read_png(tmp_path / "out" / "b" / "3.png")
    assert (stripe.shape, stripe.dtype, stripe.sum()) == ((8, 10), np.uint8, 8 * 255)
    lines = [json.loads(line) for line in (tmp_path / "out" / "instances.jsonl").read_text().splitlines()]
    assert lines[2] == {
        "mask": "b/3.png",
        "image": "b.png",
        "image_id": 2,
        "category_id": 2,
        "category": "bow_(weapon)",
        "bbox": [1.0, 0.0, 1.0, 8.0],
        "iscrowd": True,
    }


@pytest.mark.parametrize(("identity", "kind"), [(2, np.uint8), (1203, np.uint16)])
def test_write_png_masks__label(content, write, tmp_path, identity, kind):
    content["categories"][1]["id"] = content["annotations"][2]["category_id"] = identity
    write_png_masks(read_dataset(write(content)), tmp_path / "out", masks="label")
    labels = read_png(tmp_path / "out" / "b.png")
    assert labels.dtype == kind
    np.testing.assert_array_equal(labels[2, :4], [0, identity, 1, 1])
    assert json.loads((tmp_path / "out" / "labels.json").read_text())[str(identity)] == "bow_(weapon)"


def test_write_png_masks__label_small_over_large(content, write, tmp_path):
    inner = {"id": 9, "image_id": 1, "category_id": 2, "area": 1, "segmentation": [[3, 2, 4, 2, 4, 3, 3, 3]]}
    content["annotations"].insert(0, inner)
    write_png_masks(read_dataset(write(content)), tmp_path / "out", masks="label")
    labels = read_png(tmp_path / "out" / "a.png")
    assert labels[2, 2:5].tolist() == [1, 2, 1]


def test_write_png_masks__label_ids_that_do_not_fit(content, write, tmp_path):
    content["categories"].append({"id": 0, "name": "zero"})
    with pytest.raises(DatasetError, match="category ids from 1 to 65535"):
        write_png_masks(read_dataset(write(content)), tmp_path / "out", masks="label")


def test_write_png_masks__label_two_pictures_of_one_name(content, write, tmp_path):
    content["images"][1]["file_name"] = "a.jpg"
    with pytest.raises(DatasetError, match="two files would have the name"):
        write_png_masks(read_dataset(write(content)), tmp_path / "out", masks="label")


def test_write_png_masks__unknown_kind(content, write, tmp_path):
    with pytest.raises(DatasetError, match="'x' is not known"):
        write_png_masks(read_dataset(write(content)), tmp_path / "out", masks="x")


def test_write_png_masks__only_the_last_suffix_goes(content, write, tmp_path):
    """Roboflow's names: one picture, augmented twice."""
    content["images"][0]["file_name"], content["images"][1]["file_name"] = "a_jpg.rf.aaaa.jpg", "a_jpg.rf.bbbb.jpg"
    write_png_masks(read_dataset(write(content)), tmp_path / "out", masks="label")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["a_jpg.rf.aaaa.png", "a_jpg.rf.bbbb.png"]
