from __future__ import annotations

import pytest
import timm
import torch
from divergen_train.detectors.backbone import BackboneFPN, fold_batch_norms, pad_within
from divergen_train.detectors.protocol import Detector, Target
from divergen_train.detectors.torchvision import pad_images
from divergen_train.detectors.weights import load_efficientnet_lite0
from divergen_train.training.config import TorchvisionConfig, TrainConfig


def target(*boxes: tuple[int, int, int, int]) -> Target:
    masks = torch.zeros(len(boxes), 64, 64, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = 1
    return Target(
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.ones(len(boxes), dtype=torch.int64),
        masks=masks,
        image_id=1,
        sources=(None,) * len(boxes),
    )


@pytest.fixture
def images() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=generator) for _ in range(2)]


def test_fold_batch_norms__same_features() -> None:
    body = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True).eval()
    load_efficientnet_lite0(body)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = body(image)
        fold_batch_norms(body)
        after = body(image)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in body.modules())
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [(64, 96), (63, 96), (65, 35)])
def test_pad_within__same_features(size: tuple[int, int]) -> None:
    body = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True).eval()
    load_efficientnet_lite0(body)
    image = torch.rand(1, 3, *size)
    with torch.no_grad():
        before = body(image)
        pad_within(body)
        after = body(image)
    assert sum(type(module).__name__ == "_Same" for module in body.modules()) == 5  # the stem and four stages
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("min_stride", "strides"), [(4, (4, 8, 16, 32)), (8, (8, 16, 32))])
def test_backbone__levels(min_stride: int, strides: tuple[int, ...]) -> None:
    backbone = BackboneFPN(8, min_stride=min_stride, frozen_stages=2)
    levels = backbone(backbone.normalise(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)))
    assert [tuple(level.shape) for level in levels.values()] == [(1, 8, 64 // s, 64 // s) for s in strides]


def test_backbone__frozen_stages() -> None:
    backbone = BackboneFPN(8, min_stride=4, frozen_stages=2)
    trained = {name.split(".")[1] for name, p in backbone.body.named_parameters() if p.requires_grad}
    assert trained == {"2", "3", "4", "5", "6"}


def test_detector__losses_in_training(tiny: TrainConfig, images: list[torch.Tensor]) -> None:
    detector: Detector = tiny.detector.build(3)
    assert isinstance(detector, Detector)
    losses = detector(images, [target((10, 10, 30, 30)), target()])
    names = {"loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"}
    assert set(losses) == names
    assert all(torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in detector.parameters() if p.requires_grad)


def test_detector__images_without_objects(tiny: TrainConfig, images: list[torch.Tensor]) -> None:
    losses = tiny.detector.build(3)(images, [target(), target()])
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert losses["loss_mask"] == 0


def test_detector__loss_weights(tiny: TrainConfig, images: list[torch.Tensor]) -> None:
    def mask_loss(weight: float) -> float:
        torch.manual_seed(0)
        config = tiny.detector.model_copy(update={"mask_loss_weight": weight})
        return float(config.build(3)(images, [target((10, 10, 30, 30)), target()])["loss_mask"].detach())

    assert mask_loss(2.0) == pytest.approx(2 * mask_loss(1.0), rel=1e-5)


def test_detector__detections(images: list[torch.Tensor]) -> None:
    torch.manual_seed(0)
    detector = TorchvisionConfig(score_threshold=0.0, detections=20, fpn_channels=16).build(3)
    detector.train(False)
    with torch.no_grad():
        found = detector([images[0], images[1][:, :40]])
    for detections, height in zip(found, (64, 40), strict=True):
        assert detections["masks"].shape == (20, 28, 28)
        assert detections["boxes"].shape == (20, 4)
        assert detections["boxes"][:, 3].max() <= height
        assert detections["labels"].min() >= 1
        assert detections["labels"].max() <= 3
        assert detections["scores"].tolist() == sorted(detections["scores"].tolist(), reverse=True)


def test_detector__nothing_found(tiny: TrainConfig, images: list[torch.Tensor]) -> None:
    detector = tiny.detector.model_copy(update={"score_threshold": 0.999}).build(3)
    detector.train(False)
    with torch.no_grad():
        assert [len(found["boxes"]) for found in detector(images)] == [0, 0]


def test_pad_images() -> None:
    batch, sizes = pad_images([torch.ones(3, 40, 50), torch.ones(3, 10, 70)], 32)
    assert batch.shape == (2, 3, 64, 96)
    assert sizes == [(40, 50), (10, 70)]
    assert (batch == 1).sum() == 3 * (40 * 50 + 10 * 70)
    assert batch[1, 0, 10, 0] == 127
