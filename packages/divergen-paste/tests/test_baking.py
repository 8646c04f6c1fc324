import json
import warnings
from pathlib import Path

import cv2
import divergen_paste.baking.write
import msgspec
import numpy as np
import pytest
from divergen_paste import Paster, bake
from divergen_records import Category, DatasetError, ExistsError, NothingLeft
from divergen_records.coco import Annotation, read_dataset
from divergen_records.formats import add_format
from divergen_records.formats.yolo import write_yolo
from divergen_records.images import read_image
from divergen_records.losses import Losses
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
    assert not list(tmp_path.glob(".*"))


def test_bake__ids_that_are_hashes_stay_ids_that_are_read(dataset, paster, tmp_path):
    far = 2**61
    images = [msgspec.structs.replace(image, id=image.id + far) for image in dataset.images]
    objects = [msgspec.structs.replace(one, image_id=one.image_id + far) for one in dataset.annotations]
    dataset = dataset.replace(images=images, annotations=objects)
    baked = read_dataset(bake(dataset, paster, tmp_path / "out", copies=2, progress=False))
    assert [image.id for image in baked.images if image.id >= far] == [image.id for image in images]
    assert [image.id for image in baked.images if image.id < far] == [1, 2, 3, 4, 5, 6]


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


def test_bake__killed_and_continued_is_the_same(dataset, paster, stopped, tmp_path, monkeypatch):
    bake(dataset, paster, tmp_path / "whole", progress=False)
    encode, calls = divergen_paste.baking.write.encode_image, []
    monkeypatch.setattr(divergen_paste.baking.write, "encode_image", lambda *each: calls.append(1) or encode(*each))
    bake(dataset, paster, stopped, progress=False)
    assert len(calls) == 2
    assert files(stopped) == files(tmp_path / "whole")


@pytest.mark.slow
def test_bake__worker_processes_give_the_same(dataset, paster, tmp_path):
    for workers in (0, 2):
        bake(dataset, paster, tmp_path / str(workers), workers=workers, progress=False)
    assert files(tmp_path / "0") == files(tmp_path / "2")


def test_bake__finished_dataset_is_not_replaced_unasked(dataset, paster, tmp_path):
    bake(dataset, paster, tmp_path / "out", progress=False)
    with pytest.raises(ExistsError, match=r"is there already.*--overwrite"):
        bake(dataset, paster, tmp_path / "out", progress=False)
    bake(dataset, paster, tmp_path / "out", overwrite=True, progress=False)


def test_bake__folder_with_something_else(dataset, paster, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("")
    with pytest.raises(ExistsError, match="is there already"):
        bake(dataset, paster, tmp_path / "out", progress=False)
    with pytest.raises(ExistsError, match=r"thesis\.txt.*so it is not replaced"):
        bake(dataset, paster, tmp_path / "out", overwrite=True, progress=False)


def test_bake__overwriting_leaves_nothing_stale(dataset, paster, tmp_path):
    out = tmp_path / "out"
    bake(dataset, paster, out, copies=2, formats=["yolo"], progress=False)
    bake(dataset, paster, out, copies=1, formats=["yolo"], overwrite=True, progress=False)
    assert len(list((out / "images").rglob("*.*g"))) == len(list((out / "labels").rglob("*.txt"))) == 6
    bake(dataset, paster, tmp_path / "once", copies=1, formats=["yolo"], progress=False)
    assert files(out) == files(tmp_path / "once")


@pytest.fixture
def stopped(dataset, paster, tmp_path, monkeypatch):
    """The folder of a bake that was stopped at its second copy."""
    encode, calls = divergen_paste.baking.write.encode_image, []

    def dying(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(divergen_paste.baking.write, "encode_image", dying)
        bake(dataset, paster, tmp_path / "out", progress=False)
    return tmp_path / "out"


def test_bake__unfinished_with_other_settings(dataset, paster, stopped):
    assert not stopped.exists()
    with pytest.raises(ExistsError, match="other settings"):
        bake(dataset, paster, stopped, copies=2, progress=False)
    bake(dataset, paster, stopped, copies=2, overwrite=True, progress=False)
    assert len(list((stopped / "images").rglob("*.*g"))) == 9


def test_bake__labels_come_before_the_folder_appears(dataset, paster, tmp_path, monkeypatch):
    def dying(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(divergen_paste.baking.write, "add_format", dying)
        bake(dataset, paster, tmp_path / "out", formats=["yolo"], progress=False)
    assert not (tmp_path / "out").exists()
    bake(dataset, paster, tmp_path / "out", formats=["yolo"], progress=False)
    assert len(list((tmp_path / "out" / "labels").rglob("*.txt"))) == 6


def test_bake__killed_when_the_validation_set_has_its_labels(dataset, paster, tmp_path, monkeypatch):
    def dying(name, folder, **options):
        add_format(name, folder, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(divergen_paste.baking.write, "add_format", dying)
        bake(dataset, paster, tmp_path / "out", formats=["yolo"], val=dataset, progress=False)
    bake(dataset, paster, tmp_path / "out", formats=["yolo"], val=dataset, progress=False)
    assert len(list((tmp_path / "out/val/labels").rglob("*.txt"))) == 3
    assert [path.name for path in tmp_path.glob(".*unfinished")] == []


def test_bake__unreadable_picture_is_named_once(dataset, paster, tmp_path):
    dataset.image_path(dataset.images[1]).write_bytes(b"")
    losses = Losses()
    content = json.loads(bake(dataset, paster, tmp_path / "out", losses=losses, progress=False).read_text())
    assert len(content["images"]) == 4
    assert [name for name, _ in losses] == ["1.png"]
    assert content["info"]["skipped"] == [reason for _, reason in losses]


def test_bake__no_readable_picture_leaves_nothing(dataset, paster, tmp_path):
    for info in dataset.images:
        dataset.image_path(info).unlink()
    with pytest.raises(NothingLeft, match="none of its 3 pictures"):
        bake(dataset, paster, tmp_path / "out", progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_bake__keeps_what_the_file_says_besides(dataset, paster, tmp_path):
    for annotation in dataset.annotations:
        annotation.extra = {"attributes": {"occluded": True}, "keypoints": [1, 2, 2]}
    full = dataset.replace(
        info={"contributor": "me"},
        licenses=[{"id": 3, "name": "CC0"}],
        extra={"videos": []},
        category_rows={1: {"id": 1, "name": "cup", "supercategory": "kitchen", "skeleton": [[1, 2]]}},
        images=[msgspec.structs.replace(image, license=3, extra={"camera": "A"}) for image in dataset.images],
    )
    content = json.loads(bake(full, paster, tmp_path / "out", copies=2, progress=False).read_text())
    assert content["info"]["contributor"] == "me"
    assert content["licenses"] == [{"id": 3, "name": "CC0"}]
    assert content["videos"] == []
    assert content["categories"][0]["supercategory"] == "kitchen"
    assert content["categories"][0]["skeleton"] == [[1, 2]]
    assert {(image["license"], image["camera"]) for image in content["images"]} == {(3, "A")}
    own = [row for row in content["annotations"] if "source" not in row]
    assert all(row["attributes"] == {"occluded": True} and row["keypoints"] == [1, 2, 2] for row in own)
    assert all("attributes" not in row for row in content["annotations"] if "source" in row)
    assert all(row["iscrowd"] == 0 for row in content["annotations"])


def test_bake__pool_of_other_ids(dataset, pool, tmp_path):
    other = Paster(pool.matched({30: "bow_(weapon)", 10: "cup", 70: "apple"}), count="fixed", max_instances=3)
    plain = Paster(pool, count="fixed", max_instances=3)
    texts = [
        json.loads(bake(dataset, each, tmp_path / str(number), progress=False).read_text())["annotations"]
        for number, each in enumerate((other, plain))
    ]
    assert texts[0] == texts[1]


def test_bake__validation_set_in_the_training_sets_terms(dataset, paster, tmp_path):
    ids = {1: 5, 7: 2}
    val = dataset.replace(
        categories=[Category(id=2, name="Apple"), Category(id=5, name="cup"), Category(id=9, name="unused")],
        annotations=[
            Annotation(one.id, one.image_id, ids[one.category_id], one.bbox, one.area, one.segmentation)
            for one in dataset.annotations
        ],
        images=[msgspec.structs.replace(image, neg_category_ids=()) for image in dataset.images],
    )
    out = bake(dataset, paster, tmp_path / "out", copies=0, formats=["yolo"], val=val, progress=False).parent
    made = read_dataset(out / "val" / "annotations.json", image_dir=out / "val" / "images")
    assert [one.category_id for one in made.annotations] == [one.category_id for one in dataset.annotations]
    assert "val: val/images" in (out / "data.yaml").read_text()
    for name in ("labels/0.txt", "labels/sub/2.txt"):
        assert (out / "val" / name).read_text() == (out / name).read_text()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.png", "a.jpg"], ["a_jpg_paste1.jpg", "a_png_paste1.jpg"]),
        (["cat_jpg.rf.aaaa.png", "cat_jpg.rf.bbbb.png"], ["cat_jpg.rf.aaaa_paste1.jpg", "cat_jpg.rf.bbbb_paste1.jpg"]),
        (["images/a.png", "b/images/a.png"], ["b/images/a_paste1.jpg", "images/a_paste1.jpg"]),
    ],
)
def test_bake__names_of_copies(dataset, paster, tmp_path, names, expected):
    pixels = dataset.image_path(dataset.images[0]).read_bytes()
    dataset.images[:] = [
        msgspec.structs.replace(image, file_name=name) for image, name in zip(dataset.images[:2], names, strict=True)
    ]
    dataset = dataset.replace(annotations=[one for one in dataset.annotations if one.image_id <= 2])
    for name in names:
        (dataset.image_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (dataset.image_dir / name).write_bytes(pixels)
    path = bake(dataset, paster, tmp_path / "out", keep_originals=False, formats=["yolo"], progress=False)
    made = sorted(image.file_name for image in read_dataset(path).images)
    assert made == sorted(expected)
    for name in made:
        # Ultralytics' img2label_paths, as its source has it.
        picture = str(tmp_path / "out" / "images" / name)
        label = "/labels/".join(picture.rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"
        assert Path(picture).is_file()
        assert Path(label).read_text()


def test_bake__the_longest_names(dataset, paster, tmp_path):
    for number, image in enumerate(dataset.images):
        long = msgspec.structs.replace(image, file_name="x" * 250 + f"{number}.png")
        dataset.image_path(image).rename(dataset.image_path(long))
        dataset.images[number] = long
    path = bake(dataset, paster, tmp_path / "out", copies=2, formats=["yolo"], progress=False)
    made = read_dataset(path, image_dir=path.parent / "images")
    assert len({image.file_name for image in made.images}) == 3 * len(dataset.images)
    assert all(made.image_path(image).is_file() for image in made.images)


def test_bake__originals_that_would_share_a_label(dataset, paster, tmp_path):
    dataset.images[1] = msgspec.structs.replace(dataset.images[1], file_name="0.jpg")
    with pytest.raises(DatasetError, match=r"'0\.png' and '0\.jpg', which would share one label file"):
        bake(dataset, paster, tmp_path / "out", formats=["yolo"], progress=False)


def test_bake__names_that_collide(dataset, paster, tmp_path):
    old = dataset.images[1]
    dataset.images[1] = type(old)(id=old.id, width=128, height=96, file_name="0_paste1.jpg")
    with pytest.raises(DatasetError, match=r"would be written as '0_paste1\.jpg' and '0_paste1\.jpg'"):
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
            mask = segmentation_to_mask(item.segmentation, image.height, image.width).astype(np.uint8)
            near = np.ones((3, 3), np.uint8)
            assert (cv2.erode(mask, near) <= drawn).all()
            assert (drawn <= cv2.dilate(mask, near)).all(), "the same object to a pixel"
