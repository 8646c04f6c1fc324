import pickle
import warnings

import numpy as np
import pytest
from divergen_paste import Chain, Paster
from divergen_records import ConfigError
from divergen_records.sample import Sample

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a newer version of itself
    A = pytest.importorskip("albumentations")

from divergen_paste.albumentations import InstancePaste

CATEGORIES = {1: "cup", 3: "bow_(weapon)", 7: "apple"}


@pytest.fixture
def paster(pool):
    return Paster(pool, count="fixed", max_instances=4, min_visible=1)


@pytest.fixture
def data(sample):
    """The sample without its crowd."""
    instances = sample.instances[:3]
    masks = Sample(sample.image, instances, 5).masks().view(np.uint8)
    boxes = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in (instance.box for instance in instances)]
    return {"image": sample.image, "masks": masks, "bboxes": boxes, "labels": [1, 3, 7], "image_id": 5}


def compose(*transforms, **options):
    return A.Compose(transforms, bbox_params=A.BboxParams("coco", label_fields=["labels"], **options), seed=0)


def tight(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]


def test_transform__equals_the_paster(paster, data, sample):
    result = compose(InstancePaste(paster, CATEGORIES))(**data)
    expected = paster(Sample(sample.image, sample.instances[:3], image_id=5))
    assert (result["image"] == expected.image).all()
    assert (result["masks"] == expected.masks()).all()
    assert result["labels"] == expected.category_ids().tolist()
    assert result["masks"].dtype == np.uint8
    for box, mask in zip(result["bboxes"], result["masks"], strict=True):
        assert box == pytest.approx(tight(mask), abs=1e-3)


def test_transform__in_a_pipeline(paster, data):
    result = compose(InstancePaste(paster, CATEGORIES), A.HorizontalFlip(p=1), A.Resize(64, 80))(**data)
    assert result["image"].shape == (64, 80, 3)
    assert result["masks"].shape == (len(result["labels"]), 64, 80)
    assert len(result["bboxes"]) == len(result["labels"])


def test_transform__after_others(paster, data):
    result = compose(A.Resize(64, 80), InstancePaste(paster, CATEGORIES))(**data)
    assert result["masks"].shape == (len(result["bboxes"]), 64, 80)


def test_transform__names_as_labels(paster, data):
    names = {1: "cup", 3: "bow", 7: "apple"}
    data["labels"] = ["cup", "bow", "apple"]
    result = compose(InstancePaste(paster, CATEGORIES, label_of=names))(**data)
    plain = compose(InstancePaste(paster, CATEGORIES))(**{**data, "labels": [1, 3, 7]})
    assert result["labels"] == [names[label] for label in plain["labels"]]


def test_transform__other_label_fields(paster, data):
    params = A.BboxParams("coco", label_fields=["labels", "tracks", "colours"])
    data |= {"tracks": np.array([7, 8, 9]), "colours": ["red", "green", "blue"]}
    result = A.Compose([InstancePaste(paster, CATEGORIES)], bbox_params=params)(**data)
    old = len(result["labels"]) - 4
    assert result["tracks"].tolist()[old:] == [0] * 4
    assert result["colours"][old:] == [""] * 4
    assert set(result["colours"][:old]) <= {"red", "green", "blue"}


@pytest.mark.parametrize("kind", [list, np.array])
def test_transform__without_objects(paster, data, kind):
    transform = compose(InstancePaste(paster, CATEGORIES))
    data |= {"masks": [], "bboxes": kind([]), "labels": kind([])}
    for _ in range(2):
        result = transform(**data)
        assert len(result["masks"]) == len(result["bboxes"]) == len(result["labels"]) > 0
        assert isinstance(result["masks"], list)
        assert set(np.asarray(result["labels"]).tolist()) <= {1, 3, 7}


def test_transform__without_boxes(paster, data):
    del data["bboxes"]
    result = A.Compose([InstancePaste(paster, CATEGORIES)])(**data)
    assert len(result["labels"]) == len(result["masks"])
    data["labels"] = np.array(data["labels"])
    assert isinstance(InstancePaste(paster, CATEGORIES)(**data)["labels"], np.ndarray)


def test_transform__without_image_id_follows_the_compose(paster, data):
    del data["image_id"]
    first, second = (compose(InstancePaste(paster, CATEGORIES)) for _ in range(2))
    image = first(**data)["image"]
    assert (second(**data)["image"] == image).all()
    assert (first(**data)["image"] != image).any()


def test_transform__epochs_differ(paster, data):
    transform = compose(InstancePaste(paster, CATEGORIES))
    assert (transform(**data, epoch=1)["image"] != transform(**data, epoch=2)["image"]).any()
    assert (transform(**data, epoch=1)["image"] == transform(**data, epoch=1)["image"]).all()


def test_transform__nothing_pasted_changes_nothing(pool, data):
    result = compose(InstancePaste(Paster(pool, max_instances=0), CATEGORIES))(**data)
    assert result["labels"] == data["labels"]
    assert np.allclose(result["bboxes"], data["bboxes"], atol=1e-3)
    assert (result["masks"] == data["masks"]).all()


def test_transform__strict_and_pickled(paster, data):
    transform = A.Compose(
        [InstancePaste(Chain(paster, paster), CATEGORIES)],
        bbox_params=A.BboxParams("coco", label_fields=["labels"]),
        strict=True,
        seed=0,
    )
    copied = pickle.loads(pickle.dumps(transform))
    assert (copied(**data)["image"] == transform(**data)["image"]).all()


def test_transform__bad_data(paster, data):
    transform = compose(InstancePaste(paster, CATEGORIES))
    with pytest.raises(ConfigError, match="2 masks and 3 labels"):
        transform(**{**data, "masks": data["masks"][:2]})
    with pytest.raises(ConfigError, match="no 'labels'"):
        A.Compose([InstancePaste(paster, CATEGORIES)])(image=data["image"], masks=data["masks"])
    with pytest.raises(ConfigError, match="the label 99"):
        transform(**{**data, "labels": [99, 1, 1]})
    with pytest.raises(ConfigError, match=r"category ids \[3, 7\]"):
        InstancePaste(paster, CATEGORIES, label_of={1: 0})
