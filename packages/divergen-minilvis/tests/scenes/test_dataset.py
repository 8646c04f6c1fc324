from collections import Counter

import numpy as np
import pytest
from divergen_minilvis import make_minilvis, sketch_categories
from divergen_minilvis.boxes import read_box
from divergen_minilvis.scenes.dataset import _choose, _jobs
from divergen_records import ConfigError, ExistsError
from divergen_records.coco import load_sample, read_dataset
from divergen_records.folders import MARK
from divergen_records.images import read_image
from divergen_records.masks import decode_rle

SMALL = {"train_images": 12, "val_images": 10, "size": 64, "categories": 6, "progress": False}
COUNTS = [27, 21]
MEANS = [168.0, 141.8, 173.6]
"""Of the classic box: annotations in the two sets, and mean grey of the first training images."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_minilvis(tmp_path_factory.mktemp("minilvis") / "out", seed=3, **SMALL)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("split", ["train", "val"])
def test_make_minilvis__is_a_valid_dataset(made, split):
    dataset = read_dataset(made.root / f"{split}.json")
    assert not dataset.problems
    assert len(dataset.images) == SMALL[f"{split}_images"]
    for image in dataset.images:
        assert max(image.width, image.height) == 64
        assert read_image(dataset.image_path(image), size=(image.height, image.width)).std() > 2
        shown = {annotation.category_id for annotation in dataset.annotations_of(image.id)}
        assert shown
        assert not shown & set(image.neg_category_ids)
        assert set(image.not_exhaustive_category_ids) <= shown
        assert len(load_sample(dataset, image).instances) == len(dataset.annotations_of(image.id))


def test_make_minilvis__masks_boxes_and_areas_agree(made):
    for annotation in read_dataset(made.train).annotations:
        mask = decode_rle(annotation.segmentation)
        rows, columns = np.nonzero(mask)
        assert annotation.area == mask.sum()
        assert annotation.bbox == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_make_minilvis__categories_say_what_the_training_set_has(made):
    train, val = read_dataset(made.train), read_dataset(made.val)
    assert train.categories == val.categories
    images = Counter(c for c, _ in {(a.category_id, a.image_id) for a in train.annotations})
    instances = Counter(a.category_id for a in train.annotations)
    for category in train.categories:
        assert category.image_count == images[category.id] > 0
        assert category.instance_count == instances[category.id]
        assert category.frequency == ("r" if images[category.id] <= 10 else "c")
        assert category.definition
    assert {a.category_id for a in val.annotations} == {category.id for category in val.categories}


def test_make_minilvis__does_not_depend_on_workers(made, tmp_path):
    again = make_minilvis(tmp_path / "out", seed=3, workers=2, **SMALL)
    assert files(again.root) == files(made.root)


def test_make_minilvis__seed_changes_it(made, tmp_path):
    other = make_minilvis(tmp_path / "out", seed=4, **SMALL)
    shared = set(files(other.root).items()) & set(files(made.root).items())
    assert [str(name) for name, _ in shared] == [MARK]  # the list of files


def test_make_minilvis__does_not_overwrite(made, tmp_path):
    with pytest.raises(ExistsError, match="is there already"):
        make_minilvis(made.root)
    (tmp_path / "empty").mkdir()
    assert make_minilvis(tmp_path / "empty", **SMALL).train.exists()


def test_make_minilvis__leaves_nothing_behind_when_it_fails(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("divergen_minilvis.scenes.dataset.write_lvis", fail)
    with pytest.raises(OSError, match="No space left"):
        make_minilvis(tmp_path / "out", **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"categories": ["cup", "dragon"]}, "does not know 'dragon'"),
        ({"categories": ["cup"]}, "at least two"),
        ({"categories": 1000}, "is not in 2"),
        ({"train_images": 3}, "at least 10 images"),
        ({"size": 8}, "64 pixels"),
    ],
)
def test_make_minilvis__refuses(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        make_minilvis(tmp_path / "out", **{**SMALL, **settings})
    assert list(tmp_path.iterdir()) == []


def test_make_minilvis__the_classic_box_is_the_default_and_as_it_was(made, tmp_path):
    again = make_minilvis(tmp_path / "out", box="classic", seed=3, **SMALL)
    assert files(again.root) == files(made.root)
    train = read_dataset(made.train)
    # From before there were boxes; pictures within what another build of OpenCV may round.
    assert [len(train.annotations), len(read_dataset(made.val).annotations)] == COUNTS
    means = [read_image(train.image_path(image)).mean() for image in train.images[:3]]
    assert means == pytest.approx(MEANS, abs=0.5)


def test_make_minilvis__another_box_is_deterministic_and_shows_the_same_categories(made, tmp_path):
    one, two = (
        make_minilvis(tmp_path / str(workers), box="modes", seed=3, workers=workers, **SMALL) for workers in (1, 2)
    )
    assert files(one.root) == files(two.root)
    ours, theirs = (read_dataset(each.train) for each in (one, made))
    assert [c.name for c in ours.categories] == [c.name for c in theirs.categories]
    assert (one.root / "train/000001.jpg").read_bytes() != (made.root / "train/000001.jpg").read_bytes()


def test_jobs__rare_categories_of_the_box_modes_are_in_enough_validation_images():
    box = read_box("modes")
    names = _choose(box.categories, 0)
    shown = Counter(name for job in _jobs("val", box.val.images, names, 0, box) for name in job.categories)
    assert min(shown.values()) >= 15
    frequencies = Counter(category.frequency for category in sketch_categories(box="modes"))
    assert frequencies["r"] >= 15
    assert min(frequencies[each] for each in "cf") >= 3
