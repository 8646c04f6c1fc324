import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from divergen_records import DatasetError, ExistsError
from divergen_records.formats import read_any
from divergen_records.formats.layouts import find_layout
from divergen_records.formats.yolo import label_name, write_yolo
from divergen_records.formats.yolo_layout import find_yolo
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


def test_read_yolo__what_macos_adds_is_no_picture(tmp_path):
    write_yolo(small_dataset(tmp_path / "source"), tmp_path / "out")
    names = [path.name for path in (tmp_path / "out" / "images").iterdir()]
    for name in names:
        (tmp_path / "out" / "images" / f"._{name}").write_bytes(b"Mac OS X")
    assert sorted(one.file_name for one in read_any(tmp_path / "out").images) == sorted(
        f"images/{name}" for name in names
    )


def test_read_yolo__a_picture_that_no_data_set_can_name(tmp_path):
    write_yolo(small_dataset(tmp_path / "source"), tmp_path / "out")
    picture = next((tmp_path / "out" / "images").iterdir())
    picture.rename(picture.with_name(os.fsdecode(b"caf\xe9.png")))
    with pytest.raises(DatasetError, match=r"caf\udce9\.png: its name is no UTF-8 text"):
        read_any(tmp_path / "out")
    assert len(read_any(tmp_path / "out", on_problem="skip").images) == 1


def test_write_yolo__two_pictures_of_one_label_are_refused(tmp_path):
    dataset = small_dataset(tmp_path / "source")
    one, other = dataset.images
    images = [one, type(one)(id=other.id, width=40, height=32, file_name="1.jpg")]
    with pytest.raises(DatasetError, match=r"images 1 and 2 \('1.png', '1.jpg'\) would share one label file"):
        write_yolo(dataset.replace(images=images), tmp_path / "out")


def beside(tmp_path):
    """A data set whose pictures lie where YOLO's do."""
    dataset = small_dataset(tmp_path / "source")
    out = tmp_path / "out"
    shutil.copytree(dataset.image_dir, out / "images")
    (out / "labels").mkdir()
    return dataset.replace(image_dir=out / "images"), out


def test_write_yolo__labels_of_a_user_are_not_replaced_unasked(tmp_path):
    dataset, out = beside(tmp_path)
    (out / "labels" / "1.txt").write_text("mine")
    with pytest.raises(ExistsError, match=r"1\.txt is there already, with another content"):
        write_yolo(dataset, out)
    assert (out / "labels" / "1.txt").read_text() == "mine"
    write_yolo(dataset, out, overwrite=True)
    (out / "data.yaml").unlink()
    write_yolo(dataset, out)  # as behind a kill: what is there is what would be written


def test_write_yolo__links_are_replaced_not_followed(tmp_path):
    dataset, out = beside(tmp_path)
    for name, link in (("1.txt", Path.symlink_to), ("2.txt", Path.hardlink_to)):
        (tmp_path / name).write_text("another's")
        link(out / "labels" / name, tmp_path / name)
    write_yolo(dataset, out, overwrite=True)
    assert {(tmp_path / name).read_text() for name in ("1.txt", "2.txt")} == {"another's"}


def test_write_yolo__a_disk_that_ignores_case(tmp_path, monkeypatch):
    dataset, out = beside(tmp_path)
    images = [
        type(one)(id=one.id, width=40, height=32, file_name=name)
        for one, name in zip(dataset.images, ("a.png", "A.jpg"), strict=True)
    ]
    monkeypatch.setattr("divergen_records.files.Written._key", lambda self, path: (0, 0))
    monkeypatch.setattr(Path, "exists", lambda self: True)
    with pytest.raises(DatasetError, match="takes two pictures' labels for one file"):
        write_yolo(dataset.replace(images=images), out, overwrite=True)


def test_write_yolo__pictures_that_ultralytics_passes_over_are_told(tmp_path, capsys):
    dataset = small_dataset(tmp_path / "source")
    pictures = [dataset.image_path(image) for image in dataset.images]
    pictures[0].rename(pictures[0].with_suffix(".JFIF"))
    image = type(dataset.images[0])(id=dataset.images[0].id, width=40, height=32, file_name=f"{pictures[0].stem}.JFIF")
    write_yolo(dataset.replace(images=[image, *dataset.images[1:]]), tmp_path / "out")
    assert "1 of 2 pictures have an ending that Ultralytics passes over, as '1.JFIF'" in capsys.readouterr().err


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


LABEL = "0 0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6\n"
LAYOUTS = {
    "CVAT, Ultralytics: a list": {
        "data.yaml": "path: .\ntrain: train.txt\nnames: {0: cup}\n",
        "train.txt": "data/{p}\n",
    },
    "CVAT, YOLO 1.1": {
        "obj.data": "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
        "obj.names": "cup\n",
        "train.txt": "data/{p}\n",
    },
    "Label Studio": {"classes.txt": "cup\n", "notes.json": '{"categories": [{"id": 0, "name": "cup"}]}'},
    "two folders": {"data.yaml": "train: [images, more/images]\nnames: [cup]\n"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_read_yolo__layouts_of_tools(tmp_path, layout):
    source = small_dataset(tmp_path / "source")
    folders = {"CVAT, YOLO 1.1": ["obj_train_data"] * 2, "two folders": ["images", "more/images"]}
    folders = folders.get(layout, ["images"] * 2)
    for image, folder in zip(source.images, folders, strict=True):
        for place, name in ((folder, image.file_name), (folder.replace("images", "labels"), f"{image.id}.txt")):
            (tmp_path / "data" / place).mkdir(parents=True, exist_ok=True)
            made = tmp_path / "data" / place / name
            made.write_text(LABEL) if made.suffix == ".txt" else shutil.copy(source.image_dir / name, made)
    listed = "\ndata/".join(f"{folder}/{image.file_name}" for image, folder in zip(source.images, folders, strict=True))
    for name, text in LAYOUTS[layout].items():
        (tmp_path / "data" / name).write_text(text.replace("{p}", listed))
    dataset = read_any(tmp_path / "data")
    assert (len(dataset.images), len(dataset.annotations)) == (2, 2)
    assert [category.name for category in dataset.categories] == ["cup"]
    if layout == "two folders":
        with pytest.raises(DatasetError, match=r"train is 2 folders \(images, more/images\)"):
            find_layout(tmp_path / "data")
    else:
        read_any(tmp_path / "data", image_dir=find_layout(tmp_path / "data").splits["train"].images)


def test_read_yolo__a_list_that_names_what_is_not_there(tmp_path):
    folder = lines(tmp_path, LABEL)
    (folder / "data.yaml").write_text("train: train.txt\nnames: [cup, dog]\n")
    (folder / "train.txt").write_text("/elsewhere/me/out/images/1.png\n./images/gone.png\n")
    with pytest.raises(DatasetError, match=r"train\.txt, line 2: the picture \./images/gone\.png is not below"):
        read_any(folder)
    assert len(read_any(folder, on_problem="skip").images) == 1


@pytest.mark.parametrize(
    ("splits", "missing"),
    [
        ("train: [images, more]\nval: ../valid/images\ntest:\n", "train more, val ../valid/images"),
        ("train: ../train/images\nval: ../valid/images\n", "val ../valid/images"),
        ("train: train/images\nval: images\n", "train train/images"),
    ],
)
def test_read_yolo__a_split_that_is_not_there_is_told(tmp_path, splits, missing):
    folder = lines(tmp_path, LABEL)
    (folder / "data.yaml").write_text(f"{splits}names: [cup, dog]\n")
    dataset = read_any(folder)
    assert f"data.yaml names what is not there, and is not read: {missing}" in dataset.notes
    assert len(dataset.images) == 2
    assert "val" not in find_layout(folder).splits


def test_read_yolo__files_as_windows_editors_save_them(tmp_path):
    folder = lines(tmp_path, LABEL)
    (folder / "data.yaml").write_bytes(b"\xef\xbb\xbf'names': [cup, dog]\r\n\"train\": train.txt\r\n")
    (folder / "train.txt").write_text("images\\1.png\r\n", encoding="utf-16")
    with pytest.raises(DatasetError, match=r"train\.txt, line 1: this is no UTF-8 text"):
        read_any(folder)
    (folder / "train.txt").write_text("images\\1.png\r\n", encoding="utf-8-sig")
    assert len(read_any(folder).annotations) == 1
    (folder / "data.yaml").write_text("names: [cup, dog]\ntest: images\n", encoding="utf-16")
    with pytest.raises(DatasetError, match=r"data\.yaml: not UTF-8 text \(byte 0\); save it as UTF-8"):
        read_any(folder)


def test_read_yolo__a_line_that_stands_twice_is_one_object(tmp_path):
    dataset = read_any(lines(tmp_path, LABEL + "1" + LABEL[1:] + LABEL))
    assert len(dataset.annotations_of(1)) == 2
    assert "1 lines stand twice in their label; read once, as Ultralytics does" in dataset.notes


def test_read_yolo__a_label_of_two_pictures_is_told(tmp_path):
    """A mask beside its photo, as some tools leave it."""
    folder = lines(tmp_path, LABEL)
    shutil.copy(folder / "images" / "1.png", folder / "images" / "1.bmp")
    dataset = read_any(folder)
    told = "1 labels are of several pictures, as of 'images/1.bmp' and 'images/1.png': their objects are read for each"
    assert told in dataset.notes
    assert len(dataset.images) == 3


def test_read_yolo__a_detectors_confidence(tmp_path):
    folder = lines(tmp_path, f"{LABEL.strip()} 0.93\n")
    with pytest.raises(DatasetError, match="has 9 coordinates"):
        read_any(folder)
    assert read_any(folder, on_problem="repair").repairs == (
        "label of images/1.png, line 1: the last of 9 numbers read as a detector's confidence",
    )


def test_find_yolo__classes_txt_without_labels_is_another_tools(tmp_path):
    (tmp_path / "classes.txt").write_text("cup\n")
    (tmp_path / "notes.txt").write_text("12 cups and 4 dogs\n")
    assert find_yolo(tmp_path) is None


def test_read_yolo__turned_boxes_are_told_keypoints_refused(tmp_path):
    folder = lines(tmp_path, "0 0.1 0.1 0.5 0.2 0.4 0.6 0.1 0.5\n")
    (folder / "labels" / "2.txt").write_text("")
    assert any("turned boxes of YOLO-OBB" in note for note in read_any(folder).notes)
    (folder / "data.yaml").write_text(f"{(folder / 'data.yaml').read_text()}\nkpt_shape: [17, 3]\n")
    with pytest.raises(DatasetError, match="YOLO-pose"):
        read_any(folder)
