from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, DatasetError, WeightsError
from divergen_records.masks import decode_rle
from divergen_train import TrainConfig, predict
from divergen_train.cli import main
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.config import TorchvisionConfig
from divergen_train.detectors.protocol import Detections
from divergen_train.training.checkpoint import Checkpoint, save_checkpoint
from divergen_train.training.inference import paste_mask


class OneDisc:
    """A detector that finds one object, of the second category, in the middle of each image."""

    backbone = None

    def __call__(self, images: list[torch.Tensor], targets: object = None) -> list[Detections]:
        return [
            Detections(
                boxes=torch.tensor([[0.25, 0.25, 0.75, 0.75]]) * torch.tensor(image.shape[1:]).flip(0).repeat(2),
                labels=torch.tensor([2]),
                scores=torch.tensor([0.75]),
                masks=torch.ones(1, 14, 14),
            )
            for image in images
        ]


@pytest.mark.parametrize("image_size", [64, 32, 128])
def test_predict__in_pixels_of_the_file(shapes: Dataset, image_size: int) -> None:
    results = predict(OneDisc(), shapes, image_size=image_size)  # type: ignore[arg-type]
    assert [row["image_id"] for row in results] == [image.id for image in shapes.images]
    assert results[0]["bbox"] == [16, 16, 32, 32]
    assert results[0]["score"] == 0.75
    assert results[0]["category_id"] == shapes.categories[1].id
    mask = decode_rle(results[0]["segmentation"])
    assert mask.shape == (64, 64)
    assert mask[16:48, 16:48].all()
    assert mask.sum() == 32 * 32


def test_predict__detector_needs_a_size(shapes: Dataset) -> None:
    with pytest.raises(ConfigError, match="image_size"):
        predict(OneDisc(), shapes)  # type: ignore[arg-type]


def test_predict__number_of_detections_is_for_a_checkpoint(shapes: Dataset) -> None:
    with pytest.raises(ConfigError, match="detections is for a checkpoint"):
        predict(OneDisc(), shapes, image_size=64, detections=5)  # type: ignore[arg-type]


def test_command_predict__size_and_number(shapes: Dataset, shapes_path: Path, tmp_path: Path) -> None:
    """Untrained, with no threshold on the score: as many detections as asked for, at any size."""
    config = TorchvisionConfig(score_threshold=0)
    categories = tuple(shapes.categories)
    state = build_detector(config, categories, pretrained=False).state_dict()
    train = TrainConfig(detector=config, image_size=64, warmup=0)
    save_checkpoint(tmp_path / "model.pt", Checkpoint(0, 0, train, categories, state, state, {}))
    found = {}
    for size, number in ((64, 3), (96, 3), (64, 310)):
        out = tmp_path / f"{size}-{number}.json"
        arguments = ["predict", str(tmp_path / "model.pt"), str(shapes_path), "--out", str(out)]
        run = CliRunner().invoke(
            main,
            [*arguments, "--images", str(shapes_path.parent / "images"), "--image-size", str(size), "--detections",
             str(number), "--batch-size", "2"],
        )  # fmt: skip
        assert run.exit_code == 0, run.output
        rows = found[size, number] = json.loads(out.read_text())
        assert set(Counter(row["image_id"] for row in rows).values()) <= set(range(1, number + 1))
        assert all(row["segmentation"]["size"] == [64, 64] for row in rows)
    assert len(found[64, 3]) == len(found[96, 3]) == 3 * len(shapes.images)
    assert found[64, 3] != found[96, 3]
    assert len(found[64, 310]) > len(found[64, 3])


def test_predict__other_categories(shapes: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"3 of its 3 .*unknown \['red', 'green', 'blue'\], trained are \['cat'\]"):
        predict(OneDisc(), shapes, image_size=64, categories=[Category(id=1, name="cat")])  # type: ignore[arg-type]


def test_predict__of_the_data_sets_categories_alone(shapes: Dataset) -> None:
    for kept, count in ((shapes.categories[1:2], len(shapes.images)), (shapes.categories[:1], 0)):
        some = Dataset(shapes.path, shapes.image_dir, shapes.images, [], kept)
        rows = predict(OneDisc(), some, image_size=64, categories=shapes.categories)  # type: ignore[arg-type]
        assert [row["category_id"] for row in rows] == [one.id for one in kept] * count


def test_predict__no_checkpoint(shapes: Dataset, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such checkpoint"):
        predict(tmp_path / "checkpoint.pt", shapes)


def test_predict__not_our_checkpoint(shapes: Dataset, tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="not a checkpoint of this version"):
        predict(tmp_path / "other.pt", shapes)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((2, 1, 6, 5), (slice(1, 5), slice(2, 6))),
        ((-3, -3, 4, 4), (slice(0, 4), slice(0, 4))),
        ((5, 5, 20, 20), (slice(5, 8), slice(5, 8))),
        ((9, 9, 12, 12), (slice(0, 0), slice(0, 0))),
    ],
)
def test_paste_mask__full(box: tuple[int, ...], expected: tuple[slice, slice]) -> None:
    mask = paste_mask(np.ones((4, 4), np.float32), np.array(box, np.float32), 8, 8)
    truth = np.zeros((8, 8), bool)
    truth[expected] = True
    assert (mask == truth).all()


def test_paste_mask__halves_fall_on_their_pixels() -> None:
    half = np.zeros((4, 4), np.float32)
    half[:, :2] = 1
    mask = paste_mask(half, np.array([1, 0, 7, 6], np.float32), 8, 8)
    assert mask[0].tolist() == [False, True, True, True, False, False, False, False]


def test_paste_mask__parts_of_pixels() -> None:
    """A disc keeps its area and its centre wherever its box lies."""
    ys, xs = np.mgrid[:28, :28] + 0.5
    disc = (((ys - 14) ** 2 + (xs - 14) ** 2) <= 14**2).astype(np.float32)
    for shift in (0.0, 0.3, 0.5, 0.8):
        mask = paste_mask(disc, np.array([20 + shift, 20, 40 + shift, 40], np.float32), 64, 64)
        rows, columns = np.nonzero(mask)
        assert mask.sum() == pytest.approx(np.pi * 100, rel=0.05)
        assert columns.mean() + 0.5 == pytest.approx(30 + shift, abs=0.35)
        assert rows.mean() + 0.5 == pytest.approx(30, abs=0.35)
