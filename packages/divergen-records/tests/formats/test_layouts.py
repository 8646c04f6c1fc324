import json
import shutil

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.data_options import open_dataset
from divergen_records.formats import read_any
from divergen_records.formats.layouts import find_layout
from divergen_records.testing import small_dataset
from PIL import Image


@pytest.fixture
def source(tmp_path):
    """A folder with ``annotations.json`` and ``images``."""
    small_dataset(tmp_path / "source")
    return tmp_path / "source"


def lay_out(source, folder, files, pictures):
    """Put copies of the file and of the pictures where a tool puts them."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / "annotations.json", folder / name)
    for name in pictures:
        shutil.copytree(source / "images", folder / name, dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize(
    ("files", "pictures", "splits"),
    [
        (["annotations.json"], ["images"], {"train"}),
        (["result.json"], ["images"], {"train"}),
        (["_annotations.coco.json"], ["."], {"train"}),
        (["labels.json"], ["data"], {"train"}),
        (["annotations.json"], ["JPEGImages"], {"train"}),
        (["annotations/instances_default.json"], ["images"], {"train"}),
        (["annotations/instances_default.json"], ["images/default"], {"train"}),
        (["train.json", "val.json"], ["."], {"train", "val"}),
        (["train.json", "val.json"], ["images"], {"train", "val"}),
        ([f"{split}/_annotations.coco.json" for split in ("train", "valid", "test")], ["train", "valid", "test"],
         {"train", "val", "test"}),
        (["annotations/instances_train2017.json", "annotations/instances_val2017.json",
          "annotations/captions_train2017.json", "annotations/person_keypoints_train2017.json"],
         ["train2017", "val2017"], {"train", "val"}),
        (["annotations/lvis_v1_train.json", "annotations/lvis_v1_val.json"], ["train2017", "val2017"],
         {"train", "val"}),
        (["lvis_v1_train.json", "lvis_v1_val.json"], ["train2017", "val2017"], {"train", "val"}),
    ],
)  # fmt: skip
def test_find_layout__of_the_common_tools(source, tmp_path, files, pictures, splits):
    folder = lay_out(source, tmp_path / "data", files, pictures)
    if "lvis" in files[0]:  # names are the addresses'
        for name in files:
            content = json.loads((folder / name).read_text())
            for image in content["images"]:
                split = "val2017" if "val" in name else "train2017"
                image["coco_url"] = f"http://images.cocodataset.org/{split}/{image.pop('file_name')}"
            (folder / name).write_text(json.dumps(content))
    found = find_layout(folder)
    assert set(found.splits) == splits
    for part in found.splits.values():
        dataset = open_dataset(part.path, part.images)
        assert len(dataset.images) == 2
        assert all(dataset.image_path(image).is_file() for image in dataset.images)


def test_find_layout__a_file_of_any_name(source, tmp_path):
    folder = lay_out(source, tmp_path / "data", ["a.json", "b.json"], ["images"])
    assert find_layout(folder / "b.json").splits["train"].path == folder / "b.json"
    with pytest.raises(DatasetError, match=r"several files could be the train data \(a.json, b.json\); name one"):
        find_layout(folder)


@pytest.mark.parametrize("names", [[], ["notes.txt"], ["x.json"]])
def test_find_layout__nothing(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text('{"type": "FeatureCollection"}')
    with pytest.raises(DatasetError, match=r"annotations\.json.* does not exist"):
        find_layout(tmp_path)


def test_find_layout__several_splits_are_not_one_data_set(source, tmp_path):
    folder = lay_out(source, tmp_path / "data", ["train/x.json", "valid/x.json"], ["train", "valid"])
    with pytest.raises(DatasetError, match="holds 2 splits"):
        read_any(folder)


def test_find_layout__a_linked_folder_of_pictures(source, tmp_path):
    """The user's own link to where the pictures are."""
    folder = lay_out(source, tmp_path / "data", ["train.json"], [])
    content = json.loads((folder / "train.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"images/{image['file_name']}"
    (folder / "train.json").write_text(json.dumps(content))
    (folder / "images").symlink_to(source / "images")
    dataset = open_dataset(folder)
    assert dataset.image_dir == folder / "images"
    assert all(dataset.image_path(image).is_file() for image in dataset.images)


@pytest.mark.parametrize("prefix", ["images/", "images\\", "./", ".\\images\\", "./images/"])
def test_read__names_with_a_prefix(source, prefix):
    content = json.loads((source / "annotations.json").read_text())
    for image in content["images"]:
        image["file_name"] = prefix + image["file_name"]
    (source / "annotations.json").write_text(json.dumps(content))
    dataset = read_any(source)
    assert [image.file_name for image in dataset.images] == ["1.png", "2.png"]


def test_find_layout__yolo_of_roboflow(tmp_path):
    """Its paths are relative to a folder that is not there; nothing above the folder is looked at."""
    for split in ("train", "valid"):
        (tmp_path / "data" / split / "images").mkdir(parents=True)
        (tmp_path / "data" / split / "labels").mkdir()
        pixels = np.zeros((20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / split / "images" / "a_jpg.rf.1.jpg")
        (tmp_path / "data" / split / "labels" / "a_jpg.rf.1.txt").write_text("1 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n")
    yaml = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\nnames: ['cat', 'dog']\n"
    (tmp_path / "data" / "data.yaml").write_text(yaml)
    found = find_layout(tmp_path / "data")
    assert set(found.splits) == {"train", "val"}
    dataset = open_dataset(found.splits["train"].path, found.splits["train"].images)
    assert [(image.width, image.height, image.file_name) for image in dataset.images] == [(30, 20, "a_jpg.rf.1.jpg")]
    assert dataset.category(dataset.annotations[0].category_id).name == "dog"
    assert dataset.measure(dataset.annotations[0]) == ((3.0, 2.0, 24.0, 16.0), 384)


@pytest.mark.parametrize(
    ("file", "pictures", "place"),
    [
        ("annotations/instances_Train.json", "images/Train", "images/Train"),
        ("annotations/instances_Train.json", "images/train", "images/train"),
        ("annotations/instances_batch 1.json", "images/batch 1", "images/batch 1"),
        ("annotations/instances_default.json", "photos/day", "photos/day"),
        ("annotations/instances_default.json", "images/cam", "images/cam"),
        ("export.json", "pictures", "pictures"),
        ("task_1/annotations/instances_default.json", "task_1/images/default", "task_1/images/default"),
        ("set.v1.coco-segmentation/train/_annotations.coco.json", "set.v1.coco-segmentation/train", None),
    ],
)
def test_find_layout__pictures_wherever_they_are(source, tmp_path, file, pictures, place):
    folder = lay_out(source, tmp_path / "data", [file], [pictures])
    (part,) = find_layout(folder).splits.values()
    dataset = open_dataset(part.path, part.images, need_pictures=True)
    assert dataset.image_dir == folder / (place or pictures)
    assert [image.file_name for image in dataset.images] == ["1.png", "2.png"]
    assert any(str(dataset.image_dir) in note for note in dataset.notes)
    assert len(read_any(folder).images) == 2


def test_find_layout__several_folders_inside_are_named(source, tmp_path):
    lay_out(source, tmp_path / "data", ["a/annotations.json", "b/annotations.json"], ["a/images", "b/images"])
    with pytest.raises(DatasetError, match=r"2 folders in it hold data \(a, b\); give one of them"):
        find_layout(tmp_path / "data")


def test_read__names_without_the_folders_that_the_pictures_are_in(source):
    images = source / "images"
    for number in (1, 2):
        (images / f"cam{number}").mkdir()
        (images / f"{number}.png").rename(images / f"cam{number}" / f"{number}.png")
    dataset = read_any(source, need_pictures=True)
    assert [image.file_name for image in dataset.images] == ["cam1/1.png", "cam2/2.png"]
    assert "2 pictures were looked for by name and found in" in dataset.notes[0]


def test_read__a_picture_that_is_there_twice_is_refused(source):
    for name in ("a", "b"):
        shutil.copytree(source / "images", source / "photos" / name)
    shutil.rmtree(source / "images")
    with pytest.raises(DatasetError, match=r"there more than once, the first '1.png': photos/a/1.png, photos/b/1.png"):
        read_any(source)


def test_read__pictures_of_another_split_are_not_taken(source, tmp_path):
    folder = lay_out(source, tmp_path / "data", ["annotations/instances_train.json"], ["images/val"])
    with pytest.raises(DatasetError, match="2 of 2 pictures are not in the folder"):
        read_any(folder, need_pictures=True)


@pytest.mark.parametrize(
    "prefix", ["/data/upload/3/", "../../media/upload/3/", "C:\\photos\\", "/data/local-files/?d=x/", "ab12cd34-"]
)
def test_read__names_of_another_machine(source, prefix):
    content = json.loads((source / "annotations.json").read_text())
    for image in content["images"]:
        image["file_name"] = prefix + image["file_name"]
    (source / "annotations.json").write_text(json.dumps(content))
    dataset = read_any(source, need_pictures=True)
    assert [image.file_name for image in dataset.images] == ["1.png", "2.png"]
    assert any(repr(prefix + "1.png") in note for note in dataset.notes)


@pytest.mark.parametrize("names", [("/x/1.png", "2.png"), ("/x/1.png", "/y/1.png"), ("/x/..", "/y/..")])
def test_read__names_of_another_machine_that_are_not_clear_are_refused(source, names):
    content = json.loads((source / "annotations.json").read_text())
    for image, name in zip(content["images"], names, strict=True):
        image["file_name"] = name
    (source / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="leaves the folder of images"):
        read_any(source)


@pytest.fixture
def exported(tmp_path):
    """YOLO's train, valid and test (2, 1 and 1 pictures) in Roboflow's folders, and the same as COCO files."""
    folder = tmp_path / "export"
    for part, count in (("train", 2), ("valid", 1), ("test", 1)):
        for kind in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (40, 30)).save(folder / part / "images" / f"{part}{number}.png")
            (folder / part / "labels" / f"{part}{number}.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    (folder / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\nnames: ['cup']\n"
    )
    return folder


def names(dataset):
    return sorted(image.file_name for image in dataset.images)


@pytest.mark.parametrize("path", [".", "data.yaml"])
def test_split__of_a_description_that_names_several(exported, path):
    assert names(read_any(exported / path, split="train")) == ["train0.png", "train1.png"]
    found = read_any(exported / path, split="val")
    assert names(found) == ["valid0.png"]
    assert found.notes[0].endswith(f"val is read, {exported / 'valid' / 'images'}; not train, test")
    assert len(read_any(exported / path).images) == 4


@pytest.mark.parametrize("path", ["valid", "valid/images"])
def test_split__by_its_own_folder(exported, path):
    assert names(read_any(exported / path)) == ["valid0.png"]
    assert names(read_any(exported / path, split="train")) == ["valid0.png"]
    source = find_layout(exported / path).splits["train"]
    assert names(read_any(source.path, image_dir=source.images)) == ["valid0.png"]


def test_split__of_coco_files(source, tmp_path):
    folder = lay_out(source, tmp_path / "data", ["annotations/instances_train.json", "annotations/instances_val.json"],
                     ["images/train", "images/val"])  # fmt: skip
    found = read_any(folder, split="val")
    assert found.path == folder / "annotations" / "instances_val.json"
    assert found.image_dir == folder / "images" / "val"
    with pytest.raises(DatasetError, match="holds train, val, no test; give the file or folder"):
        read_any(folder, split="test")
    assert read_any(found.path, split="test").path == found.path
