from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, DatasetError
from divergen_train import TrainConfig, fit, predict
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.config import DetectorConfig
from divergen_train.detectors.protocol import ClassRows
from divergen_train.training.checkpoint import Checkpoint, load_detector
from divergen_train.training.truncate import read_categories, truncate, truncate_checkpoint

CATEGORIES = tuple(Category(id=i, name=f"c{i}", image_count=i) for i in range(1, 8))


def checkpoint_of(detector: DetectorConfig, categories: tuple[Category, ...] = CATEGORIES) -> Checkpoint:
    torch.manual_seed(0)
    state = build_detector(detector, categories).state_dict()
    for name, value in state.items():
        if value.is_floating_point() and value.ndim < 2:
            state[name] = value + torch.rand_like(value)  # biases differ, so that a mixed-up row shows
    config = TrainConfig(detector=detector, image_size=64)
    return Checkpoint(0, 0, config, categories, state, {k: v.clone() for k, v in state.items()}, {"state": 1})


def test_class_rows__select() -> None:
    tensor = torch.arange(8)
    assert ClassRows(first=1).select(tensor, [2, 0], [1, 3, 4], 5).tolist() == [0, 3, 1, 6, 7]
    assert ClassRows(first=1, softmax=True).select(tensor, [2, 0], [1, 3, 4], 5).tolist() == [0, 3, 1, 2, 4, 5, 6, 7]
    assert ClassRows(each=2).select(tensor, [1, 3], [0, 2], 4).tolist() == [2, 3, 6, 7]


@pytest.mark.parametrize("classifier", ["softmax", "sigmoid"])
def test_truncate__equal_scores_of_the_kept(tiny: TrainConfig, classifier: str) -> None:
    extra = {"classifier": classifier, "federated_categories": 3 * (classifier == "sigmoid")}
    whole = checkpoint_of(tiny.detector.model_copy(update={**extra, "score_threshold": 0.0}))
    kept = [CATEGORIES[5], CATEGORIES[0], CATEGORIES[2]]
    part = truncate_checkpoint(whole, kept)
    assert part.categories == tuple(kept)
    assert part.optimizer == {}
    regions = torch.rand(9, 16, 7, 7)
    scores = []
    for checkpoint in (whole, part):
        heads = load_detector(checkpoint).roi_heads  # type: ignore[attr-defined]
        logits, _ = heads.box_predictor(heads.box_head(regions))
        scores.append(heads.classifier.scores(logits))
    torch.testing.assert_close(scores[1], scores[0][:, [5, 0, 2]])
    again = truncate_checkpoint(part, kept[1:])
    heads = load_detector(again).roi_heads  # type: ignore[attr-defined]
    logits, _ = heads.box_predictor(heads.box_head(regions))
    torch.testing.assert_close(heads.classifier.scores(logits), scores[0][:, [0, 2]])


def test_truncate__trained_checkpoint_predicts_the_same(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    detector = tiny.detector.model_copy(update={"score_threshold": 0.001})
    result = fit(shapes, out=tmp_path / "run", config=tiny.model_copy(update={"detector": detector, "iterations": 3}))
    (tmp_path / "base.json").write_text(json.dumps({"categories": [{"id": 5, "name": "red"}]}))
    truncate(result.checkpoint, tmp_path / "base.json", tmp_path / "out" / "base.pt")
    base = Dataset(shapes.path, shapes.image_dir, shapes.images, [], [shapes.category(5)])
    expected = [row for row in predict(result.checkpoint, shapes) if row["category_id"] == 5]
    found = predict(tmp_path / "out" / "base.pt", base)
    assert len(expected) > 10
    assert [(row["image_id"], row["bbox"], row["segmentation"]) for row in found] == [
        (row["image_id"], row["bbox"], row["segmentation"]) for row in expected
    ]
    assert [row["score"] for row in found] == pytest.approx([row["score"] for row in expected], abs=2e-6)


def test_truncate__refuses(tiny: TrainConfig) -> None:
    whole = checkpoint_of(tiny.detector)
    with pytest.raises(DatasetError, match=r"2 of 3 categories are not in the checkpoint, which has 7: c1 \(id 9\), x"):
        truncate_checkpoint(whole, [Category(id=9, name="c1"), Category(id=2, name="x"), CATEGORIES[1]])
    with pytest.raises(DatasetError, match="no categories to keep"):
        truncate_checkpoint(whole, [])
    with pytest.raises(DatasetError, match="named twice"):
        truncate_checkpoint(whole, [CATEGORIES[1], CATEGORIES[1]])
    del whole.model["roi_heads.box_predictor.logits.bias"]
    with pytest.raises(ConfigError, match=r"logits.bias.*the checkpoint lacks"):
        truncate_checkpoint(whole, CATEGORIES[:2])


def test_read_categories(tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    path.write_text('[{"id": 3, "name": "cat", "frequency": "r"}]')
    assert read_categories(path) == [Category(id=3, name="cat")]
    for text in ("{}", "[3]", "no"):
        path.write_text(text)
        with pytest.raises(DatasetError, match="has no list of categories with id and name"):
            read_categories(path)


def test_load_detector__needs_no_imagenet_weights(tiny: TrainConfig, tmp_path: Path) -> None:
    whole = checkpoint_of(tiny.detector)
    away = tiny.detector.model_copy(update={"weights": tmp_path / "on_another_machine.pth"})
    elsewhere = Checkpoint(0, 0, TrainConfig(detector=away, image_size=64), CATEGORIES, whole.model, whole.average, {})
    found = load_detector(elsewhere).state_dict()
    assert all(torch.equal(found[name], value) for name, value in whole.average.items())
