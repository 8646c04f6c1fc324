from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from divergen_records.dataset import Annotation, Dataset, ImageInfo
from divergen_records.deferred import DeferredDataset, summarize
from divergen_records.record import Category


@pytest.fixture
def whole() -> Dataset:
    images = [ImageInfo(id=1, width=4, height=3, file_name="a.jpg")]
    annotations = [Annotation(1, 1, 2, (0, 0, 1, 1), 1.0, None)]
    categories = [Category(id=1, name="animals"), Category(id=2, name="cat"), Category(id=3, name="dog")]
    rows = {key: {"supercategory": "animals"} for key in (2, 3)}
    dataset = Dataset(Path("a.json"), Path("images"), images, annotations, categories, ["lost"], category_rows=rows)
    return dataset.replace(notes=["a note"], repairs=["mended"], licenses=[{"id": 1}]).counted()


def deferred(whole: Dataset, reads: list[Dataset]) -> DeferredDataset:
    def read() -> Dataset:
        reads.append(whole)
        return whole

    return DeferredDataset(json.loads(json.dumps(summarize(whole))), read)


def test_deferred_dataset__categories_and_what_was_told_need_no_file(whole: Dataset) -> None:
    reads: list[Dataset] = []
    dataset = deferred(whole, reads)
    for name in ("path", "image_dir", "categories", "problems", "repairs", "notes"):
        assert getattr(dataset, name) == getattr(whole, name)
    assert dataset.root_categories == whole.root_categories == whole.categories[:1]
    assert dataset.class_categories == whole.class_categories
    assert dataset.unused_categories == whole.unused_categories
    assert dataset.category(2) == whole.category(2)
    assert not reads


def test_deferred_dataset__the_rest_is_read_once(whole: Dataset) -> None:
    reads: list[Dataset] = []
    dataset = deferred(whole, reads)
    assert dataset.images == whole.images
    assert dataset.annotations_of(1) == whole.annotations
    assert dataset.image(1) == whole.images[0]
    assert repr(dataset) == repr(whole)
    assert dataset.licenses == whole.licenses
    assert dataset.replace(problems=()).annotations == whole.annotations
    assert len(reads) == 1


def test_deferred_dataset__goes_to_another_process_whole(whole: Dataset) -> None:
    found = pickle.loads(pickle.dumps(deferred(whole, [])))
    assert found.annotations == whole.annotations


def test_deferred_dataset__unknown_attribute(whole: Dataset) -> None:
    dataset = deferred(whole, [])
    with pytest.raises(AttributeError, match="no attribute 'imagez'"):
        _ = dataset.imagez
