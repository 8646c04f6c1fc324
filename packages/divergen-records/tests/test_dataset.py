import pickle

import numpy as np
import pytest
from divergen_records import Category, DatasetError
from divergen_records.coco import Annotation, Dataset, ImageInfo, read_dataset


def test_dataset__unknown_ids(content, write):
    dataset = read_dataset(write(content))
    with pytest.raises(DatasetError, match="no category with the id 9"):
        dataset.category(9)
    with pytest.raises(DatasetError, match="no image with the id 9"):
        dataset.image(9)
    assert dataset.image(2).file_name == "b.png"


def test_dataset__survives_pickling_for_loader_workers(content, write):
    dataset = read_dataset(write(content))
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.annotations == dataset.annotations
    assert copy.annotations_of(2) == dataset.annotations_of(2)
    assert copy.categories == dataset.categories


def test_dataset__made_by_hand(tmp_path):
    image = ImageInfo(id=1, width=4, height=4, file_name="../a.png")
    annotation = Annotation(1, 1, 1, np.array([0, 0, 2, 2]), 4.0, [[0, 0, 2, 0, 2, 2, 0, 2]])
    dataset = Dataset(tmp_path / "x.json", tmp_path, [image], [annotation], [Category(id=1, name="cup")])
    assert dataset.annotations_of(1) == [annotation]
    with pytest.raises(DatasetError, match="leaves the folder of images"):
        dataset.image_path(image)


def test_annotation__equality_and_repr():
    one = Annotation(1, 2, 3, [0, 0, 2, 2], 4.0, {"size": [2, 2], "counts": [0, 4]}, 1)
    assert one == Annotation(1, 2, 3, (0, 0, 2, 2), 4.0, {"size": [2, 2], "counts": [0, 4]}, True)
    assert one != Annotation(1, 2, 3, (0, 0, 2, 2), 4.0, {"size": [2, 2], "counts": [0, 4]})
    assert repr(one) == "Annotation(id=1, image_id=2, category_id=3, bbox=(0, 0, 2, 2), area=4.0, iscrowd=True)"
