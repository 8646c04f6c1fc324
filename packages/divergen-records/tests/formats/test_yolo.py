import shutil
from pathlib import Path

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.formats import read_any
from divergen_records.formats.yolo import label_name, write_yolo
from divergen_records.testing import small_dataset


def ultralytics_label(picture: str) -> str:
    """``img2label_paths`` of ultralytics 8, word for word but for the list."""
    sa, sb = "/images/", "/labels/"
    return sb.join(picture.rsplit(sa, 1)).rsplit(".", 1)[0] + ".txt"


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "sub/a.jpg", "images/a.jpg", "x/images/y/a.jpg", "images/images/a.png", "a_jpg.rf.aaaa.jpg"],
)
def test_label_name__as_ultralytics_looks_for_it(name):
    assert f"/data/{label_name(f'images/{name}')}" == ultralytics_label(f"/data/images/{name}")


def test_write_yolo__a_label_for_every_picture_also_below_images(tmp_path):
    dataset = small_dataset(tmp_path / "source")
    folder = tmp_path / "source" / "images" / "images"
    folder.mkdir()
    for path in dataset.image_dir.glob("*.png"):
        shutil.move(path, folder / path.name)
    images = [type(one)(id=one.id, width=40, height=32, file_name=f"images/{one.file_name}") for one in dataset.images]
    write_yolo(dataset.replace(images=images), tmp_path / "out")
    pictures = sorted((tmp_path / "out" / "images").rglob("*.png"))
    assert len(pictures) == 2
    assert all(Path(ultralytics_label(str(path))).is_file() for path in pictures)


def test_write_yolo__two_pictures_of_one_label_are_refused(tmp_path):
    dataset = small_dataset(tmp_path / "source")
    one, other = dataset.images
    images = [one, type(one)(id=other.id, width=40, height=32, file_name="1.jpg")]
    with pytest.raises(DatasetError, match=r"images 1 and 2 \('1.png', '1.jpg'\) would share one label file"):
        write_yolo(dataset.replace(images=images), tmp_path / "out")


def lines(tmp_path, text):
    dataset = small_dataset(tmp_path / "source")
    write_yolo(dataset, tmp_path / "out")
    (tmp_path / "out" / "labels" / "1.txt").write_text(text)
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x 0.1 0.1 0.2 0.2 0.3 0.1", "is not numbers"),
        ("7 0.1 0.1 0.2 0.2 0.3 0.1", "class 7 is none of the 2 names"),
        ("0 0.1 0.1 0.2 0.2 0.3", "has 5 coordinates"),
        ("0 0.5 0.5 0.2 0.2", "is a box without a mask"),
        ("0 0.1 0.1 1.5 0.1 1.5 0.9 0.1 0.9", "lies outside the picture"),
    ],
)
def test_read_yolo__a_bad_line_is_named(tmp_path, line, words):
    folder = lines(tmp_path, line + "\n")
    with pytest.raises(DatasetError, match=f"label of images/1.png, line 1: .*{words}"):
        read_any(folder)
    dataset = read_any(folder, on_problem="skip")
    assert (len(dataset.images), len(dataset.problems)) == (2, 1)


def test_read_yolo__clipped_on_the_users_word(tmp_path):
    dataset = read_any(lines(tmp_path, "0 0.1 0.1 1.5 0.1 1.5 0.9 0.1 0.9\n"), on_problem="repair")
    assert "clipped a polygon at the border" in dataset.repairs[0]
    assert dataset.annotations[0].bbox[0] + dataset.annotations[0].bbox[2] == 40


def test_read_yolo__boxes_where_they_are_enough(tmp_path):
    dataset = read_any(lines(tmp_path, "0 0.5 0.5 0.2 0.25\n"), boxes=True)
    np.testing.assert_allclose(dataset.annotations[0].bbox, (16, 12, 8, 8))
    assert not dataset.annotations[0].has_mask


def with_names(tmp_path, names):
    folder = lines(tmp_path, "1 0.1 0.1 0.2 0.2 0.3 0.1\n")
    (folder / "data.yaml").write_text(f"train: images\nnames: {names}\n")
    return folder


def test_read_yolo__numbers_of_classes_in_quotes(tmp_path):
    dataset = read_any(with_names(tmp_path, '{"0": cup, "1": 12}'))
    assert [category.name for category in dataset.categories] == ["cup", "12"]


@pytest.mark.parametrize("name", ["no", "null", "", "[a]"])
def test_read_yolo__a_name_that_yaml_takes_for_something_else(tmp_path, name):
    with pytest.raises(DatasetError, match=r"the name of class 1 is .* in YAML, no text; write it in quotes"):
        read_any(with_names(tmp_path, f"{{0: cup, 1: {name}}}"))


def test_read_yolo__a_label_without_a_picture_is_told(tmp_path):
    folder = lines(tmp_path, "0 0.1 0.1 0.2 0.2 0.3 0.1\n")
    (folder / "labels" / "gone.txt").write_text("0 0.1 0.1 0.2 0.2 0.3 0.1\n")
    (folder / "labels" / "classes.txt").write_text("cup\n")
    with pytest.raises(DatasetError, match=r"labels/gone\.txt: there is no picture of this name"):
        read_any(folder)
    assert len(read_any(folder, on_problem="skip").problems) == 1
