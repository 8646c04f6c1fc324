"""What annotation tools write that COCO's own files do not: read, mended where asked, or named."""

import gzip
import json
import math

import pytest
from divergen_records import DatasetError
from divergen_records.coco import read_dataset, write_dataset

BOX = [2, 1, 4, 4]


def change(content, changes):
    """Set values by their dotted paths; None as a key's value removes nothing, it is a value."""
    for path, value in changes.items():
        *above, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        node = content
        for part in above:
            node = node[part]
        node[last] = value
    return content


INDIFFERENT = {
    "CVAT: date_captured 0, attributes": {"images.0.date_captured": 0, "annotations.0.attributes": {"occluded": False}},
    "FiftyOne: nulls": {"images.0.license": None, "images.0.coco_url": None, "annotations.0.iscrowd": None},
    "TACO: text licence": {"images.0.license": "1", "images.0.flickr_url": None, "images.0.coco_url": ["x"]},
    "labelme: null dates": {"images.0.date_captured": None, "info": None, "licenses": None},
    "odd info": {"info": "made by hand", "licenses": {"id": 1}},
    "COCO-annotator": {"images.0.path": "/datasets/a.png", "images.0.deleted": False, "annotations.0.color": "#fff",
                       "categories.0.keypoint_colors": [], "annotations.0.metadata": {}},
    "keypoints": {"categories.0.keypoints": ["nose"], "categories.0.skeleton": [[1, 2]],
                  "annotations.0.keypoints": [1, 2, 2], "annotations.0.num_keypoints": 1},
    "sizes as floats": {"images.0.width": 10.0, "images.0.height": 8.0, "annotations.0.image_id": 1.0},
    "null lists": {"images.0.neg_category_ids": None, "images.0.not_exhaustive_category_ids": None,
                   "categories.0.synonyms": None, "categories.0.frequency": "", "categories.0.image_count": None},
    "odd texts of a category": {"categories.0.synset": 5, "categories.0.def": [], "categories.0.synonyms": "cup"},
    "no box, no area": {"annotations.0.bbox": None, "annotations.0.area": None},
    "empty box": {"annotations.0.bbox": [], "annotations.0.area": -1},
}  # fmt: skip


@pytest.mark.parametrize("changes", INDIFFERENT.values(), ids=INDIFFERENT)
def test_read__indifferent_to_what_is_not_computed_with(content, write, changes, tmp_path):
    path = write(change(content, changes))
    dataset = read_dataset(path)
    assert (len(dataset.images), len(dataset.annotations), len(dataset.categories)) == (2, 3, 2)
    assert not (dataset.problems or dataset.repairs or dataset.notes)
    assert dataset.annotations[0].bbox == tuple(BOX)
    again = json.loads(write_dataset(dataset, tmp_path / "x.json", style="coco").read_text())
    for name in ("images", "annotations", "categories"):
        assert all(before.keys() <= after.keys() for before, after in zip(content[name], again[name], strict=True))
    assert not content.get("info") or again["info"] in (content["info"], {"description": content["info"]})


MENDED = {
    "VIA: a flat polygon": ({"annotations.0.segmentation": [2, 1, 6, 1, 6, 5, 2, 5]}, "a flat polygon"),
    "ids as text": ({"annotations.0.image_id": "1", "annotations.0.category_id": "1"}, "image_id '1' read as 1"),
    "Label Studio: an id of letters": ({"images.0.id": "a9", "annotations.0.image_id": "a9"}, "id 'a9' read as"),
    "size as text": ({"images.0.width": "10"}, "width '10' read as 10"),
    "name as a number": ({"categories.0.name": 7}, "name 7 read as text"),
    "points in lists": ({"annotations.0.segmentation": [[[2, 1], [6, 1], [6, 5], [2, 5]]]}, "points [x, y]"),
    "points in one list": ({"annotations.0.segmentation": [[2, 1], [6, 1], [6, 5], [2, 5]]}, "points [x, y]"),
    "coordinates as text": ({"annotations.0.segmentation": [["2", "1", "6", "1", "6", "5", "2", "5"]]}, "as text"),
    "an RLE of swapped size": ({"annotations.0.segmentation": {"size": [10, 8], "counts": [8, 8, 64]}}, "size [10, 8]"),
    "a box of text": ({"annotations.0.bbox": ["2", 1, 4, 4]}, "bbox written as text"),
    "an area of text": ({"annotations.0.area": "16"}, "area from the mask"),
    "crowd as text": ({"annotations.0.iscrowd": "0"}, "iscrowd '0' read as 0"),
    "an id beyond 64 bits": ({"annotations.0.id": 2**70}, "beyond any id"),
    "an id twice": ({"annotations.1.id": 1}, "the id 1 was there before; numbered 4"),
    "no id": ({"annotations.0.id": None}, "has no id"),
    "a polygon outside": ({"annotations.0.segmentation": [[-5, 1, 6, 1, 6, 5, -5, 5]]}, "left by 5 px"),
    "a path of another machine": ({"images.0.file_name": "C:\\Users\\me\\a.png"}, "read as 'a.png'"),
    "an absolute path": ({"images.0.file_name": "/data/set/a.png"}, "read as 'a.png'"),
    "a category by its name": ({"annotations.0.category_id": "cup"}, "category_id 'cup' read as"),
    "polygons one list deeper": ({"annotations.0.segmentation": [[[2, 1, 6, 1, 6, 5, 2, 5]]]}, "one list too deep"),
    "points as objects": (
        {"annotations.0.segmentation": [[{"x": 2, "y": 1}, {"x": 6, "y": 1}, {"x": 6, "y": 5}]]},
        "read as one list",
    ),
    "JSON in a text": ({"annotations.0.segmentation": "[[2, 1, 6, 1, 6, 5, 2, 5]]"}, "read as JSON"),
    "an RLE in a list": ({"annotations.0.segmentation": [{"size": [8, 10], "counts": [17, 4, 59]}]}, "the RLE"),
    "an RLE without size": ({"annotations.0.segmentation": {"counts": [17, 4, 59]}}, "size None read as [8, 10]"),
    "an RLE's size as floats": ({"annotations.0.segmentation": {"size": [8.0, 10.0], "counts": [17, 4, 59]}}, "size"),
    "an RLE's counts as floats": (
        {"annotations.0.segmentation": {"size": [8, 10], "counts": [17.0, 4.0, 59.0]}},
        "counts",
    ),
    "an RLE's counts in a text": ({"annotations.0.segmentation": {"size": [8, 10], "counts": "17 4 59"}}, "counts"),
    "an RLE's counts as Python's bytes": (
        {"annotations.0.segmentation": {"size": [8, 10], "counts": "b'a04k1'"}},
        "counts",
    ),
    "an unsound part": ({"annotations.0.segmentation": [[2, 1, 6, 1, 6, 5], [1, 2, 3, 4, 5, 6, 7]]}, "odd number"),
    "a null part": ({"annotations.0.segmentation": [[2, 1, 6, 1, 6, 5], None]}, "left out a part"),
    "polygons two lists deeper": ({"annotations.0.segmentation": [[[[2, 1, 6, 1, 6, 5, 2, 5]]]]}, "too deep"),
    "an RLE's size as text": ({"annotations.0.segmentation": {"size": ["8", "10"], "counts": "a04k1"}}, "size ['8'"),
    "an RLE's code as a list of bytes": (
        {"annotations.0.segmentation": {"size": [8, 10], "counts": [*b"a04k1"]}},
        "counts",
    ),
    "an RLE's code with a line's end": (
        {"annotations.0.segmentation": {"size": [8, 10], "counts": "a04k1\n"}},
        "counts",
    ),
    "RLEs of the parts": (
        {"annotations.0.segmentation": [{"size": [8, 10], "counts": [17, 4, 59]}, {"counts": [25, 4, 51]}]},
        "2 RLEs read as their union",
    ),
    "crowd as a word": ({"annotations.0.iscrowd": "False"}, "iscrowd 'False' read as 0"),
    "crowd as an empty text": ({"annotations.0.iscrowd": ""}, "iscrowd '' read as 0"),
    "a box in a text": ({"annotations.0.bbox": "[2, 1, 4, 4]"}, "bbox written as text"),
    "a box in a list": ({"annotations.0.bbox": [[2, 1, 4, 4]]}, "out of a list"),
    "a box beyond any picture": ({"annotations.0.bbox": [2, 1, 4, 1e300]}, "bbox from the mask"),
    "an id that is none": ({"annotations.0.id": True}, "id True is none, numbered 4"),
    "an id of 64 bits without sign": (
        {"images.0.id": 2**64 - 1, "annotations.0.image_id": 2**64 - 1},
        f"image_id '{2**64 - 1}' read as 3",
    ),
    "an image by its file": ({"annotations.0.image_id": "a.png"}, "image_id 'a.png' read as 1"),
    "an image by its file without ending": ({"annotations.0.image_id": "a"}, "image_id 'a' read as 1"),
    "a category by another key": (
        {"annotations.0.category_id": None, "annotations.0.category_name": "cup"},
        "category_name 'cup' read as 1",
    ),
    "sizes as empty texts": ({"images.0.width": "", "images.0.height": ""}, "picture's size is taken"),
    "a null among negatives": ({"images.0.neg_category_ids": [2, None]}, "neg_category_ids without 1"),
}


@pytest.mark.parametrize(("changes", "words"), MENDED.values(), ids=MENDED)
def test_read__mended_on_the_users_word(content, write, changes, words):
    path = write(change(content, changes))
    with pytest.raises(DatasetError, match="--on-problem repair"):
        read_dataset(path)
    skipped = read_dataset(path, on_problem="skip")
    assert skipped.problems
    dataset = read_dataset(path, on_problem="repair")
    assert (len(dataset.images), len(dataset.annotations), len(dataset.categories)) == (2, 3, 2)
    assert any(words in line for line in dataset.repairs)
    assert all(dataset.measure(annotation)[1] for annotation in dataset.annotations)


def test_read__nan_for_a_number_is_mended(content, write):
    """As pandas writes what a table lacks."""
    change(content, {"annotations.0.id": math.nan, "annotations.0.iscrowd": math.nan, "images.0.width": math.nan,
                     "images.0.height": math.nan, "images.0.neg_category_ids": [2, math.nan]})  # fmt: skip
    dataset = read_dataset(write(content), on_problem="repair")
    assert not dataset.problems
    assert (dataset.images[0].width, dataset.images[0].neg_category_ids) == (10, (2,))
    assert (dataset.annotations[0].id, dataset.annotations[0].iscrowd) == (4, False)


@pytest.mark.parametrize("more", [{}, {"path": "/data/day1/1.png"}])
@pytest.mark.parametrize("root", ["/data/", "D:\\set\\", "../../"])
def test_read__paths_of_another_machine_that_end_alike(content, write, root, more):
    change(content, {"images.0.file_name": f"{root}day1/1.png", "images.1.file_name": f"{root}day2/1.png"})
    content["images"][0] |= more
    path = write(content)
    for old, new in (("a.png", "day1"), ("b.png", "day2")):
        (path.parent / "images" / new).mkdir()
        (path.parent / "images" / old).rename(path.parent / "images" / new / "1.png")
    with pytest.raises(DatasetError, match=r"leaves the folder of images.*read as 'day1/1\.png'"):
        read_dataset(path)
    dataset = read_dataset(path, need_pictures=True, on_problem="repair")
    assert [image.file_name for image in dataset.images] == ["day1/1.png", "day2/1.png"]
    assert not dataset.problems


def test_read__names_that_end_alike_are_not_one_picture(content, write):
    path = write(change(content, {"images.0.file_name": "day1/a.png", "images.1.file_name": "day2/a.png"}))
    assert read_dataset(path, need_pictures=True, on_problem="skip").images == []


def test_read__a_path_that_ends_as_another_name_is_no_mend(content, write):
    """Else two images would have one picture."""
    dataset = read_dataset(write(change(content, {"images.0.file_name": "/data/b.png"})), on_problem="repair")
    assert [image.id for image in dataset.images] == [2]
    assert "images[0]: image 1: file_name '/data/b.png' is another machine's" in dataset.problems[0]
    assert not any("b.png" in mend for mend in dataset.repairs)


def test_read__a_file_name_that_is_a_number(content, write):
    path = write(change(content, {"images.0.file_name": 7}))
    (path.parent / "images" / "a.png").rename(path.parent / "images" / "7.png")
    assert read_dataset(path, on_problem="repair", need_pictures=True).images[0].file_name == "7.png"


@pytest.mark.parametrize("name", ["images", "categories"])
def test_read__the_same_row_again_is_no_loss(content, write, name):
    """Scripts write a picture's row for each of its objects."""
    content[name].append({**content[name][0], "more": 1})
    path = write(content)
    with pytest.raises(DatasetError, match=rf"{name}\[2\].id: the id 1 was there before.*\(repair: the same"):
        read_dataset(path)
    dataset = read_dataset(path, on_problem="repair")
    assert (len(dataset.images), len(dataset.annotations), len(dataset.categories)) == (2, 3, 2)
    assert not dataset.problems
    assert dataset.repairs[0].endswith("read once")


def test_read__the_same_object_again_is_read_once(content, write):
    """Files that were joined twice."""
    content["annotations"] += [dict(content["annotations"][0]), {**content["annotations"][1], "bbox": [2, 1, 3, 4]}]
    path = write(content)
    with pytest.raises(DatasetError, match=r"annotations\[3\].id: the id 1 was there before.*\(repair: .* read once\)"):
        read_dataset(path)
    dataset = read_dataset(path, on_problem="repair")
    assert [one.id for one in dataset.annotations] == [1, 2, 3, 4]
    assert dataset.repairs == (
        "annotations[3]: the id 1 was there before; the same object is read once",
        "annotations[4]: the id 2 was there before; numbered 4",
    )


@pytest.mark.parametrize(("name", "key"), [("images", "file_name"), ("categories", "name")])
def test_read__an_id_of_two_things_stays_a_problem(content, write, name, key):
    content[name].append({**content[name][0], key: "b.png"})
    (problem,) = read_dataset(write(content), on_problem="repair").problems
    assert problem.endswith("ids are unique, and what names it is taken as the first's")


def test_read__long_ids_as_text_keep_every_digit(content, write):
    ids = ("1234567890123456789", "1234567890123456790")
    for image, id_ in zip(content["images"], ids, strict=True):
        image["id"] = id_
    for annotation in content["annotations"]:
        annotation["image_id"] = int(ids[annotation["image_id"] - 1])
    dataset = read_dataset(write(content), on_problem="repair")
    assert not dataset.problems
    assert [image.id for image in dataset.images] == [int(id_) for id_ in ids]


@pytest.mark.parametrize("change", [{"annotations": None}, {}])
def test_read__pictures_without_annotations(content, write, change):
    """COCO's and LVIS's files of test pictures, to which results are brought."""
    content.pop("annotations")
    dataset = read_dataset(write({**content, **change}))
    assert (len(dataset.images), len(dataset.annotations)) == (2, 0)
    assert "has pictures and no list of annotations" in dataset.notes[0]


@pytest.mark.parametrize(
    "box",
    [
        {"x": 2, "y": 1, "width": 4, "height": "3"},
        {"x1": 2, "y1": 1, "x2": 6, "y2": 4},
        {"x_min": 2, "y_min": 1, "x_max": 6, "y_max": 4},
        {"Left": 2.0, "Top": 1.0, "Width": 4.0, "Height": 3.0},
    ],
)
def test_read__boxes_as_objects(content, write, box):
    content["annotations"][0] |= {"bbox": box, "segmentation": [], "area": None}
    dataset = read_dataset(write(content), on_problem="repair", boxes=True)
    assert dataset.annotations[0].bbox == (2, 1, 4, 3)
    assert "annotations[0]: bbox read as the " in dataset.repairs[-1]


@pytest.mark.parametrize("there", [True, False])
def test_read__annotations_inside_their_images(content, write, there):
    plain = read_dataset(write(content))
    rows = content.pop("annotations")
    content["annotations"] = [*rows] if there else []
    for image in content["images"]:
        own = (dict(one) for one in rows if one["image_id"] == image["id"])
        image["annotations"] = [one for one in own if one.pop("image_id")]
    dataset = read_dataset(write(content))
    assert dataset.annotations == plain.annotations
    assert f"3 annotations lie inside 2 images{'; not read' if there else ', and are read'}" in dataset.notes[0]
    if not there:
        assert dataset.images == plain.images


@pytest.mark.parametrize("indent", [None, 4])
def test_read__a_list_that_is_there_twice_is_refused(content, write, indent):
    path = write(content)
    text = json.dumps(content, indent=indent)
    path.write_text(text)
    assert len(read_dataset(path).annotations) == 3
    path.write_text(text[:-1] + ', "annotations": []}')
    with pytest.raises(DatasetError, match="has the list `annotations` twice"):
        read_dataset(path)


def test_read__half_a_character(content, write):
    r"""JavaScript cuts texts between the halves of an emoji; ``\\ud83d`` is a backslash and letters."""
    content["info"] = {"description": "HALF", "path": "\\ud83d", "whole": "\U0001f375"}
    path = write(content)
    path.write_text(json.dumps(content).replace("HALF", "tea \\ud83c"))
    dataset = read_dataset(path)
    assert dataset.info == {"description": "tea \ufffd", "path": "\\ud83d", "whole": "\U0001f375"}
    assert "halves of characters" in dataset.notes[0]


def test_read__text_of_another_encoding(content, write):
    path = write(change(content, {"info": "caf\u00e9"}))
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode("latin-1"))
    with pytest.raises(DatasetError, match="is no UTF-8; save the file as UTF-8"):
        read_dataset(path)


def test_read__an_empty_file(write):
    path = write({})
    path.write_text("\n")
    with pytest.raises(DatasetError, match=r"the file is empty \(1 bytes\)"):
        read_dataset(path)


def test_read__a_number_beyond_all(content, write):
    path = write(change(content, {"annotations.0.segmentation": [[1e308, 1, 6, 1, 6, 5]]}))
    assert len(read_dataset(path, on_problem="repair").problems) == 1


def test_read__names_of_one_meaning_are_told(content, write):
    change(content, {"categories.0.name": "bow (weapon)", "annotations.0.category_id": "bow_(weapon)"})
    dataset = read_dataset(write(content), on_problem="repair")
    assert "names of one meaning, 'bow (weapon)', 'bow_(weapon)' (ids 1, 2)" in dataset.notes[0]
    assert dataset.annotations[0].category_id == 2


@pytest.mark.parametrize(("count", "frequency"), [("12", "c"), (12.0, "c"), ("many", "r"), (-1, "r"), (math.nan, "r")])
def test_read__counts_in_other_words(content, write, count, frequency):
    path = write(change(content, {"categories.0.image_count": count}))
    assert read_dataset(path).category(1).frequency == frequency


def test_read__texts_that_are_one_number_stay_two_images(content, write):
    for image, id_ in zip(content["images"], ("01", "1"), strict=True):
        image["id"] = id_
    names = {1: "01", 2: "1"}
    for annotation in content["annotations"]:
        annotation["image_id"] = names[annotation["image_id"]]
    dataset = read_dataset(write(content), on_problem="repair")
    assert not dataset.problems
    assert [image.id for image in dataset.images] == [1, 2]
    before = [int(annotation["image_id"] == "1") + 1 for annotation in content["annotations"]]
    assert [annotation.image_id for annotation in dataset.annotations] == before


def test_read__a_text_gets_no_number_that_a_later_item_has(content, write):
    content["images"][0]["id"] = "a"
    content["images"][1]["id"] = 1
    for annotation in content["annotations"]:
        annotation["image_id"] = {1: "a", 2: 1}[annotation["image_id"]]
    dataset = read_dataset(write(content), on_problem="repair")
    assert [image.id for image in dataset.images] == [2, 1]
    assert not dataset.problems


def test_read__a_box_of_texts(content, write):
    content["annotations"][0] |= {"segmentation": [], "bbox": ["2", "1", "4", "4"]}
    assert read_dataset(write(content), on_problem="repair", boxes=True).annotations[0].bbox == (2, 1, 4, 4)


def test_read__clipped_box_and_area_are_the_masks(content, write):
    content["annotations"][0] |= {"segmentation": [[-5, 1, 6, 1, 6, 5, -5, 5]], "bbox": [-5, 1, 11, 4], "area": 44}
    annotation = read_dataset(write(content), on_problem="repair").annotations[0]
    assert (annotation.bbox, annotation.area) == ((0, 1, 6, 4), 24)


@pytest.mark.parametrize("segmentation", [[], None, [[]], {}, [[], []], [None]])
def test_read__a_box_alone(content, write, segmentation):
    content["annotations"][0]["segmentation"] = segmentation
    path = write(content)
    with pytest.raises(DatasetError, match="a box alone, and a mask is needed here"):
        read_dataset(path)
    dataset = read_dataset(path, boxes=True)
    assert [annotation.has_mask for annotation in dataset.annotations] == [False, True, True]
    assert dataset.annotations[0].bbox == tuple(BOX)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("key", ["area", "bbox", "extra"])
def test_read__nan_is_named(content, write, word, key):
    value = [2, 1, "WORD", 4] if key == "bbox" else "WORD"
    path = write(change(content, {f"annotations.0.{key}": value}))
    path.write_text(path.read_text().replace('"WORD"', word))
    if key == "extra":
        assert len(read_dataset(path).annotations) == 3
        return
    with pytest.raises(DatasetError, match=rf"annotations\[0\]\.{key}.*not a finite number .*from the mask") as caught:
        read_dataset(path)
    assert "damaged" not in str(caught.value)
    assert len(read_dataset(path, on_problem="skip").annotations) == 2
    assert read_dataset(path, on_problem="repair").annotations[0].area == 16


@pytest.mark.parametrize("encode", [gzip.compress, lambda data: b"\xef\xbb\xbf" + data,
                                    lambda data: data.decode().encode("utf-16")])  # fmt: skip
def test_read__compressed_or_with_a_byte_order_mark(content, write, encode):
    path = write(content)
    path.write_bytes(encode(path.read_bytes()))
    assert len(read_dataset(path).annotations) == 3


def test_read__root_category(content, write):
    content["categories"][0]["supercategory"] = content["categories"][1]["supercategory"] = "things"
    content["categories"].insert(0, {"id": 0, "name": "things", "supercategory": "none"})
    dataset = read_dataset(write(content))
    assert [category.id for category in dataset.root_categories] == [0]
    assert [category.id for category in dataset.class_categories] == [1, 2]
    assert "'things' (id 0) only heads the other categories" in dataset.notes[0]


def test_read__a_used_head_is_a_class(content, write):
    """COCO has a category ``person`` whose supercategory is ``person``."""
    content["categories"][0]["supercategory"] = "cup"
    content["categories"][1]["supercategory"] = "cup"
    assert read_dataset(write(content)).root_categories == ()


DEEP = "[" * 100_000 + "]" * 100_000
BOUNDS = {
    "nested deep": (f'{{"images": {DEEP}, "annotations": [], "categories": []}}', "nested too deeply"),
    "an item nested deep": (f'{{"images": [], "annotations": [{DEEP}], "categories": []}}', "nested too deeply"),
    "a number of a million digits": ('{"images": [], "annotations": [{"id": ' + "9" * 10**6 + '}], "categories": []}',
                                     "annotations"),
    "labelme": ('{"shapes": [], "imagePath": "a.jpg"}', "labelme"),
    "VIA": ('{"_via_settings": {}, "_via_img_metadata": {}}', "VGG Image Annotator; export it there as COCO"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BOUNDS.values(), ids=BOUNDS)
def test_read__refused_in_a_sentence(tmp_path, text, words):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=words) as caught:
        read_dataset(path)
    assert len(str(caught.value)) < 1000


def test_read__a_polygon_that_jumps_about_is_refused_before_it_is_drawn(content, write):
    content["images"][0] |= {"width": 4000, "height": 4000}
    content["annotations"][0]["segmentation"] = [[0, 0, 4000, 4000, 4000, 0, 0, 4000] * 25_000]
    path = write(content)
    with pytest.raises(DatasetError, match=r"outline of 100000 points is .* pixels long"):
        read_dataset(path)
    assert len(read_dataset(path, on_problem="repair").annotations) == 2


def test_read__a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(b" " * 2**24))
    with pytest.raises(DatasetError, match="unpacks to more than"):
        read_dataset(path)


SPELLED = {
    "an address": "https://host.example/bucket/a.png",
    "a query": "a.png?x=1&y=2",
    "Label Studio's local files": "local-files/?d=a.png",
    "percent": "%61.png",
    "capitals": "A.PNG",
    "backslashes written twice": "images\\\\a.png",
    "no ending": "a",
    "blanks around it": " a.png ",
}


@pytest.mark.parametrize("name", SPELLED.values(), ids=SPELLED)
def test_read__another_spelling_of_a_picture_that_is_there(content, write, name):
    content["images"][0]["file_name"] = name
    dataset = read_dataset(write(content), need_pictures=True)
    assert dataset.images[0].file_name == "a.png"
    assert any("another spelling" in note or "without their first part" in note for note in dataset.notes)


@pytest.mark.parametrize("name", ["A.png", "a"])
def test_read__another_spelling_is_never_another_images_picture(content, write, name):
    """Its own picture is not there; the objects are not those of ``a.png``."""
    content["images"][1]["file_name"] = name
    path = write(content)
    (path.parent / "images" / "b.png").unlink()
    problem = read_dataset(path, need_pictures=True, on_problem="skip").problems[0]
    assert problem.endswith("and 'a.png' there is another image's")
    assert [image.file_name for image in read_dataset(path).images] == ["a.png", name]


def test_read__a_picture_that_two_names_fit_by_another_spelling_is_neithers(content, write):
    content["images"][0]["file_name"], content["images"][1]["file_name"] = "A.png", "a"
    path = write(content)
    problems = read_dataset(path, need_pictures=True, on_problem="skip").problems
    assert sum(one.endswith("and 'a.png' there is another image's") for one in problems) == 2
    content["images"][1]["file_name"] = "./A.png"  # one picture under two ids, which check tells
    assert [image.file_name for image in read_dataset(write(content)).images] == ["a.png", "a.png"]


def test_read__letters_composed_otherwise(content, write):
    path = write(change(content, {"images.0.file_name": "cafe\u0301.png"}))
    folder = read_dataset(path).image_dir
    (folder / "caf\u00e9.png").write_bytes((folder / "a.png").read_bytes())
    assert read_dataset(path, need_pictures=True).images[0].file_name == "caf\u00e9.png"


def test_read__another_ending(content, write):
    """One of JPEG's for another; never a mask of the same name."""
    change(content, {"images.0.file_name": "x.jpeg", "images.1.file_name": "y.jpg"})
    path = write(content)
    folder = read_dataset(path).image_dir
    for name in ("x.JPG", "x.png", "y.png"):
        (folder / name).write_bytes((folder / "b.png").read_bytes())
    dataset = read_dataset(path, need_pictures=True, on_problem="skip")
    assert [image.file_name for image in dataset.images] == ["x.JPG"]


@pytest.mark.parametrize("name", ["..%2Fsecret.png", "x?d=../secret.png", "%2Fetc%2Fpasswd"])
def test_read__no_spelling_leaves_the_folder(content, write, name):
    path = write(change(content, {"images.0.file_name": name}))
    (read_dataset(path).image_dir.parent / "secret.png").write_bytes(b"x")
    assert [image.id for image in read_dataset(path, need_pictures=True, on_problem="skip").images] == [2]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_read__encodings_of_unicode(content, write, encoding):
    path = write(content)
    path.write_bytes(json.dumps(content).encode(encoding))
    assert len(read_dataset(path).annotations) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [("{}}", "correct it there"), ('{"images": [1,],', "correct it there"), ('{"images": [', "damaged or cut off")],
)
def test_read__text_that_is_no_json(write, text, words):
    path = write({})
    path.write_text(text)
    with pytest.raises(DatasetError, match=f"not valid JSON .*{words}"):
        read_dataset(path)
