import json
import os
from pathlib import Path

import numpy as np
import pytest
from divergen_records import Category, DatasetError, ExistsError
from divergen_records.coco import Annotation, DatasetWriter, ImageInfo, read_dataset, write_coco, write_lvis
from divergen_records.formats.coco.folder import write_folder
from divergen_records.masks import encode_rle

LVIS_IMAGE = {"id", "width", "height", "coco_url", "flickr_url", "date_captured", "license"} | {
    "neg_category_ids",
    "not_exhaustive_category_ids",
}
LVIS_ANNOTATION = {"id", "image_id", "category_id", "segmentation", "area", "bbox"}
LVIS_CATEGORY = {"id", "name", "synonyms", "synset", "def", "frequency", "image_count", "instance_count"}

IMAGES = [ImageInfo(id=1, width=4, height=3, file_name="a.png", neg_category_ids=(2,))]
MASK = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)
ANNOTATIONS = [
    Annotation(1, 1, 1, (1.0, 0.0, 2.0, 2.0), 4.0, encode_rle(MASK)),
    Annotation(2, 1, 1, (0.0, 0.0, 2.0, 2.0), 4.0, [[0, 0, 2, 0, 2, 2, 0, 2]], iscrowd=True),
]
CATEGORIES = [Category(id=1, name="cup"), Category(id=2, name="bow", definition="a weapon", synset="bow.n.04")]


def test_write_lvis__has_every_field_of_lvis_v1(tmp_path):
    file = json.loads(write_lvis(tmp_path / "new" / "x.json", IMAGES, ANNOTATIONS, CATEGORIES).read_text())
    assert set(file) == {"info", "images", "annotations", "categories", "licenses"}
    assert set(file["images"][0]) >= LVIS_IMAGE
    assert set(file["annotations"][0]) == LVIS_ANNOTATION
    assert all(set(category) == LVIS_CATEGORY for category in file["categories"])
    assert file["categories"][0] == {
        "id": 1,
        "name": "cup",
        "synonyms": ["cup"],
        "synset": "",
        "def": "",
        "frequency": "r",
        "image_count": 1,
        "instance_count": 2,
    }


def test_write_lvis__counts_that_are_set_stay(tmp_path):
    known = Category(id=1, name="cup", frequency="f", image_count=500, instance_count=900)
    dataset = read_dataset(write_lvis(tmp_path / "x.json", IMAGES, ANNOTATIONS, [known]))
    assert dataset.categories == (known.model_copy(update={"synonyms": ("cup",), "synset": "", "definition": ""}),)


@pytest.mark.parametrize("write", [write_lvis, write_coco])
def test_write__reads_back(tmp_path, write):
    dataset = read_dataset(write(tmp_path / "x.json", IMAGES, ANNOTATIONS, CATEGORIES))
    assert dataset.annotations == ANNOTATIONS
    assert dataset.images[0].file_name == "a.png"
    assert [category.name for category in dataset.categories] == ["cup", "bow"]


def test_write_coco__fields(tmp_path):
    file = json.loads(write_coco(tmp_path / "x.json", IMAGES, ANNOTATIONS, CATEGORIES, info={"year": 2026}).read_text())
    assert set(file["annotations"][0]) == LVIS_ANNOTATION | {"iscrowd"}
    assert [annotation["iscrowd"] for annotation in file["annotations"]] == [0, 1]
    assert file["categories"][0] == {"id": 1, "name": "cup", "supercategory": ""}
    assert file["info"] == {"year": 2026}
    assert file["images"][0]["neg_category_ids"] == [2]


def test_write_coco__no_lists_where_there_are_none(tmp_path):
    image = ImageInfo(id=1, width=4, height=3, file_name="a.png")
    file = json.loads(write_coco(tmp_path / "x.json", [image], [], CATEGORIES).read_text())
    assert "neg_category_ids" not in file["images"][0]


def test_write_lvis__from_file_to_file(content, write, tmp_path):
    content["licenses"] = [{"id": 3, "name": "CC BY 2.0", "url": ""}]
    dataset = read_dataset(write(content))
    path = write_lvis(
        tmp_path / "x.json", dataset.images, dataset.annotations, dataset.categories, licenses=dataset.licenses
    )
    again = read_dataset(path)
    assert again.licenses == ({"id": 3, "name": "CC BY 2.0", "url": ""},)
    assert again.images == dataset.images
    assert again.annotations == dataset.annotations


def test_write_lvis__nothing(tmp_path):
    assert read_dataset(write_lvis(tmp_path / "x.json", [], [], [])).images == []


def test_write_lvis__numpy_values_and_counts_as_bytes(tmp_path):
    rle = {"size": [3, 4], "counts": encode_rle(MASK)["counts"].encode()}
    annotation = Annotation(np.int64(1), 1, np.int32(1), np.array([1, 0, 2, 2], dtype=np.float32), np.float32(4), rle)
    dataset = read_dataset(write_lvis(tmp_path / "x.json", IMAGES, [annotation], CATEGORIES))
    assert dataset.annotations == ANNOTATIONS[:1]


def test_write_lvis__refuses_to_overwrite(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("mine")
    with pytest.raises(ExistsError, match=r"x\.json is there already"):
        write_lvis(path, IMAGES, ANNOTATIONS, CATEGORIES)
    assert path.read_text() == "mine"
    write_lvis(path, IMAGES, ANNOTATIONS, CATEGORIES, overwrite=True)
    assert len(read_dataset(path).annotations) == 2


@pytest.mark.parametrize(
    ("images", "annotation", "message"),
    [
        (IMAGES * 2, ANNOTATIONS[0], "image id 1 is taken"),
        ([], ANNOTATIONS[0], "annotation 1 names image 1"),
        (IMAGES, Annotation(1, 1, 7, (0, 0, 1, 1), 1, []), "annotation 1 names category 7"),
    ],
)
def test_write_lvis__contradictions(tmp_path, images, annotation, message):
    with pytest.raises(DatasetError, match=message):
        write_lvis(tmp_path / "x.json", images, [annotation], CATEGORIES)
    assert not list(tmp_path.iterdir())


def test_write_lvis__same_annotation_twice(tmp_path):
    with pytest.raises(DatasetError, match="annotation id 1 is taken"):
        write_lvis(tmp_path / "x.json", IMAGES, ANNOTATIONS[:1] * 2, CATEGORIES)


def test_write_lvis__a_failure_leaves_the_old_file(tmp_path):
    path = write_lvis(tmp_path / "x.json", IMAGES, ANNOTATIONS, CATEGORIES)
    before = path.read_bytes()

    def interrupted():
        yield ANNOTATIONS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lvis(path, IMAGES, interrupted(), CATEGORIES, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_write_lvis__folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        write_lvis(tmp_path / "file" / "x.json", IMAGES, ANNOTATIONS, CATEGORIES)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_dataset_writer__full_disk(tmp_path):
    with (
        pytest.raises(OSError, match=r"No space left on device: .*x\.json"),
        DatasetWriter(tmp_path / "x.json", CATEGORIES) as writer,
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        os.dup2(full.fileno(), writer._file.fileno())
        writer.add_image(IMAGES[0])
    assert not list(tmp_path.iterdir())


def test_write_folder__lvis_says_what_exhaustive_annotation_implies(content, write, tmp_path):
    for image in content["images"]:
        image.pop("neg_category_ids", None)
        image.pop("not_exhaustive_category_ids", None)
    path = write_folder(read_dataset(write(content)), tmp_path / "x.json", style="lvis")
    assert [image.neg_category_ids for image in read_dataset(path).images] == [(2,), ()]


@pytest.mark.parametrize("lists", [{}, {"neg_category_ids": [], "not_exhaustive_category_ids": []}])
def test_write_coco__keeps_empty_lists_and_makes_none(tmp_path, lists):
    rows = {
        "images": [{"id": 1, "width": 4, "height": 3, "file_name": "a.png", **lists}],
        "annotations": [],
        "categories": [{"id": 1, "name": "cup"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(rows))
    dataset = read_dataset(tmp_path / "a.json")
    written = json.loads(write_coco(tmp_path / "b.json", dataset.images, [], dataset.categories).read_text())
    assert {key: written["images"][0][key] for key in written["images"][0] if "category_ids" in key} == lists


@pytest.mark.parametrize(("bbox", "area"), [((0, 0, float("inf"), 1), 4), ((0, 0, 2, 2), np.float32("nan"))])
def test_write_coco__a_number_that_json_has_not_is_refused(tmp_path, bbox, area):
    """It would be written as null."""
    with pytest.raises(DatasetError, match="annotation 1 has a bbox or area that is NaN or infinite"):
        write_coco(tmp_path / "x.json", IMAGES, [Annotation(1, 1, 1, bbox, area, encode_rle(MASK))], CATEGORIES)
    assert not (tmp_path / "x.json").exists()
