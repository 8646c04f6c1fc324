import json
from pathlib import Path

import numpy as np
import pytest
from divergen_paste import area_statistics, read_statistics, write_statistics
from divergen_records import DatasetError


def test_area_statistics__mean_and_deviation(dataset):
    whole = int(dataset.annotations[0].area)
    dataset.annotations[2] = small = annotation_with(dataset.annotations[2], [[10, 10, 30, 10, 30, 20, 10, 20]])
    dataset.annotations[4].iscrowd = True
    first, second = np.sqrt(whole / (96 * 128)), np.sqrt(200 / (96 * 128))
    statistics = area_statistics(dataset)
    assert list(statistics) == [1, 7]
    assert statistics[1] == pytest.approx(((first + second) / 2, (first - second) / 2))
    assert small.area == whole


@pytest.mark.parametrize("declared", [0.0, 1.0, 50.0 * 40.0])
def test_area_statistics__the_mask_not_the_declared_area(dataset, declared):
    expected = area_statistics(dataset)
    for annotation in dataset.annotations:
        annotation.area = declared
    assert area_statistics(dataset) == expected


def annotation_with(annotation, segmentation):
    return type(annotation)(annotation.id, annotation.image_id, annotation.category_id, annotation.bbox,
                            annotation.area, segmentation)  # fmt: skip


def test_area_statistics__cache(dataset, tmp_path):
    cache = tmp_path / "cache.json"
    first = area_statistics(dataset, cache=cache)
    dataset.annotations.clear()
    assert area_statistics(dataset, cache=cache) == first


def test_write_statistics__is_the_published_form(tmp_path):
    write_statistics(tmp_path / "s.json", {7: (0.25, 0.125)})
    assert json.loads((tmp_path / "s.json").read_text()) == {"7": [0.25, 0.125]}
    assert read_statistics(tmp_path / "s.json") == {7: (0.25, 0.125)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a file of area statistics"),
        ("[]", "found a list"),
        ('{"1": [0.5]}', "key '1'"),
        ('{"1": [2, 0.1]}', "key '1'"),
        ('{"a": [0.1, 0.1]}', "key 'a'"),
        ('{"1": null}', "key '1'"),
    ],
)
def test_read_statistics__malformed(tmp_path, text, message):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_statistics(tmp_path / "s.json")


def test_read_statistics__published_lvis_file():
    for parent in Path(__file__).resolve().parents:
        path = parent / "shared" / "data" / "lvis_v1_area_mean_std.json"
        if path.is_file():
            assert len(read_statistics(path)) == 1203
            return
    pytest.skip("shared/data is not here")
