from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, MissingExtra
from divergen_train import TrainConfig, fit, predict
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.config import CenterNet2Config, Detectron2MaskRCNNConfig, ResNet50Config
from divergen_train.detectors.protocol import Target
from divergen_train.training.checkpoint import Checkpoint, load_checkpoint, load_detector
from divergen_train.training.truncate import truncate_checkpoint

CATEGORIES = tuple(Category(id=i, name=f"c{i}", image_count=i) for i in range(1, 8))


@pytest.mark.parametrize("kind", [CenterNet2Config, Detectron2MaskRCNNConfig])
def test_build__without_detectron2(
    monkeypatch: pytest.MonkeyPatch, kind: type[CenterNet2Config] | type[Detectron2MaskRCNNConfig]
) -> None:
    for name in [
        name
        for name in sys.modules
        if name.startswith(("detectron2", "centernet", "divergen_train.detectors.detectron2"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("detectron2", "centernet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as refusal:
        kind(backbone=ResNet50Config(weights="none")).build(3)
    message = str(refusal.value)
    assert message.startswith("detectron2")
    assert "git+https://github.com/facebookresearch/detectron2.git" in message
    assert "pip install --no-deps centernet2" in message
    assert "'torchvision' works without" in message


@pytest.mark.detectron2
def test_mask_rcnn__losses(
    mask_rcnn: Detectron2MaskRCNNConfig, images: list[torch.Tensor], targets: list[Target]
) -> None:
    detector = mask_rcnn.build(7).train(True)
    losses = detector(images, targets)
    assert set(losses) == {"loss_cls", "loss_box_reg", "loss_mask", "loss_rpn_cls", "loss_rpn_loc"}
    torch.stack(list(losses.values())).sum().backward()
    assert [name for name, p in detector.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.detectron2
@pytest.mark.parametrize("federated", [0, 3])
def test_truncate__equal_detections_of_the_kept(
    centernet2: CenterNet2Config, mask_rcnn: Detectron2MaskRCNNConfig, images: list[torch.Tensor], federated: int
) -> None:
    for config in (centernet2, mask_rcnn):
        detector = config.model_copy(
            update={"classifier": "sigmoid", "federated_categories": federated, "nms_threshold": 1.0}
        )
        torch.manual_seed(0)
        state = build_detector(detector, CATEGORIES).state_dict()
        for name, value in state.items():
            if value.is_floating_point() and value.ndim == 1:
                state[name] = value + 0.1 * torch.rand_like(value)
        whole = Checkpoint(0, 0, TrainConfig(detector=detector), CATEGORIES, state, state, {})
        kept = [CATEGORIES[4], CATEGORIES[1]]
        with torch.no_grad():
            expected, found = (load_detector(c)(images) for c in (whole, truncate_checkpoint(whole, kept)))
        for before, after in zip(expected, found, strict=True):
            assert len(before["labels"]) < 300  # nothing was crowded out
            for new, old in ((1, 5), (2, 2)):
                rows, others = before["labels"] == old, after["labels"] == new
                assert int(rows.sum()) == int(others.sum()) > 3
                for key in ("boxes", "scores", "masks"):
                    torch.testing.assert_close(after[key][others], before[key][rows])


@pytest.mark.detectron2
def test_truncate__softmax_of_detectron2(mask_rcnn: Detectron2MaskRCNNConfig) -> None:
    state = build_detector(mask_rcnn, CATEGORIES).state_dict()
    whole = Checkpoint(0, 0, TrainConfig(detector=mask_rcnn), CATEGORIES, state, state, {})
    with pytest.raises(ConfigError, match="detector mask-rcnn: with classifier=softmax"):
        truncate_checkpoint(whole, CATEGORIES[:2])


@pytest.mark.detectron2
def test_fit__resumes_to_the_bit(
    shapes: Dataset, tiny: TrainConfig, centernet2: CenterNet2Config, tmp_path: Path
) -> None:
    config = tiny.model_copy(update={"detector": centernet2, "iterations": 4})
    whole = fit(shapes, out=tmp_path / "whole", config=config)

    class PowerCut(Exception):
        pass

    left = 5

    def dies(sample):  # type: ignore[no-untyped-def]
        nonlocal left
        left -= 1
        if left < 0:
            raise PowerCut
        return sample

    with pytest.raises(PowerCut):
        fit(shapes, out=tmp_path / "killed", config=config, paste=dies)
    killed = fit(shapes, out=tmp_path / "killed", config=config, paste=lambda sample: sample)
    first, second = (load_checkpoint(result.checkpoint).model for result in (whole, killed))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
@pytest.mark.detectron2
def test_fit__centernet2_learns_the_shapes(
    shapes: Dataset, tiny: TrainConfig, centernet2: CenterNet2Config, tmp_path: Path
) -> None:
    detector = centernet2.model_copy(update={"score_threshold": 0.02, "roi_batch": 32})
    changes = {"detector": detector, "iterations": 200, "lr": 3e-3, "backbone_lr": 1.0, "warmup": 10, "batch_size": 3}
    result = fit(shapes, out=tmp_path, config=tiny.model_copy(update=changes), val=shapes)
    assert result.metrics is not None
    assert result.metrics.mask.AP is not None
    assert result.metrics.mask.AP > 0.5
    assert len(predict(result.checkpoint, shapes)) > 10
