"""Against the network that detectron2 builds from the published configuration's settings."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from divergen_train.detectors.config import CenterNet2Config, ResNet50Config
from divergen_train.detectors.protocol import Detector, Target

pytestmark = pytest.mark.detectron2

LOSSES = {
    *(f"loss_{part}_stage{stage}" for part in ("cls", "box_reg") for stage in range(3)),
    "loss_mask",
    "loss_centernet_loc",
    "loss_centernet_agn_pos",
    "loss_centernet_agn_neg",
}


def published(num_classes: int, **changes: Any) -> torch.nn.Module:
    """`GeneralizedRCNN` from detectron2's own config: CenterNet2 on LVIS with the masks of X-Paste, DiverGen, BSGAL.

    The federated loss is off: the `centernet2` package and today's detectron2 both want to build it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from centernet.config import add_centernet_config
        from detectron2.config import get_cfg
        from detectron2.modeling import build_model

    cfg = get_cfg()
    add_centernet_config(cfg)
    settings = {
        "MODEL.DEVICE": "cpu",
        "MODEL.MASK_ON": True,
        "MODEL.META_ARCHITECTURE": "GeneralizedRCNN",
        "MODEL.PROPOSAL_GENERATOR.NAME": "CenterNet",
        "MODEL.PIXEL_MEAN": [123.675, 116.280, 103.530],
        "MODEL.PIXEL_STD": [58.395, 57.12, 57.375],
        "MODEL.BACKBONE.NAME": "build_p67_resnet_fpn_backbone",
        "MODEL.BACKBONE.FREEZE_AT": 0,
        "MODEL.RESNETS.STRIDE_IN_1X1": False,
        "MODEL.RESNETS.OUT_FEATURES": ["res3", "res4", "res5"],
        "MODEL.FPN.IN_FEATURES": ["res3", "res4", "res5"],
        "MODEL.ROI_HEADS.NAME": "CustomCascadeROIHeads",
        "MODEL.ROI_HEADS.IN_FEATURES": ["p3", "p4", "p5"],
        "MODEL.ROI_HEADS.IOU_THRESHOLDS": [0.6],
        "MODEL.ROI_HEADS.NUM_CLASSES": num_classes,
        "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.02,
        "MODEL.ROI_HEADS.NMS_THRESH_TEST": 0.5,
        "MODEL.ROI_BOX_CASCADE_HEAD.IOUS": [0.6, 0.7, 0.8],
        "MODEL.ROI_BOX_HEAD.NAME": "FastRCNNConvFCHead",
        "MODEL.ROI_BOX_HEAD.NUM_FC": 2,
        "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION": 7,
        "MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG": True,
        "MODEL.ROI_BOX_HEAD.MULT_PROPOSAL_SCORE": True,
        "MODEL.ROI_BOX_HEAD.USE_SIGMOID_CE": True,
        "MODEL.ROI_MASK_HEAD.NAME": "MaskRCNNConvUpsampleHead",
        "MODEL.ROI_MASK_HEAD.NUM_CONV": 4,
        "MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION": 14,
        "MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK": True,
        "MODEL.CENTERNET.NUM_CLASSES": num_classes,
        "MODEL.CENTERNET.REG_WEIGHT": 1.0,
        "MODEL.CENTERNET.NOT_NORM_REG": True,
        "MODEL.CENTERNET.ONLY_PROPOSAL": True,
        "MODEL.CENTERNET.WITH_AGN_HM": True,
        "MODEL.CENTERNET.INFERENCE_TH": 0.0001,
        "MODEL.CENTERNET.PRE_NMS_TOPK_TRAIN": 4000,
        "MODEL.CENTERNET.POST_NMS_TOPK_TRAIN": 2000,
        "MODEL.CENTERNET.PRE_NMS_TOPK_TEST": 1000,
        "MODEL.CENTERNET.POST_NMS_TOPK_TEST": 256,
        "MODEL.CENTERNET.NMS_TH_TRAIN": 0.9,
        "MODEL.CENTERNET.NMS_TH_TEST": 0.9,
        "MODEL.CENTERNET.POS_WEIGHT": 0.5,
        "MODEL.CENTERNET.NEG_WEIGHT": 0.5,
        "MODEL.CENTERNET.IGNORE_HIGH_FP": 0.85,
        "TEST.DETECTIONS_PER_IMAGE": 300,
        "INPUT.FORMAT": "RGB",
    }
    cfg.merge_from_list([part for pair in {**settings, **changes}.items() for part in pair])
    return build_model(cfg)


def test_centernet2__parameters_of_the_published_model() -> None:
    ours = CenterNet2Config(backbone=ResNet50Config(weights="none")).build(1203, [1] * 1203)
    theirs = {name: tuple(value.shape) for name, value in published(1203).named_parameters()}
    found = {name.removeprefix("network."): tuple(value.shape) for name, value in ours.named_parameters()}
    assert found == theirs
    assert sum(math.prod(shape) for shape in found.values()) == 77_722_099


def test_centernet2__losses_and_detections_of_the_published_model(
    images: list[torch.Tensor], targets: list[Target]
) -> None:
    thin = {"MODEL.ROI_BOX_HEAD.FC_DIM": 16, "MODEL.ROI_MASK_HEAD.CONV_DIM": 8, "MODEL.FPN.OUT_CHANNELS": 32}
    config = CenterNet2Config(
        backbone=ResNet50Config(weights="none"),
        federated_categories=0,
        box_features=16,
        mask_channels=8,
        fpn_channels=32,
    )
    torch.manual_seed(0)
    theirs = published(7, **thin)
    ours = config.build(7)
    ours.load_state_dict({f"network.{name}": value for name, value in theirs.state_dict().items()})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.meshgrid")
        from detectron2.utils.events import EventStorage
        from divergen_train.detectors.detectron2.wrapper import _instances

        inputs = [
            {"image": image, "instances": _instances(target, (image.shape[1], image.shape[2]))}
            for image, target in zip(images, targets, strict=True)
        ]
        torch.manual_seed(1)
        with EventStorage():
            expected = theirs.train()(inputs)
        torch.manual_seed(1)
        losses = ours.train(True)(images, targets)
        assert set(losses) == set(expected) == LOSSES
        for name, value in expected.items():
            torch.testing.assert_close(losses[name], value, msg=name)
        with torch.no_grad():
            wanted = theirs.eval().inference([{"image": image} for image in images], do_postprocess=False)
            found = ours.train(False)(images)
    for mine, other in zip(found, wanted, strict=True):
        assert len(mine["scores"]) > 10
        torch.testing.assert_close(mine["boxes"], other.pred_boxes.tensor)
        torch.testing.assert_close(mine["scores"], other.scores)
        assert torch.equal(mine["labels"], other.pred_classes + 1)
        torch.testing.assert_close(mine["masks"], other.pred_masks[:, 0])


def test_centernet2__is_a_detector(centernet2: CenterNet2Config, images: list[torch.Tensor]) -> None:
    detector = centernet2.build(7, [3] * 7)
    assert isinstance(detector, Detector)
    detector.train(False)
    with torch.no_grad():
        found = detector(images)
    for detections, image in zip(found, images, strict=True):
        assert detections["boxes"].shape == (len(detections["scores"]), 4)
        assert detections["boxes"][:, 3].max() <= image.shape[1]
        assert detections["masks"].shape[1:] == (28, 28)
        assert detections["labels"].min() >= 1
        assert detections["labels"].max() <= 7
        assert detections["scores"].tolist() == sorted(detections["scores"].tolist(), reverse=True)


def test_centernet2__federated_loss_leaves_categories_alone(
    centernet2: CenterNet2Config, images: list[torch.Tensor], targets: list[Target]
) -> None:
    # The first head sees categories 2 and 5 and background; that is three of the five, so two more are drawn.
    detector = centernet2.model_copy(update={"federated_categories": 5}).build(7, [3] * 7).train(True)
    torch.stack(list(detector(images, targets).values())).sum().backward()
    gradient = dict(detector.named_parameters())["network.roi_heads.box_predictor.0.cls_score.bias"].grad
    learned = (gradient.nonzero()[:, 0] + 1).tolist()
    assert {2, 5} < set(learned) <= set(range(1, 8))
    assert len(learned) == 4


def test_centernet2__images_without_objects(centernet2: CenterNet2Config, images: list[torch.Tensor]) -> None:
    nothing = [
        Target(
            boxes=torch.zeros(0, 4),
            labels=torch.zeros(0, dtype=torch.int64),
            masks=torch.zeros(0, *image.shape[1:], dtype=torch.uint8),
            image_id=1,
            sources=(),
        )
        for image in images
    ]
    losses = centernet2.build(7, [3] * 7).train(True)(images, nothing)
    assert set(losses) == LOSSES
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_centernet2__not_finite(
    centernet2: CenterNet2Config, images: list[torch.Tensor], targets: list[Target]
) -> None:
    detector = centernet2.build(7, [3] * 7).train(True)
    with torch.no_grad():
        dict(detector.named_parameters())["network.proposal_generator.centernet_head.bbox_pred.bias"].fill_(math.nan)
    losses = detector(images, targets)
    assert set(losses) == {"loss_not_finite"}
    assert torch.isnan(losses["loss_not_finite"])


def test_centernet2__two_detectors_of_different_settings(
    centernet2: CenterNet2Config, images: list[torch.Tensor]
) -> None:
    torch.manual_seed(0)
    first = centernet2.build(7)
    centernet2.model_copy(update={"multiply_proposal_score": False}).build(7)
    first.train(False)
    with torch.no_grad():
        score = float(first(images)[0]["scores"][0])
    assert score < 0.15  # sqrt(0.01 * 0.01) at the start; a mean over the heads' sigmoid alone would be near 0.5
