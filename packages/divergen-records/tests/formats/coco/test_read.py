import json
import re

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.coco import ImageInfo, read_dataset
from divergen_records.masks import encode_rle


def test_read_dataset__sound_file(content, write):
    path = write(content)
    dataset = read_dataset(path, image_dir=path.parent / "images")
    assert dataset.images[0] == ImageInfo(id=1, width=10, height=8, file_name="a.png", neg_category_ids=(2,))
    assert dataset.images[1].not_exhaustive_category_ids == (1,)
    assert [annotation.id for annotation in dataset.annotations_of(2)] == [2, 3]
    assert dataset.annotations_of(77) == []
    assert dataset.annotations[0].bbox == (2, 1, 4, 4)
    assert dataset.annotations[0].segmentation == content["annotations"][0]["segmentation"]
    assert dataset.annotations[0].iscrowd is False
    assert dataset.annotations[2].iscrowd is True
    assert dataset.annotations[2].segmentation == {"size": [8, 10], "counts": [8, 8, 64]}
    assert dataset.category(1).definition == "a drinking vessel"
    assert dataset.category(1).synonyms == ("cup", "mug")
    assert dataset.problems == ()
    assert dataset.image_path(dataset.images[0]) == path.parent / "images" / "a.png"
    assert "2 images, 3 annotations, 2 categories" in repr(dataset)


def test_read_dataset__counts_where_the_file_has_none(content, write):
    content["categories"][1] |= {"frequency": "f", "image_count": 500, "instance_count": 900}
    first, second = read_dataset(write(content)).categories
    assert (first.frequency, first.image_count, first.instance_count) == ("r", 2, 2)
    assert (second.frequency, second.image_count, second.instance_count) == ("f", 500, 900)


@pytest.mark.parametrize(("count", "frequency"), [(0, "r"), (10, "r"), (11, "c"), (100, "c"), (101, "f")])
def test_read_dataset__frequency_from_the_count(content, write, count, frequency):
    content["categories"][0]["image_count"] = count
    assert read_dataset(write(content)).category(1).frequency == frequency


@pytest.mark.parametrize(
    ("written", "frequency", "told"),
    [("Common", "c", 0), ("F", "f", 0), (None, "r", 0), (900, "r", 1), ("low", "r", 1)],
)
def test_read_dataset__frequency_in_other_words(content, write, written, frequency, told):
    content["categories"][0]["frequency"] = written
    dataset = read_dataset(write(content))
    assert dataset.category(1).frequency == frequency
    assert len([note for note in dataset.notes if "the frequency of 1 categories" in note]) == told


def test_read_dataset__panoptic(content, write):
    content["annotations"] = [{"image_id": 1, "file_name": "a.png", "segments_info": []}]
    with pytest.raises(DatasetError, match="is COCO's panoptic form; convert it by panopticapi"):
        read_dataset(write(content))


def test_read_dataset__no_instances(content, write):
    content["annotations"] = []
    category = read_dataset(write(content)).category(1)
    assert (category.frequency, category.image_count) == ("r", 0)


def test_read_dataset__unknown_keys_are_allowed(content, write):
    content["videos"] = [1]
    for key in ("images", "annotations", "categories"):
        content[key][0]["extra"] = {"a": [None]}
    assert not read_dataset(write(content)).problems


def test_read_dataset__box_and_area_are_measured_where_missing(content, write):
    for annotation in content["annotations"]:
        del annotation["bbox"], annotation["area"]
    boxes = [(one.bbox, one.area) for one in read_dataset(write(content)).annotations]
    assert boxes == [((2, 1, 4, 4), 16), ((2, 1, 4, 4), 16), ((1, 0, 1, 8), 8)]


@pytest.mark.parametrize(("folder", "name"), [("images/train2017", "train2017/a.png"), ("images", "a.png")])
def test_read_dataset__name_from_coco_url(content, write, folder, name):
    for image in content["images"]:
        image["coco_url"] = f"http://images.example.org/train2017/{image.pop('file_name')}"
    path = write(content)
    if folder != "images":
        (path.parent / folder).mkdir()
        for picture in (path.parent / "images").glob("*.png"):
            picture.rename(path.parent / folder / picture.name)
    assert read_dataset(path, image_dir=path.parent / "images").images[0].file_name == name
    assert read_dataset(path).images[0].file_name == name


def test_read_dataset__default_folder_is_the_files_own(content, write, tmp_path):
    path = write(content)
    moved = path.rename(tmp_path / "annotations.json")
    (path.parent / "images").rename(path.parent / ".images")
    assert read_dataset(moved).image_dir == tmp_path


def test_read_dataset__truncated(content, write):
    path = write(content)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match=r"annotations\.json: not valid JSON .*cut off"):
        read_dataset(path)


@pytest.mark.parametrize("text", [b"", b"{]", b'{"images": [{"id": "\xff\xfe"}]}', b"\xff\xd8\xff"])
def test_read_dataset__not_json(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_bytes(text)
    with pytest.raises(DatasetError, match=r"x\.json: "):
        read_dataset(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "Expected `object`, got `array`"),
        ({"images": [], "annotations": []}, "missing required field `categories`"),
        ({"images": {}, "annotations": [], "categories": []}, r"Expected `array`, got `object` - at `\$.images`"),
    ],
)
def test_read_dataset__not_a_dataset(write, content, message):
    with pytest.raises(DatasetError, match=message + ".*the keys images, annotations and categories"):
        read_dataset(write(content))


def test_read_dataset__no_file(tmp_path):
    with pytest.raises(DatasetError, match="there is no such file"):
        read_dataset(tmp_path / "gone.json")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_dataset(tmp_path)


RLE = encode_rle(np.eye(8, 10))
BAD = [
    ("images", {"id": "1"}, r"images\[1\].id: Expected `int`, got `str`"),
    ("images", {"width": 0}, r"images\[1\]: image 2 is 0 wide and 8 high; it has no pixels"),
    ("images", {"width": 2**40}, "image 2 is 1099511627776 wide and 8 high; run-length codes count to"),
    ("images", {"id": 1}, r"images\[1\].id: the id 1 was there before"),
    ("images", {"file_name": "/etc/passwd"}, "leaves the folder of images"),
    ("images", {"file_name": "x/../../b.png"}, "leaves the folder of images"),
    ("images", {"file_name": "..\\b.png"}, "leaves the folder of images"),
    ("images", {"file_name": "C:\\b.png"}, "leaves the folder of images"),
    ("images", {"file_name": "b.png\0"}, "leaves the folder of images"),
    ("images", {"file_name": "."}, "file_name is empty"),
    ("images", {"file_name": "././"}, "file_name is empty"),
    ("images", {"file_name": ""}, "neither file_name nor coco_url"),
    ("images", {"file_name": "", "coco_url": "http://x/../.."}, "leaves the folder of images"),
    ("images", {"file_name": "", "coco_url": "http://x/%2e%2e/b.png"}, "leaves the folder of images"),
    ("images", {"file_name": "gone.png"}, r"images \(id 2\): file_name 'gone.png' is not in the folder"),
    ("annotations", {"bbox": [1, 2, 3]}, r"annotations\[1\].bbox: Expected `array` of length 4"),
    ("annotations", {"bbox": [1, 2, 3, "4"]}, r"annotations\[1\].bbox\[3\]: Expected `float`, got `str`"),
    ("annotations", {"id": 1}, r"annotations\[1\].id: the id 1 was there before"),
    ("annotations", {"image_id": 9}, r"annotations\[1\].image_id: annotation 2: 9 names no sound image"),
    ("annotations", {"category_id": 9}, r"annotations\[1\].category_id: annotation 2: 9 names no sound category"),
    ("annotations", {"segmentation": None}, r"annotations\[1\].segmentation: annotation 2: there is none"),
    ("annotations", {"segmentation": []}, "annotation 2: .*neither polygons nor an RLE"),
    ("annotations", {"segmentation": [[1, 2, 3, 4, 5]]}, "odd number of coordinates"),
    ("annotations", {"segmentation": [[1, 2, 3, 4]]}, "three are the least"),
    (
        "annotations",
        {"segmentation": [[1, 2, 3, 4, 5, 90]]},
        "outside the picture: .* y 2 to 90, .* 10 wide and 8 high",
    ),
    (
        "annotations",
        {"segmentation": [[1, 2, 3, "4", 5, 6]]},
        r"annotations\[1\].segmentation\[0\]\[3\]: .*Expected `float`, got `str`",
    ),
    (
        "annotations",
        {"segmentation": RLE | {"size": [10, 8]}},
        r"size \[10, 8\], its picture \[height, width\] = \[8, 10",
    ),
    ("annotations", {"segmentation": RLE | {"size": 3}}, "size is"),
    ("annotations", {"segmentation": RLE | {"counts": RLE["counts"][:-3]}}, "annotation 2: the RLE"),
    ("categories", {"name": ""}, r"categories\[1\]: category 2: name: "),
    ("categories", {"name": "  "}, r"categories\[1\]: category 2: name: "),
    ("categories", {"id": 1}, r"categories\[1\].id: the id 1 was there before"),
]


@pytest.mark.parametrize(("key", "change", "message"), BAD)
def test_read_dataset__bad_item(content, write, key, change, message):
    content[key][1] |= change
    path = write(content)
    with pytest.raises(DatasetError, match=r"annotations.json: \d problems?:(.|\n)*" + message + "(.|\n)*--on-problem"):
        read_dataset(path, image_dir=path.parent / "images")


@pytest.mark.parametrize(("key", "change", "message"), BAD)
def test_read_dataset__bad_item_is_skipped(content, write, key, change, message):
    content[key][1] |= change
    path = write(content)
    dataset = read_dataset(path, image_dir=path.parent / "images", on_problem="skip")
    assert any(re.search(message, problem) for problem in dataset.problems)
    assert len(getattr(dataset, key)) == len(content[key]) - 1
    images, categories = {image.id for image in dataset.images}, {category.id for category in dataset.categories}
    assert all(one.image_id in images and one.category_id in categories for one in dataset.annotations)


def test_read_dataset__the_same_problem_is_said_once_and_all_are_counted(content, write):
    content["annotations"] = [{"id": key} for key in range(25)]
    with pytest.raises(DatasetError, match="25 problems") as caught:
        read_dataset(write(content))
    assert str(caught.value).count("missing required field") == 1
    assert "and 24 more alike: annotations[1], annotations[2]" in str(caught.value)


def test_read_dataset__missing_folder_of_images(content, write, tmp_path):
    with pytest.raises(DatasetError, match="there is no such folder of images"):
        read_dataset(write(content), image_dir=tmp_path / "gone")


def test_read_dataset__link_out_of_the_folder(content, write, tmp_path):
    path = write(content)
    picture = path.parent / "images" / "b.png"
    outside = picture.rename(tmp_path / "outside.png")
    picture.symlink_to(outside)
    with pytest.raises(DatasetError, match=r"'b\.png' is a link that leaves the folder"):
        read_dataset(path, image_dir=path.parent / "images")
    dataset = read_dataset(path)
    with pytest.raises(DatasetError, match="is a link that leaves the folder"):
        dataset.image_path(dataset.images[1])


def test_read_dataset__link_inside_and_linked_folder_are_fine(content, write, tmp_path):
    path = write(content)
    images = path.parent / "images"
    (images / "b.png").unlink()
    (images / "b.png").symlink_to("a.png")
    (tmp_path / "elsewhere").symlink_to(images)
    dataset = read_dataset(path, image_dir=tmp_path / "elsewhere")
    assert not dataset.problems
    assert dataset.image_path(dataset.images[1]).is_file()


def test_read_dataset__linked_subfolder_out_of_the_folder(content, write, tmp_path):
    path = write(content)
    images = path.parent / "images"
    (tmp_path / "outside").mkdir()
    (images / "b.png").rename(tmp_path / "outside" / "b.png")
    (images / "sub").symlink_to(tmp_path / "outside")
    content["images"][1]["file_name"] = "sub/b.png"
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="is a link that leaves the folder"):
        read_dataset(path, image_dir=images)


def test_read_dataset__real(coco100):
    dataset = read_dataset(coco100 / "annotations.json", image_dir=coco100 / "images")
    assert (len(dataset.images), len(dataset.annotations), len(dataset.categories)) == (100, 738, 80)
    assert sorted(category.frequency for category in dataset.categories) == ["c"] + ["r"] * 79


@pytest.mark.parametrize("change", [{"width": None}, {"height": 0}, {"width": 0, "height": 0.0}, {"width": -1}])
def test_read_dataset__a_missing_size_is_the_pictures(content, write, change):
    content["images"][0] |= change
    path = write(content)
    with pytest.raises(DatasetError, match=r"images\[0\].*\(repair: width .* its picture's size is taken"):
        read_dataset(path)
    dataset = read_dataset(path, on_problem="repair")
    assert (dataset.images[0].width, dataset.images[0].height) == (10, 8)
    assert len(dataset.annotations) == 3
    assert len(dataset.repairs) == 1
    (path.parent / "images" / content["images"][0]["file_name"]).unlink()
    lost = read_dataset(path, on_problem="repair")
    assert "images (id 1): the file gives no size, and its picture gives none" in "\n".join(lost.problems)
    assert len(lost.images) == 1


def test_read_dataset__pictures_elsewhere_are_one_sentence(content, write):
    path = write(content)
    for picture in (path.parent / "images").iterdir():
        picture.unlink()
    with pytest.raises(
        DatasetError, match=r"2 of 2 pictures are not in the folder \S+images, the first 'a\.png'"
    ) as error:
        read_dataset(path, need_pictures=True)
    assert "\n" not in str(error.value)
    assert "--images" in str(error.value)
    assert read_dataset(path, need_pictures=True, on_problem="skip").images == []
