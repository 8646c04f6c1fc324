import json
import tarfile
from io import BytesIO

import numpy as np
import pytest
from divergen_records import Category, DatasetError, ExistsError, InstanceRecord, MaskError
from divergen_records.coco import load_sample, read_dataset
from divergen_records.export import export_instances
from divergen_records.formats import read_any, writers
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle
from PIL import Image

MASK = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)
PIXELS = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def record(name: str, **change) -> InstanceRecord:
    columns = {
        "id": name,
        "category_id": 5,
        "category": "cup",
        "frequency": "r",
        "prompt": "a cup",
        "generator": "fake",
        "generator_revision": "1",
        "seed": 3,
        "image": encode_image(PIXELS, "png"),
        "image_format": "png",
        "width": 4,
        "height": 3,
        "mask": encode_rle(MASK)["counts"],
        "bbox": (1.0, 0.0, 2.0, 2.0),
    }
    return InstanceRecord(**columns | change)


RECORDS = [record("a1"), record("b2", category_id=6, category="bow", bbox=None), record("c3", mask=None)]


def read_png(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("kind", ["coco", "lvis"])
def test_export_instances__reads_back(tmp_path, kind):
    report = export_instances(iter(RECORDS), tmp_path / "out", kind)
    assert (report.written, report.skipped, report.path) == (2, 1, tmp_path / "out")
    dataset = read_dataset(tmp_path / "out" / "annotations.json", image_dir=tmp_path / "out" / "images")
    assert [image.file_name for image in dataset.images] == ["a1.png", "b2.png"]
    assert [annotation.bbox for annotation in dataset.annotations] == [(1, 0, 2, 2)] * 2
    assert [category.name for category in dataset.categories] == ["cup", "bow"]
    sample = load_sample(dataset, dataset.images[1])
    np.testing.assert_array_equal(sample.image, PIXELS)
    np.testing.assert_array_equal(sample.masks()[0], MASK)
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


PROVENANCE = {"id": "a1", "generator": "fake", "generator_revision": "1", "prompt": "a cup", "seed": 3, "kept": True}


def in_coco(out):
    return json.loads((out / "annotations.json").read_text())["annotations"][0]["provenance"]


def in_list(out):
    return json.loads((out / "provenance.jsonl").read_text().splitlines()[0])


def in_labelme(out):
    shape = json.loads((out / "a1.json").read_text())["shapes"][0]
    assert shape["flags"] == {"generated": True, "kept": True}
    pairs = dict(line.split(": ", 1) for line in shape["description"].splitlines())
    return {**pairs, "seed": int(pairs["seed"]), "kept": True}


def in_shard(out):
    with tarfile.open(out / "shard-000000.tar") as tar:
        assert tar.getnames() == ["a1.png", "a1.json", "a1.mask.png"]
        return json.load(tar.extractfile("a1.json"))["objects"][0]["provenance"]


def in_sample(out):
    fields = json.loads((out / "samples.json").read_text())["samples"][0]
    return {**fields, "id": fields["instance_id"]}


PLACES = {"coco": in_coco, "lvis": in_coco, "yolo": in_list, "xpaste-pool": in_list, "png-labels": in_list}
PLACES |= {"fiftyone": in_sample, "labelme": in_labelme, "webdataset": in_shard}


def test_provenance__every_format_is_looked_at():
    assert set(writers()) == {*PLACES, "png"}  # its list is test_export_instances__png's


@pytest.mark.parametrize("kind", sorted(PLACES))
def test_provenance__in_the_place_that_the_format_has(tmp_path, kind):
    export_instances([record("a1", kept=True)], tmp_path / "out", kind)
    found = PLACES[kind](tmp_path / "out")
    assert found.items() >= PROVENANCE.items(), found


def test_export_instances__full_categories(tmp_path):
    categories = [Category(id=5, name="cup", definition="a vessel"), Category(id=9, name="unused")]
    export_instances(RECORDS[:1], tmp_path / "out", "lvis", categories=categories)
    dataset = read_dataset(tmp_path / "out" / "annotations.json")
    assert [(category.id, category.definition) for category in dataset.categories] == [(5, "a vessel"), (9, "")]


def test_export_instances__png(tmp_path):
    export_instances(RECORDS, tmp_path / "out", "png")
    np.testing.assert_array_equal(read_png(tmp_path / "out" / "masks" / "a1.png"), MASK * 255)
    np.testing.assert_array_equal(read_png(tmp_path / "out" / "images" / "a1.png"), PIXELS)
    lines = [json.loads(line) for line in (tmp_path / "out" / "instances.jsonl").read_text().splitlines()]
    assert [(line["id"], line["mask"], line["category"]) for line in lines] == [
        ("a1", "masks/a1.png", "cup"),
        ("b2", "masks/b2.png", "bow"),
    ]


def test_export_instances__streams(tmp_path):
    """Each picture is on disk before the next record is asked for."""

    def records():
        for index in range(3):
            yield record(f"r{index}")
            assert len(list(tmp_path.glob(".out.unfinished/out/images/*"))) == index + 1

    assert export_instances(records(), tmp_path / "out", "coco").written == 3


def test_export_instances__nothing_is_left_of_a_failure(tmp_path):
    broken = record("d4", mask="P")
    for kind in ("coco", "png"):
        with pytest.raises(MaskError, match=r"instance d4: .*cut off"):
            export_instances([RECORDS[0], broken], tmp_path / "out", kind)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([record("../x")], "leaves the folder"),
        ([record("a/x")], "cannot be a file's name"),
        ([record("a"), record("a")], "two files would have the name"),
        ([record("a", width=None)], "no width or height"),
    ],
)
def test_export_instances__bad_records(tmp_path, records, message):
    with pytest.raises(DatasetError, match=message):
        export_instances(records, tmp_path / "out", "coco")
    assert not list(tmp_path.iterdir())


def test_export_instances__folder_in_use(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ExistsError, match="is there already"):
        export_instances(RECORDS, tmp_path, "coco")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_export_instances__empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    assert export_instances(RECORDS, tmp_path / "out", "coco").written == 2


def test_export_instances__unknown_format(tmp_path):
    with pytest.raises(DatasetError, match=r"'voc' is not known; known are .*coco, lvis, png"):
        export_instances(RECORDS, tmp_path / "out", "voc")


def test_encoded_pictures_are_copied_as_they_are(tmp_path):
    export_instances(RECORDS[:1], tmp_path / "out", "coco")
    data = (tmp_path / "out" / "images" / "a1.png").read_bytes()
    assert data == RECORDS[0].image
    assert Image.open(BytesIO(data)).size == (4, 3)


def test_export_instances__rows_of_a_table(tmp_path):
    pytest.importorskip("lance")
    from divergen_records import InstanceTable

    table = InstanceTable.create(tmp_path / "table.lance")
    table.append(
        [one.model_copy(update={"id": f"{index:032x}", "kept": index == 0}) for index, one in enumerate(RECORDS)]
    )
    report = export_instances(table.records(where="kept"), tmp_path / "out", "lvis", total=table.count("kept"))
    assert (report.written, report.skipped) == (1, 0)
    dataset = read_dataset(tmp_path / "out" / "annotations.json", image_dir=tmp_path / "out" / "images")
    np.testing.assert_array_equal(load_sample(dataset, dataset.images[0]).masks()[0], MASK)


def test_export_instances__fiftyone_with_scores_and_verdicts(tmp_path):
    said = record("a1", inter_similarity=0.5, clip_score=float("nan"), kept=False, review="reject", embedding=[1.0])
    other = record("b2", review="category", review_category="mug")
    export_instances([said, other], tmp_path / "out", "fiftyone")
    samples = json.loads((tmp_path / "out" / "samples.json").read_text())["samples"]
    assert [sample["tags"] for sample in samples] == [["reject"], ["category:mug"]]
    fields = {"inter_similarity": 0.5, "kept": False, "prompt": "a cup", "generator": "fake", "seed": 3}
    assert samples[0].items() >= (fields | {"instance_id": "a1", "filepath": "images/a1.png"}).items()
    assert not samples[0].keys() & {"id", "embedding", "clip_score", "image", "mask"}
    dataset = read_any(tmp_path / "out")
    np.testing.assert_array_equal(load_sample(dataset, dataset.images[0]).masks()[0], MASK)
