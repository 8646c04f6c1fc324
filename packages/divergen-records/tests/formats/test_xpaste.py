import json

import numpy as np
import pytest
from divergen_records import DatasetError
from divergen_records.formats import find_format, read_any
from PIL import Image


@pytest.fixture
def pool(tmp_path):
    """A published pool of two cut-outs, one with a palette as pngquant leaves it; gives the folder."""
    pixels = np.zeros((12, 20, 4), np.uint8)
    pixels[2:8, 3:9] = 200, 10, 10, 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).quantize(8).save(tmp_path / "b.png")
    return tmp_path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_read_pool__encodings_palettes_and_categories_without_a_name(pool, encoding):
    (pool / "instance_pools.json").write_text(json.dumps({"0": ["a.png"], "3": ["b.png"]}), encoding=encoding)
    assert find_format(pool).name == "xpaste-pool"
    dataset = read_any(pool)
    assert [one.bbox for one in dataset.annotations] == [(3, 2, 6, 6)] * 2
    assert [one.name for one in dataset.categories] == ["category 1", "category 4"]
    assert dataset.notes[1].startswith("2 categories have no name, as categories.json is not there")


def test_read_pool__a_picture_without_alpha_is_told(pool):
    Image.new("RGB", (4, 4)).save(pool / "a.png")
    (pool / "instance_pools.json").write_text('{"0": ["a.png", "b.png"]}')
    with pytest.raises(DatasetError, match=r"a\.png: has no alpha channel"):
        read_any(pool)
    assert len(read_any(pool, on_problem="skip").annotations) == 1
