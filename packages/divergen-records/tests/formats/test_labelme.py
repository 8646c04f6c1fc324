import base64
import json
import os
import shutil

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.formats import find_format, read_any
from divergen_records.images import encode_image
from PIL import Image

SQUARE = {"label": "cup", "shape_type": "polygon", "points": [[2, 2], [12, 2], [12, 12], [2, 12]], "group_id": None}


@pytest.fixture
def folder(tmp_path):
    """Writes one labelme file with these shapes beside its picture; gives the folder."""

    def write(*shapes):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.jpg")
        content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": "..\\pictures\\a.jpg"}
        (tmp_path / "a.json").write_text(json.dumps(content | {"imageData": None, "imageHeight": 20, "imageWidth": 30}))
        return tmp_path

    return write


def test_read_labelme__polygons(folder):
    dataset = read_any(folder(SQUARE, SQUARE | {"label": "dog"}))
    assert find_format(dataset.path).name == "labelme"
    assert [(one.width, one.height, one.file_name) for one in dataset.images] == [(30, 20, "a.jpg")]
    assert [category.name for category in dataset.categories] == ["cup", "dog"]
    assert dataset.measure(dataset.annotations[0])[1] in range(100, 122)


def test_read_labelme__a_picture_that_no_data_set_can_name(folder):
    path = folder(SQUARE)
    for suffix in (".jpg", ".json"):
        (path / f"a{suffix}").rename(path / os.fsdecode(b"caf\xe9" + suffix.encode()))
    with pytest.raises(DatasetError, match=r"caf\udce9\.json: its name is no UTF-8 text"):
        read_any(path)


def test_read_labelme__parts_of_one_group_are_one_object(folder):
    part = SQUARE | {"group_id": 1}
    dataset = read_any(folder(part, part | {"points": [[20, 2], [25, 2], [25, 8]]}, SQUARE))
    assert len(dataset.annotations) == 2
    assert len(dataset.annotations[0].segmentation) == 2


def test_read_labelme__half_a_character_and_a_shape_that_is_no_text(folder):
    dataset = read_any(folder(SQUARE | {"label": "cup \ud83d"}, SQUARE | {"shape_type": [1]}), on_problem="skip")
    assert [one.name for one in dataset.categories] == ["cup \ufffd", "cup"]
    assert "its shape is [1], which covers nothing" in dataset.problems[0]
    assert "a.json: holds halves of characters (as \\ud83d alone), read as \\ufffd" in dataset.notes


def test_read_labelme__hidden_pictures_and_what_macos_adds(folder):
    path = folder(SQUARE)
    for name in (".hidden", "._a"):
        shutil.copy(path / "a.jpg", path / f"{name}.jpg")
        (path / f"{name}.json").write_text(json.dumps({"shapes": [SQUARE], "imagePath": f"{name}.jpg"}))
    (path / ".settings.json").write_text("{}")
    assert [one.file_name for one in read_any(path).images] == [".hidden.jpg", "a.jpg"]


def test_read_labelme__objects_without_a_label_are_told(folder):
    notes = read_any(folder(SQUARE, SQUARE | {"label": " "}, SQUARE | {"label": None})).notes
    assert "2 objects have no label; their category is called 'unnamed'" in notes


@pytest.mark.parametrize(("group", "objects"), [("", 2), (False, 2), (float("nan"), 2), (0, 1), (1.0, 1), ("a", 1)])
def test_read_labelme__what_is_a_group(folder, group, objects):
    part = SQUARE | {"group_id": group}
    assert len(read_any(folder(part, part | {"points": [[20, 2], [25, 2], [25, 8]]})).annotations) == objects


@pytest.mark.parametrize(
    ("size", "seen"), [((30, 20), (20, 30)), ((20, 30), (20, 30)), ((None, 30), (20, 30)), ((60.0, 40), None)]
)
def test_read_labelme__a_picture_of_another_size_than_was_drawn_on(folder, size, seen):
    path = folder(SQUARE)
    exif = Image.Exif()
    exif[0x0112] = 6 if seen else 1
    Image.new("RGB", (30, 20)).save(path / "a.jpg", exif=exif)
    content = json.loads((path / "a.json").read_text()) | {"imageWidth": size[0], "imageHeight": size[1]}
    (path / "a.json").write_text(json.dumps(content))
    if seen:
        (image,) = read_any(path).images
        assert (image.width, image.height) == (size if all(size) else seen)
        return
    with pytest.raises(DatasetError, match=r"picture 60\.0 wide and 40 high, a\.jpg is 30 wide and 20 high"):
        read_any(path)
    assert not read_any(path, on_problem="skip").images
    (mended,) = read_any(path, on_problem="repair").repairs
    assert mended == "a.json: drawn on a picture 60.0 wide and 40 high; its own size is taken, as labelme does"


def test_read_labelme__circle_and_painted_mask(folder):
    circle = {"label": "cup", "shape_type": "circle", "points": [[10, 10], [15, 10]]}
    png = base64.b64encode(encode_image(np.full((4, 6), 255, np.uint8), "png")).decode()
    mask = {"label": "dog", "shape_type": "mask", "points": [[3, 5], [8, 8]], "mask": png}
    dataset = read_any(folder(circle, mask))
    assert dataset.measure(dataset.annotations[0])[1] == pytest.approx(np.pi * 25, abs=14)
    assert dataset.measure(dataset.annotations[1]) == ((3, 5, 6, 4), 24)


def test_read_labelme__a_rectangle_is_a_box(folder):
    path = folder({"label": "cup", "shape_type": "rectangle", "points": [[12, 2], [2, 12]]})
    with pytest.raises(DatasetError, match=r"a\.json: 'cup': is a rectangle"):
        read_any(path)
    assert read_any(path, boxes=True).annotations[0].bbox == (2, 2, 10, 10)


POINT = {"label": "x", "shape_type": "point", "points": [[1, 1]]}


@pytest.mark.parametrize("shape", [{}, 3, {"label": "x", "points": [[1, "a"]]}, POINT])
def test_read_labelme__a_bad_shape_is_told(folder, shape):
    dataset = read_any(folder(SQUARE, shape), on_problem="skip")
    assert (len(dataset.annotations), len(dataset.problems)) == (1, 1)


def test_read_labelme__no_picture(folder):
    path = folder(SQUARE)
    (path / "a.jpg").unlink()
    with pytest.raises(DatasetError, match=r"a\.json: its picture 'a\.jpg' is not in the folder"):
        read_any(path)
    content = json.loads((path / "a.json").read_text())
    (path / "a.json").write_text(json.dumps(content | {"imageData": "AAAA"}))
    with pytest.raises(DatasetError, match="save the JSON's imageData"):
        read_any(path)


def test_read_labelme__a_turned_rectangle_is_its_corners(folder):
    dataset = read_any(folder(SQUARE | {"shape_type": "rotation", "direction": 0.5}))
    assert dataset.measure(dataset.annotations[0])[1] in range(100, 122)


def test_read_labelme__nan_costs_its_shape_alone(folder):
    dataset = read_any(folder(SQUARE, SQUARE | {"points": [[float("nan"), 1], [2, 3], [4, 5]]}), on_problem="skip")
    assert (len(dataset.annotations), len(dataset.problems)) == (1, 1)


def test_read_labelme__another_encoding_is_named(folder):
    file = folder(SQUARE | {"label": "CUP"}) / "a.json"
    file.write_bytes(file.read_bytes().replace(b"CUP", "tass\xe9".encode("latin-1")))
    with pytest.raises(DatasetError, match=r"a\.json: is no UTF-8 text \(byte \d+\); save the file as UTF-8"):
        read_any(file.parent)


def test_read_labelme__files_and_pictures_in_folders_side_by_side(folder):
    root = folder(SQUARE)
    (root / "labels").mkdir()
    (root / "pictures").mkdir()
    (root / "a.json").rename(root / "labels" / "a.json")
    (root / "a.jpg").rename(root / "pictures" / "a.jpg")
    assert read_any(root).images[0].file_name == "pictures/a.jpg"
    with pytest.raises(DatasetError, match="give its folder by --images"):
        read_any(root / "labels")
    assert read_any(root / "labels", image_dir=root / "pictures").images[0].file_name == "a.jpg"


def test_read_labelme__a_mask_that_is_none(folder):
    with pytest.raises(DatasetError, match=r"its mask is no PNG in base64 \(no picture\)"):
        read_any(folder(SQUARE | {"shape_type": "mask"}))


@pytest.mark.parametrize("name", ["0.json", "z.json"])
def test_recognised__another_tools_list_among_the_files(folder, name):
    """The first file by name is not always labelme's; what it is, is said."""
    path = folder(SQUARE)
    (path / name).write_text('["cup"]')
    with pytest.raises(DatasetError, match=f"{name}: has no list of shapes"):
        read_any(path)
    assert len(read_any(path, on_problem="skip").annotations) == 1
