import json

import cv2
import numpy as np
import pytest
from divergen_paste import PoolError, pool_from_dataset, pool_from_folder, pool_from_pools_json, pool_from_table
from divergen_paste.pool.from_path import pool_from_path
from divergen_records import (
    Category,
    Columns,
    ConfigError,
    DatasetError,
    Float32,
    InstanceRecord,
    InstanceTable,
    NothingLeft,
    instance_id,
)
from divergen_records.coco import Annotation, Dataset
from divergen_records.images import encode_image
from divergen_records.losses import Losses
from divergen_records.masks import encode_rle

CATEGORIES = (Category(id=1, name="cup"), Category(id=3, name="bow_(weapon)"))


def row(number: int, **changes):
    mask = np.zeros((64, 48), dtype=bool)
    mask[10:40, 5 : 25 + number] = True
    identity = {"category": "cup", "prompt": f"a cup {number}", "generator": "g", "generator_revision": "1"}
    fields = {
        "id": instance_id(**identity, seed=number),
        **identity,
        "category_id": 1,
        "frequency": "r",
        "seed": number,
        "image": encode_image(np.full((64, 48, 3), 10 * number, np.uint8)),
        "image_format": "jpeg",
        "width": 48,
        "height": 64,
        "mask": encode_rle(mask)["counts"],
        "area_fraction": float(mask.mean()),
        "annotator": "truth",
        "inter_similarity": number / 10,
        "kept": True,
    }
    return InstanceRecord(**(fields | changes))


class Scored(Columns):
    inter_similarity: Float32 | None = None


@pytest.fixture
def table(tmp_path):
    made = InstanceTable.create(tmp_path / "table.lance")
    made.ensure_columns(Scored)
    made.append([*(row(number) for number in range(5)), row(5, kept=False), row(6, kept=None)])
    return made


def test_build__kept_rows_of_a_table(table, tmp_path):
    pool = pool_from_table(table, tmp_path / "pool", progress=False)
    assert len(pool) == 5
    assert [category.name for category in pool.categories] == ["cup"]
    assert {pool.source(i) for i in range(5)} == table.ids("kept")
    first = next(i for i in range(5) if pool.source(i) == row(3).id)
    assert pool.index[first]["width"] == 23
    assert pool.index[first]["score"] == np.float32(0.3)
    assert abs(pool.read(first)[0].mean() - 30) < 2


def test_build__rows_that_nobody_scored(tmp_path):
    made = InstanceTable.create(tmp_path / "table.lance")
    made.append([InstanceRecord(**row(0).model_dump(exclude={"inter_similarity"}))])
    pool = pool_from_table(made, tmp_path / "pool", progress=False)
    assert np.isnan(pool.index[0]["score"])


def test_build__unreadable_row_is_counted(table, tmp_path):
    table.append([row(7, image=b"no picture"), row(8, mask="0")])
    pool = pool_from_table(table, tmp_path / "pool", progress=False)
    assert len(pool) == 5
    assert pool.manifest.skipped == {"ImageError": 1, "MaskError": 1}


def test_build__nothing_kept(table, tmp_path):
    with pytest.raises(NothingLeft, match="gives no instance"):
        pool_from_table(table, tmp_path / "pool", where="seed > 100", progress=False)


def test_build__losses_are_named(table, tmp_path):
    broken = row(7, image=b"no picture"), row(8, mask=None)
    table.append(list(broken))
    losses = Losses()
    pool_from_table(table, tmp_path / "pool", losses=losses, progress=False)
    reasons = [reason for _, reason in losses]
    assert all(any(record.id in reason for reason in reasons) for record in broken)


def test_build__rows_of_other_category_ids(table, tmp_path):
    known = [Category(id=1, name="bow_(weapon)"), Category(id=44, name="Cup", image_count=7)]
    pool = pool_from_table(table, tmp_path / "pool", categories=known, progress=False)
    assert {(one.id, one.name, one.image_count) for one in pool.categories} == {(44, "Cup", 7)}
    with pytest.raises(ConfigError, match=r"1 of the table's 1 categories are not in the data set: cup"):
        pool_from_table(table, tmp_path / "other", categories=known[:1], progress=False)


def test_build__one_id_for_two_names(table, tmp_path):
    table.append([row(7, category="mug")])
    with pytest.raises(PoolError, match="category id 1 is 'cup' in some rows and 'mug' in others"):
        pool_from_table(table, tmp_path / "pool", progress=False)


def test_build__processes_give_the_same_pool(table, tmp_path):
    one, many = (pool_from_table(table, tmp_path / str(n), workers=n, progress=False) for n in (0, 2))
    assert one.manifest == many.manifest


def test_is_current__until_the_kept_set_changes(table, tmp_path):
    pool = pool_from_table(table, tmp_path / "pool", progress=False)
    assert pool.is_current(table)
    table.append([row(9)])
    assert not pool.is_current(table)


def test_from_dataset__objects_without_crowds(dataset, tmp_path):
    pool = pool_from_dataset(dataset, tmp_path / "pool", progress=False)
    assert len(pool) == 6
    assert pool.source(0) == "annotation:1"
    assert [entry.count for entry in pool.manifest.categories] == [3, 3]


def test_from_dataset__small_objects_are_left_out(dataset, tmp_path):
    with pytest.raises(NothingLeft, match=r"no instance \(6 x smaller than 10000 pixels\)"):
        pool_from_dataset(dataset, tmp_path / "pool", min_area=10_000, progress=False)


def test_from_dataset__says_what_was_left_out_and_lost(dataset, tmp_path):
    dataset.annotations[0].iscrowd = True
    dataset.image_path(dataset.images[2]).write_bytes(b"")
    losses = Losses()
    pool = pool_from_dataset(dataset, tmp_path / "pool", losses=losses, progress=False)
    assert pool.manifest.left_out == {"a crowd": 1}
    assert len(losses) == 1
    assert "sub/2.png" in next(iter(losses))[1]


def test_from_folder__two_categories_of_one_name(cutouts, tmp_path):
    twice = [*CATEGORIES, Category(id=9, name="cup")]
    with pytest.raises(DatasetError, match=r"several categories have this name; name the folder by the id"):
        pool_from_folder(cutouts, tmp_path / "pool", twice, progress=False)
    (cutouts / "cup").rename(cutouts / "9")
    pool = pool_from_folder(cutouts, tmp_path / "pool", twice, progress=False)
    assert 9 in {category.id for category in pool.categories}


def test_from_dataset__whole_objects_only(dataset, tmp_path):
    """The first object of each picture moves against its left edge."""
    mask = np.zeros((96, 128), dtype=bool)
    mask[10:40, :30] = True
    annotations = [
        item
        if item.category_id == 7
        else Annotation(item.id, item.image_id, 1, (0.0, 10.0, 30.0, 30.0), 900.0, encode_rle(mask))
        for item in dataset.annotations
    ]
    dataset = Dataset(dataset.path, dataset.image_dir, dataset.images, annotations, dataset.categories)
    made = pool_from_dataset(dataset, tmp_path / "pool", whole_only=True, progress=False)
    assert [category.id for category in made.categories] == [7]
    assert len(pool_from_dataset(dataset, tmp_path / "all", progress=False)) == 6


@pytest.fixture
def cutouts(tmp_path):
    rgba = np.zeros((40, 50, 4), dtype=np.uint8)
    rgba[5:25, 10:40] = (255, 0, 0, 255)
    rgba[30:35, 10:15] = (255, 0, 0, 255)
    folder = tmp_path / "cutouts"
    for name in ("cup", "3"):
        (folder / name).mkdir(parents=True)
        cv2.imwrite(str(folder / name / "a.png"), rgba)
    (folder / "cup" / "broken.png").write_bytes(b"")
    cv2.imwrite(str(folder / "cup" / "opaque.png"), rgba[:, :, :3])
    return folder


def test_from_folder__name_or_id_and_largest_part(cutouts, tmp_path):
    pool = pool_from_folder(cutouts, tmp_path / "pool", CATEGORIES, image_format="png", progress=False)
    assert [pool.source(row) for row in range(len(pool))] == ["cup/a.png", "3/a.png"]
    assert pool.index["height"].tolist() == [20, 20]
    assert (pool.read(0)[0] == (0, 0, 255)).all()
    assert pool.manifest.skipped == {"ImageError": 2}


@pytest.mark.parametrize("name", ["Cup", "CUP ", "cup_"])
def test_from_folder__a_name_that_means_the_same(cutouts, tmp_path, name):
    (cutouts / "cup").rename(cutouts / name)
    pool = pool_from_folder(cutouts, tmp_path / "pool", CATEGORIES, progress=False)
    assert {category.name for category in pool.categories} >= {"cup"}


def test_from_folder__unknown_category(cutouts, tmp_path):
    with pytest.raises(DatasetError, match="no category has this name or id"):
        pool_from_folder(cutouts, tmp_path / "pool", CATEGORIES[:1], progress=False)


def test_from_pools_json__keys_are_contiguous_from_0(cutouts, tmp_path):
    path = cutouts / "pools.json"
    mask = np.zeros((40, 50), dtype=np.uint8)
    mask[5:15, 10:40] = 255
    cv2.imwrite(str(cutouts / "mask.png"), mask)
    path.write_text(json.dumps({"0": ["cup/a.png"], "2": ["*3/a.png", "3/a.png|mask.png"]}))
    pool = pool_from_pools_json(path, tmp_path / "pool", CATEGORIES, progress=False)
    assert pool.index["category_id"].tolist() == [1, 3, 3]
    assert pool.index["height"].tolist() == [20, 20, 10]


def test_pool_from_path__a_pools_json_is_known_by_its_keys(cutouts, tmp_path):
    path = cutouts / "pools.json"
    path.write_text(json.dumps({"0": ["cup/a.png"]}))
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cup"}]}
    (tmp_path / "train.json").write_text(json.dumps(content))
    pool = pool_from_path(path, tmp_path / "pool", categories=tmp_path / "train.json", progress=False)
    assert pool.source(0) == "cup/a.png"


def test_from_pools_json__path_that_leaves_the_folder(cutouts, tmp_path):
    path = cutouts / "pools.json"
    path.write_text(json.dumps({"0": ["../secret.png"]}))
    with pytest.raises(DatasetError, match="leaves the folder"):
        pool_from_pools_json(path, tmp_path / "pool", CATEGORIES)


@pytest.mark.parametrize("text", ["[1]", '{"0": "1/a.png"}', '{"0": null}', '{"a": []}'])
def test_from_pools_json__malformed(tmp_path, text):
    (tmp_path / "pools.json").write_text(text)
    with pytest.raises(DatasetError, match=r"expected \{category index"):
        pool_from_pools_json(tmp_path / "pools.json", tmp_path / "pool", CATEGORIES)
