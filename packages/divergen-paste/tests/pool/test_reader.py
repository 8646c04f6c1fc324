import json
import os
import pickle
import shutil

import numpy as np
import pytest
from divergen_paste import InstancePool, PoolError
from divergen_paste.pool.writer import PoolWriter
from divergen_records import ExistsError, NothingLeft


@pytest.fixture
def copied(pool, tmp_path):
    shutil.copytree(pool.path, tmp_path / "copied")
    return tmp_path / "copied"


def test_open__rows_of_a_category_lie_side_by_side(pool):
    assert [(entry.category.id, entry.first, entry.count) for entry in pool.manifest.categories] == [
        (1, 0, 1),
        (3, 1, 2),
        (7, 3, 6),
    ]
    assert pool.index["category_id"].tolist() == [1, 3, 3, 7, 7, 7, 7, 7, 7]


@pytest.mark.parametrize("name", ["index.npy", "sources.npy"])
def test_open__an_array_that_is_no_list(copied, name):
    array = np.load(copied / name)
    for other in (array[0], array[:, None]):
        np.save(copied / name, other)
        with pytest.raises(PoolError, match="damaged"):
            InstancePool(copied)


def test_open__row_holds_what_was_put(pool, make_crop_of):
    crop = make_crop_of(2, 1, 40, 62)
    image, mask = pool.read(0)
    assert (image == crop.image).all()
    assert (mask == crop.mask * 255).all()
    assert pool.source(0) == "crop-2"
    assert pool.index[0]["area"] == crop.mask.sum()
    assert pool.index[0]["score"] == np.float32(0.2)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, (200, 130)),
        ((200, 130), (200, 130)),
        ((111, 9), (200, 130)),
        ((110, 71), (100, 65)),
        ((100, 65), (100, 65)),
        ((1, 1), (25, 17)),
    ],
)
def test_read__smallest_stored_size_that_is_enough(make_pool, make_crop_of, target, expected):
    image, alpha = make_pool([make_crop_of(0, 1, 200, 130)]).read(0, target)
    assert image.shape[:2] == alpha.shape == expected


def test_open__missing(tmp_path):
    with pytest.raises(PoolError, match=r"has no pool\.json"):
        InstancePool.open(tmp_path)


def test_open__malformed_manifest(copied):
    (copied / "pool.json").write_text('{"format": 1}')
    with pytest.raises(PoolError, match=r"pool\.json: origin: Field required; build the pool again"):
        InstancePool.open(copied)
    (copied / "pool.json").write_bytes(b'{"format": 1, "name": "caf\xe9"}')
    with pytest.raises(PoolError, match=r"pool\.json: the file: .*build the pool again"):
        InstancePool.open(copied)


def test_open__newer_format(copied):
    manifest = json.loads((copied / "pool.json").read_text()) | {"format": 99}
    (copied / "pool.json").write_text(json.dumps(manifest))
    with pytest.raises(PoolError, match="format 99, this version reads 1"):
        InstancePool.open(copied)


def test_open__truncated_blobs(copied):
    blobs = copied / "blobs.bin"
    blobs.write_bytes(blobs.read_bytes()[:-1])
    with pytest.raises(PoolError, match=r"damaged: blobs\.bin"):
        InstancePool.open(copied)


def test_open__truncated_index(copied):
    (copied / "index.npy").write_bytes((copied / "index.npy").read_bytes()[:200])
    with pytest.raises(PoolError, match="damaged"):
        InstancePool.open(copied)


@pytest.mark.parametrize("name", ["index.npy", "sources.npy"])
def test_open__an_archive_in_an_arrays_place(copied, name):
    with (copied / name).open("wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(PoolError, match="damaged"):
        InstancePool.open(copied)


def test_open__index_of_another_version(copied):
    np.save(copied / "index.npy", np.zeros(9, dtype=[("offset", "<u8")]))
    with pytest.raises(PoolError, match="written by another version"):
        InstancePool.open(copied)


def test_verify__sound(pool):
    assert pool.verify(progress=False) == []


def test_verify__names_the_damaged_instance(copied):
    data = bytearray((copied / "blobs.bin").read_bytes())
    data[40] ^= 1
    (copied / "blobs.bin").write_bytes(data)
    problems = InstancePool.open(copied).verify(progress=False)
    assert len(problems) == 1
    assert "its bytes have changed" in problems[0]


def test_verify__names_that_are_damaged_too(copied):
    for name in ("sources.npy", "blobs.bin"):
        data = (copied / name).read_bytes()
        (copied / name).write_bytes(data[:-16] + b"\xff" * 16)
    first, *others = InstancePool.open(copied).verify(progress=False)
    assert "is not the one that pool.json describes" in first
    assert all("its bytes have changed" in other for other in others) and others


def test_pickle__is_the_path(pool):
    data = pickle.dumps(pool)
    assert len(data) < 500
    assert len(pickle.loads(data)) == len(pool)


def test_pickle__pool_rebuilt_in_between(make_pool, make_crop_of):
    data = pickle.dumps(make_pool([make_crop_of(0, 1)]))
    make_pool([make_crop_of(1, 1)], overwrite=True)
    with pytest.raises(PoolError, match="rebuilt while in use"):
        pickle.loads(data)


def test_open_pool__survives_a_rebuild(make_pool, make_crop_of):
    old = make_pool([make_crop_of(0, 1)])
    before = old.read(0)[0]
    make_pool([make_crop_of(1, 1)], overwrite=True)
    assert (old.read(0)[0] == before).all()


def test_writer__does_not_replace_unasked(make_pool, make_crop_of):
    made = make_pool([make_crop_of(0, 1)])
    with pytest.raises(ExistsError, match="is there already"):
        make_pool([make_crop_of(0, 1)])
    assert len(InstancePool.open(made.path)) == 1


def test_writer__never_replaces_what_is_no_pool(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(ExistsError, match=r"thesis\.txt.*not replaced"), PoolWriter(tmp_path, [], overwrite=True):
        pass


def test_writer__failure_leaves_nothing(tmp_path, make_crop_of):
    with pytest.raises(KeyboardInterrupt), PoolWriter(tmp_path / "pool", []):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_writer__empty(make_pool):
    with pytest.raises(NothingLeft, match="literal crops gives no instance"):
        make_pool([])


def test_writer__unknown_category_is_counted(make_pool, make_crop_of):
    made = make_pool([make_crop_of(0, 1), make_crop_of(1, 99)])
    assert made.manifest.skipped == {"unknown category 99": 1}


def test_build_hash__does_not_depend_on_the_order_of_work(make_pool, make_crop_of):
    crops = [make_crop_of(number, 7) for number in range(4)]
    first, second = make_pool(crops, "a"), make_pool(crops[::-1], "b")
    assert first.manifest.build == second.manifest.build
    assert (first.read(2)[0] == second.read(2)[0]).all()


@pytest.mark.parametrize("name", ["index.npy", "sources.npy", "blobs.bin"])
def test_open__a_pipe_in_its_place_is_refused_and_not_waited_for(copied, name):
    (copied / name).unlink()
    os.mkfifo(copied / name)
    with pytest.raises(PoolError, match=f"{name}: a pipe or a device"):
        InstancePool.open(copied)
