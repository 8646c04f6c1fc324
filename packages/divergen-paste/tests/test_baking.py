import json
import warnings

import cv2
import divergen_paste.baking
import numpy as np
import pytest
from divergen_paste import Paster, bake
from divergen_records import DatasetError
from divergen_records.coco import read_dataset
from divergen_records.formats.yolo import write_yolo
from divergen_records.images import read_image
from divergen_records.masks import segmentation_to_mask


@pytest.fixture
def paster(pool):
    return Paster(pool, count="fixed", max_instances=3)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_bake__images_and_annotations(dataset, paster, tmp_path):
    path = bake(dataset, paster, tmp_path / "out", copies=2, image_format="png", progress=False)
    baked = read_dataset(path, image_dir=tmp_path / "out" / "images")
    assert [image.file_name for image in baked.images[:4]] == ["0.png", "0_paste1.png", "0_paste2.png", "1.png"]
    assert len(baked.images) == 9
    assert baked.images[-1].file_name == "sub/2_paste2.png"
    assert (read_image(baked.image_path(baked.images[0])) == read_image(dataset.image_path(dataset.images[0]))).all()
    assert not (tmp_path / "out" / ".parts").exists()


def test_bake__provenance_of_every_pasted_instance(dataset, paster, pool, tmp_path):
    content = json.loads(bake(dataset, paster, tmp_path / "out", progress=False).read_text())
    originals = {image["id"] for image in dataset_images(content, copies=False)}
    sources = {pool.source(row) for row in range(len(pool))}
    pasted = [row for row in content["annotations"] if "source" in row]
    assert pasted
    assert {row["source"] for row in pasted} <= sources
    assert not {row["image_id"] for row in pasted} & originals
    assert {image["original_id"] for image in dataset_images(content, copies=True)} == originals
    assert len({row["id"] for row in content["annotations"]}) == len(content["annotations"])
    for row in content["annotations"]:
        mask = segmentation_to_mask(row["segmentation"], 96, 128)
        assert mask.sum() == row["area"]


def dataset_images(content, *, copies):
    return [image for image in content["images"] if ("original_id" in image) == copies]


def test_bake__lists_of_categories_stay_true(dataset, paster, tmp_path):
    content = json.loads(bake(dataset, paster, tmp_path / "out", copies=3, progress=False).read_text())
    for image in dataset_images(content, copies=True):
        rows = [row for row in content["annotations"] if row["image_id"] == image["id"]]
        shown = {row["category_id"] for row in rows}
        assert not shown & set(image["neg_category_ids"])
        assert set(image["not_exhaustive_category_ids"]) <= shown
        # Category 3 had been looked for everywhere, 1 and 7 are annotated: nothing is unknown.
        assert image["not_exhaustive_category_ids"] == []
    before = {category.id: category.frequency for category in dataset.categories}
    assert {category["id"]: category["frequency"] for category in content["categories"]} == before


def test_bake__category_that_nobody_looked_for_is_not_exhaustive(dataset, paster, tmp_path):
    dataset.images[:] = [type(image)(id=image.id, width=128, height=96, file_name=image.file_name)
                         for image in dataset.images]  # fmt: skip
    content = json.loads(bake(dataset, paster, tmp_path / "out", copies=3, progress=False).read_text())
    assert {3} == {i for image in content["images"] for i in image["not_exhaustive_category_ids"]}


def test_bake__killed_and_continued_is_the_same(dataset, paster, tmp_path, monkeypatch):
    bake(dataset, paster, tmp_path / "whole", progress=False)
    encode, calls = divergen_paste.baking.encode_image, []

    def dying(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(*arguments)

    monkeypatch.setattr(divergen_paste.baking, "encode_image", dying)
    with pytest.raises(KeyboardInterrupt):
        bake(dataset, paster, tmp_path / "killed", progress=False)
    bake(dataset, paster, tmp_path / "killed", progress=False)
    assert len(calls) == 4
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


@pytest.mark.slow
def test_bake__worker_processes_give_the_same(dataset, paster, tmp_path):
    for workers in (0, 2):
        bake(dataset, paster, tmp_path / str(workers), workers=workers, progress=False)
    assert files(tmp_path / "0") == files(tmp_path / "2")


def test_bake__finished_dataset_is_not_replaced_unasked(dataset, paster, tmp_path):
    bake(dataset, paster, tmp_path / "out", progress=False)
    with pytest.raises(DatasetError, match="finished dataset"):
        bake(dataset, paster, tmp_path / "out", progress=False)
    bake(dataset, paster, tmp_path / "out", overwrite=True, progress=False)


def test_bake__folder_with_something_else(dataset, paster, tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(DatasetError, match="not empty and no unfinished bake"):
        bake(dataset, paster, tmp_path, progress=False)


def test_bake__unfinished_with_other_settings(dataset, paster, pool, tmp_path):
    parts = tmp_path / "out" / ".parts"
    parts.mkdir(parents=True)
    (parts / "settings").write_text("other")
    with pytest.raises(DatasetError, match="other settings"):
        bake(dataset, paster, tmp_path / "out", progress=False)
    bake(dataset, paster, tmp_path / "out", overwrite=True, progress=False)


def test_bake__unreadable_picture_is_named(dataset, paster, tmp_path):
    dataset.image_path(dataset.images[1]).write_bytes(b"")
    content = json.loads(bake(dataset, paster, tmp_path / "out", progress=False).read_text())
    assert len(content["images"]) == 4
    assert len(content["info"]["skipped"]) == 2
    assert "1.png" in content["info"]["skipped"][0]


def test_bake__names_that_collide(dataset, paster, tmp_path):
    old = dataset.images[1]
    dataset.images[1] = type(old)(id=old.id, width=128, height=96, file_name="0_paste1.jpg")
    with pytest.raises(DatasetError, match=r"would both be written as '0_paste1\.jpg'"):
        bake(dataset, paster, tmp_path / "out", progress=False)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in pycocotools
def test_bake__pycocotools_reads_it(dataset, paster, tmp_path, capsys):
    path = bake(dataset, paster, tmp_path / "out", progress=False)
    coco = pytest.importorskip("pycocotools.coco").COCO(path)
    assert len(coco.getImgIds()) == 6
    for annotation in coco.loadAnns(coco.getAnnIds()):
        assert coco.annToMask(annotation).sum() == annotation["area"]


def test_write_yolo__labels_beside_the_pictures(dataset, paster, tmp_path):
    path = bake(dataset, paster, tmp_path / "out", progress=False)
    baked = read_dataset(path, image_dir=tmp_path / "out" / "images")
    data = write_yolo(baked, tmp_path / "out")
    assert '  1: "bow_(weapon)"' in data.read_text()
    labels = (tmp_path / "out" / "labels" / "sub" / "2_paste1.txt").read_text().splitlines()
    image = next(image for image in baked.images if image.file_name == "sub/2_paste1.jpg")
    assert len(labels) == len(baked.annotations_of(image.id))
    for line, annotation in zip(labels, baked.annotations_of(image.id), strict=True):
        number, *values = line.split()
        assert baked.categories[int(number)].id == annotation.category_id
        points = np.array(values, dtype=float).reshape(-1, 2) * (128, 96)
        x, y, width, height = annotation.bbox
        assert points.min(axis=0) == pytest.approx([x, y], abs=1.1)
        assert points.max(axis=0) == pytest.approx([x + width, y + height], abs=1.1)


def test_write_yolo__pictures_elsewhere_are_copied(dataset, tmp_path):
    write_yolo(dataset, tmp_path / "out")
    assert (tmp_path / "out" / "images" / dataset.images[0].file_name).is_file()


def test_write_yolo__ultralytics_reads_it(dataset, paster, tmp_path, monkeypatch):
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("ultralytics")
        from ultralytics.data.dataset import YOLODataset
        from ultralytics.data.utils import check_det_dataset

        path = bake(dataset, paster, tmp_path / "out", progress=False)
        baked = read_dataset(path, image_dir=tmp_path / "out" / "images")
        data = check_det_dataset(str(write_yolo(baked, tmp_path / "out")), autodownload=False)
        found = YOLODataset(img_path=data["train"], data=data, task="segment", augment=False)
    assert data["names"] == {0: "cup", 1: "bow_(weapon)", 2: "apple"}
    assert len(found) == len(baked.images) == 6
    numbers = {category.id: number for number, category in enumerate(baked.categories)}
    names = {str(tmp_path / "out" / "images" / image.file_name): image for image in baked.images}
    for label in found.labels:
        image = names[label["im_file"]]
        annotations = baked.annotations_of(image.id)
        assert label["cls"].ravel().tolist() == [numbers[item.category_id] for item in annotations]
        for points, item in zip(label["segments"], annotations, strict=True):
            drawn = np.zeros((image.height, image.width), dtype=np.uint8)
            # Contours run along the outer edges of pixels, polygons are drawn through their centres.
            corners = points * (image.width, image.height) - 0.5
            cv2.fillPoly(drawn, [np.round(corners).astype(np.int32)], 1)
            mask = segmentation_to_mask(item.segmentation, image.height, image.width)
            assert (mask & (drawn > 0)).sum() / (mask | (drawn > 0)).sum() > 0.8
