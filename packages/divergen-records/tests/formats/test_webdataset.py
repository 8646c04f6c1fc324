import json
import tarfile

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.coco import read_dataset
from divergen_records.formats.webdataset import write_webdataset
from PIL import Image


@pytest.fixture
def dataset(content, write):
    data = read_dataset(write(content))
    for image in data.images:
        path = data.image_dir / image.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (image.width, image.height)).save(path)
    return data


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves shards open
def test_write_webdataset__as_the_library_reads_it(dataset, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    write_webdataset(dataset, tmp_path / "out")
    shards = str(tmp_path / "out" / "shard-000000.tar")
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert len(samples) == len(dataset.images)
    for image, sample in zip(dataset.images, samples, strict=True):
        assert sample["json"]["file_name"] == image.file_name
        assert [one["category_id"] for one in sample["json"]["objects"]] == [
            one.category_id for one in dataset.annotations_of(image.id)
        ]
        assert sample["mask.png"].shape[:2] == (image.height, image.width)


def test_write_webdataset__map_numbers_the_objects(dataset, tmp_path):
    write_webdataset(dataset, tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "shard-000000.tar") as tar:
        labels = np.asarray(Image.open(tar.extractfile("b.mask.png")))
        objects = json.load(tar.extractfile("b.json"))["objects"]
    assert set(np.unique(labels)) - {0} == set(range(1, len(objects) + 1))


def test_write_webdataset__several_shards_in_the_index(dataset, tmp_path):
    index = json.loads(write_webdataset(dataset, tmp_path / "out", shard_bytes=1).read_text())
    assert [shard["nsamples"] for shard in index["shardlist"]] == [1] * len(dataset.images)
    names = sorted(path.name for path in (tmp_path / "out").glob("*.tar"))
    assert [shard["url"] for shard in index["shardlist"]] == names


def test_write_webdataset__two_pictures_of_one_key(content, write, tmp_path):
    content["images"][0]["file_name"], content["images"][1]["file_name"] = "a.b.png", "a_b.png"
    with pytest.raises(DatasetError, match=r"'a\.b\.png', 'a_b\.png'\) would share the sample 'a_b'"):
        write_webdataset(read_dataset(write(content)), tmp_path / "out")
