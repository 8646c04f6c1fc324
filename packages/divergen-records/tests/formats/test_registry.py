import tarfile

import msgspec
import pytest
from divergen_records import ConfigError, DatasetError
from divergen_records.formats import find_format, get_format, read_any, readers, registry, writers
from divergen_records.testing import check_format, small_dataset


@pytest.mark.parametrize("name", sorted({*readers(), *writers()}))
def test_check_format__ours(name, tmp_path):
    check_format(name, tmp_path)


@pytest.mark.parametrize("name", sorted(writers()))
def test_writers__a_picture_with_the_longest_name(name, tmp_path):
    dataset = small_dataset(tmp_path / "source")
    first = dataset.images[0]
    long = msgspec.structs.replace(first, file_name="x" * 251 + ".png")
    dataset.image_path(first).rename(dataset.image_path(long))
    dataset.images[0] = long
    out = tmp_path / ("out.json" if name in ("coco", "lvis") else "out")
    written = writers()[name].write(dataset, out)
    for shard in out.glob("*.tar"):
        with tarfile.open(shard) as tar:
            tar.extractall(tmp_path, filter="data")
    if name in readers():
        assert len(read_any(written, **({"image_dir": dataset.image_dir} if out.is_file() else {})).annotations) == 3


def test_readers_and_writers():
    others = {"png", "png-labels", "webdataset"}
    assert set(writers()) == {"coco", "fiftyone", "labelme", "lvis", "yolo", "xpaste-pool", *others}
    assert set(readers()) == {"coco", "fiftyone", "lvis", "yolo", "labelme", "xpaste-pool"}


def test_get_format__unknown():
    with pytest.raises(ConfigError, match=r"'yol' is not known; did you mean 'yolo'\? Known are .*xpaste-pool"):
        get_format("yol")


@pytest.mark.parametrize("name", ["coco", "fiftyone", "yolo", "xpaste-pool"])
def test_find_format__tells_what_was_written(name, tmp_path):
    written = writers()[name].write(small_dataset(tmp_path / "source"), tmp_path / "out")
    assert find_format(written).name == name
    assert len(read_any(written).annotations) == 3


def test_find_format__nothing_known(tmp_path):
    with pytest.raises(DatasetError, match="no format recognises it"):
        find_format(tmp_path)
    with pytest.raises(DatasetError, match="there is no such file or folder"):
        find_format(tmp_path / "gone")


class Voc:
    name, about, needs_masks, beside = "voc", "Pascal VOC", True, False

    def write(self, dataset, out, *, overwrite=False, progress=False):
        raise NotImplementedError


def test_an_outside_package_adds_a_format(monkeypatch):
    class Point:
        name, value = "voc", "my_package:Voc"

        def load(self):
            return Voc

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()] if group == "divergen.formats" else [])
    registry._formats.cache_clear()
    try:
        assert get_format("voc").about == "Pascal VOC"
        assert "voc" in writers()
        assert "voc" not in readers()
    finally:
        registry._formats.cache_clear()
