"""Mask2Former and DETR of transformers, the real classes at a tiny size: from a run's settings to AP and report."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from divergen import Run, load_config, run_pipeline
from divergen.check import check_run
from divergen.fork import fork
from divergen.testing import check_trainer
from divergen.trainers.protocol import TrainTask
from divergen.trainers.transformers.config import TransformersTrainConfig
from divergen_records import ConfigError, WeightsError
from divergen_records.coco import Dataset, read_dataset

pytestmark = pytest.mark.skipif(
    not (find_spec("transformers") and find_spec("accelerate")), reason="needs the extra `transformers`"
)

TINY = "iterations: 4, image_size: 64, batch_size: 2, warmup: 0, lr: 0.001, checkpoint_every: 2, log_every: 1"


@pytest.fixture(scope="module")
def mask2former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessor,
        SwinConfig,
    )

    one = {"depths": [1] * 4, "num_heads": [1] * 4, "out_features": ["stage1", "stage2", "stage3", "stage4"]}
    model = Mask2FormerForUniversalSegmentation(
        Mask2FormerConfig(
            backbone_config=SwinConfig(image_size=64, embed_dim=8, window_size=2, **one),
            **dict.fromkeys(["feature_size", "mask_feature_size", "hidden_dim"], 32),
            **dict.fromkeys(["encoder_feedforward_dim", "dim_feedforward"], 16),
            encoder_layers=1,
            decoder_layers=2,
            num_attention_heads=2,
            num_queries=6,
        )
    )
    folder = tmp_path_factory.mktemp("mask2former")
    model.save_pretrained(folder)
    Mask2FormerImageProcessor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def detr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import DetrConfig, DetrForObjectDetection, DetrImageProcessor, ResNetConfig

    backbone = ResNetConfig(embedding_size=8, hidden_sizes=[8] * 4, depths=[1] * 4, out_features=["stage4"])
    model = DetrForObjectDetection(
        DetrConfig(
            backbone_config=backbone,
            **dict.fromkeys(["d_model", "encoder_ffn_dim", "decoder_ffn_dim"], 16),
            **dict.fromkeys(["encoder_attention_heads", "decoder_attention_heads"], 2),
            encoder_layers=1,
            decoder_layers=1,
            num_queries=6,
        )
    )
    folder = tmp_path_factory.mktemp("detr")
    model.save_pretrained(folder)
    DetrImageProcessor().save_pretrained(folder)
    return folder


def config_of(folder: Path) -> TransformersTrainConfig:
    config = load_config("quickstart", [f"train={{kind: transformers, model: {json.dumps(str(folder))}, {TINY}}}"])
    assert isinstance(config.train, TransformersTrainConfig)
    return config.train


def datasets(run: Run) -> tuple[Dataset, Dataset]:
    """One training image is empty; one category less is evaluated than learned, and ids have gaps."""
    folder = run.data / "minilvis"
    train, val = (read_dataset(folder / f"{name}.json", image_dir=folder) for name in ("train", "val"))
    empty = train.images[0].id
    train = train.replace(annotations=[one for one in train.annotations if one.image_id != empty])
    left = val.categories[1:]
    ids = {category.id for category in left}
    return train, val.replace(categories=left, annotations=[one for one in val.annotations if one.category_id in ids])


@pytest.mark.parametrize("kind", ["mask2former", "detr"])
def test_check_trainer(tmp_path: Path, finished: Run, request: pytest.FixtureRequest, kind: str) -> None:
    train, val = datasets(finished)
    check_trainer(config_of(request.getfixturevalue(kind)).build, train, val, tmp_path / "training")
    rows = json.loads((tmp_path / "training" / "results.json").read_text(encoding="utf-8"))
    assert {row["category_id"] for row in rows} <= {category.id for category in val.categories}
    # Of weights made by chance some images may have no mask.
    assert rows and {row["image_id"] for row in rows} <= {image.id for image in val.images}
    assert all(("segmentation" in row) == (kind == "mask2former") for row in rows)


def test_run_pipeline__stopped_and_gone_on(
    tmp_path: Path, finished: Run, small: tuple[str, ...], mask2former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from divergen_train.training.log import TrainLog, read_log

    settings = [*small, f"train={{kind: transformers, model: {json.dumps(str(mask2former))}, {TINY}}}", "control=false"]
    results = []
    for name in ("stopped", "whole"):
        config = load_config("quickstart", settings)
        fork(finished, tmp_path / name, config)
        run = Run(tmp_path / name, config)
        with monkeypatch.context() as patch:
            write = TrainLog.write

            def stop(log: TrainLog, line: dict[str, float], write=write) -> None:  # type: ignore[no-untyped-def]
                write(log, line)
                if log.path.parent.name == "generated" and line["iteration"] == 3:
                    raise KeyboardInterrupt

            if name == "stopped":
                patch.setattr(TrainLog, "write", stop)
                with pytest.raises(KeyboardInterrupt):
                    run_pipeline(run, until="train")
        run_pipeline(run)
        lines = read_log(run.training("generated") / "log.jsonl")
        assert [line["iteration"] for line in lines] == [1, 2, 3, 4]
        results.append((lines, (run.training("generated") / "results.json").read_text(encoding="utf-8")))
        assert "4 iterations of 2 images" in run.report.read_text(encoding="utf-8")
    assert results[0] == results[1]


def test_heads__from_queries_to_the_image() -> None:
    import torch
    from divergen.trainers.transformers.heads import Masks, View

    view = View(size=(40, 80), resized=(32, 64), side=64)
    logits = torch.full((1, 2, 16, 16), -9.0)
    logits[0, 0, 0:4, 4:8] = 9.0  # of a square of 64: y 0 to 16, x 16 to 32; of the image: y 0 to 20, x 20 to 40
    scores = torch.tensor([[[1.0, 9.0, 5.0, 0.0], [0.0, 0.0, 0.0, 9.0]]])

    class Output:
        class_queries_logits, masks_queries_logits = scores, logits

    (found,) = Masks().detect(Output, [view], torch.tensor([0, 2]), most=3)
    assert found.classes.tolist() == [2, 0]
    assert found.boxes[0].tolist() == pytest.approx([20, 0, 40, 20], abs=1)
    assert found.masks is not None
    assert found.masks.shape == (2, 40, 80)
    assert found.scores[0] == pytest.approx(float(scores[0, 0].softmax(-1)[2]), rel=0.1)


@pytest.mark.parametrize(("classes", "share"), [(3, [0.5, 0.25]), (4, [0.5, 0.25])])
def test_boxes__of_both_ways_to_score(classes: int, share: list[float]) -> None:
    import torch
    from divergen.trainers.transformers.heads import Boxes, View

    with_none = torch.tensor([[[0.25, 0.125, 0.5, 0.125]]]).log()
    alone = torch.tensor([[[0.25, 0.9, 0.5, 0.1]]]).logit()

    class Output:
        logits = with_none if classes == 3 else alone
        pred_boxes = torch.tensor([[[0.5, 0.25, 0.25, 0.25]]])

    view = View(size=(40, 80), resized=(32, 64), side=64)
    (found,) = Boxes(classes).detect(Output, [view], torch.tensor([0, 2]), most=300)
    assert found.classes.tolist() == [2, 0]
    assert found.scores.tolist() == pytest.approx(share)
    assert found.boxes[0].tolist() == [30, 10, 50, 30]


def test_load__says_what_is_wrong(tmp_path: Path, finished: Run, detr: Path) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import ResNetConfig

    train, val = datasets(finished)
    task = TrainTask(name="train real", dataset=train, val=val, out=tmp_path / "out", seed=0)
    ResNetConfig(architectures=["ResNetForImageClassification"]).save_pretrained(tmp_path / "classifier")
    with pytest.raises(ConfigError, match="is ResNetForImageClassification; name one that detects"):
        config_of(tmp_path / "classifier").build().train(task)
    half = tmp_path / "half"
    half.mkdir()
    for file in detr.iterdir():
        (half / file.name).write_bytes(file.read_bytes())
    weights = load_file(detr / "model.safetensors")
    save_file({key: value for key, value in weights.items() if "decoder" not in key}, half / "model.safetensors")
    with pytest.raises(WeightsError, match=r"half: \d+ weights are not in it"):
        config_of(half).build().train(task)
    save_file(weights, half / "model.safetensors")
    settings = json.loads((half / "config.json").read_text(encoding="utf-8"))
    (half / "config.json").write_text(json.dumps({**settings, "d_model": 32}), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"half: \d+ weights have other shapes than its config.json says"):
        config_of(half).build().train(task)
    (half / "config.json").write_text(json.dumps({**settings, "d_model": "many"}), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"half cannot be loaded: .*d_model"):
        config_of(half).build().train(task)


def test_check_run__folder_without_weights_and_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr("divergen_records.requirements.find_spec", lambda name: None if name == "accelerate" else 1)
    config = load_config("quickstart", [f"train={{kind: transformers, model: {json.dumps(str(tmp_path / 'empty'))}}}"])
    found = [str(one) for one in check_run(Run(tmp_path / "run", config), steps=["train"]) if one.finding.problem]
    assert any("pip install 'divergen[transformers]'" in text for text in found)
    assert any("empty holds no weights" in text for text in found)
