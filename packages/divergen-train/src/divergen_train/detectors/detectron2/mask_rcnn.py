"""Mask R-CNN with FPN of detectron2, its numbers said by arguments."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import Detectron2MaskRCNNConfig
from .backbones import LEVELS, pyramid
from .heads import BOX_SIZE, MASK_SIZE, box_head, box_predictor, mask_head, pooler
from .install import needs_detectron2
from .wrapper import IMAGENET_MEAN, IMAGENET_STD, Detectron2Detector

with needs_detectron2():
    from detectron2.modeling import GeneralizedRCNN
    from detectron2.modeling.anchor_generator import DefaultAnchorGenerator
    from detectron2.modeling.backbone.fpn import LastLevelMaxPool
    from detectron2.modeling.box_regression import Box2BoxTransform
    from detectron2.modeling.matcher import Matcher
    from detectron2.modeling.proposal_generator import RPN, StandardRPNHead
    from detectron2.modeling.roi_heads import StandardROIHeads

__all__ = ["build_mask_rcnn"]

_FEATURES = ("p2", "p3", "p4", "p5", "p6")
_STRIDES = (4, 8, 16, 32, 64)
_POOLED = 4
"""Regions are pooled from all levels but p6."""


def build_mask_rcnn(
    config: Detectron2MaskRCNNConfig, num_classes: int, image_counts: Sequence[int] | None = None
) -> Detectron2Detector:
    """The detector that a config describes.

    Args:
        config: Its sizes and thresholds.
        num_classes: Categories, without background.
        image_counts: Training images that show each category, in the order of the labels.

    Raises:
        WeightsError: If the backbone's weights are missing or wrong.
    """
    backbone = pyramid(config.backbone, channels=config.fpn_channels, levels=LEVELS, top_block=LastLevelMaxPool())
    network = GeneralizedRCNN(
        backbone=backbone,
        proposal_generator=_rpn(config),
        roi_heads=_roi_heads(config, num_classes, image_counts),
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
    )
    return Detectron2Detector(network)


def _rpn(config: Detectron2MaskRCNNConfig) -> RPN:
    return RPN(
        in_features=list(_FEATURES),
        head=StandardRPNHead(in_channels=config.fpn_channels, num_anchors=len(config.anchor_ratios)),
        anchor_generator=DefaultAnchorGenerator(
            sizes=[[size] for size in config.anchor_sizes],
            aspect_ratios=[list(config.anchor_ratios)],
            strides=list(_STRIDES),
            offset=0.0,
        ),
        anchor_matcher=Matcher(list(config.rpn_iou), [0, -1, 1], allow_low_quality_matches=True),
        box2box_transform=Box2BoxTransform(weights=(1.0, 1.0, 1.0, 1.0)),
        batch_size_per_image=config.rpn_batch,
        positive_fraction=0.5,
        pre_nms_topk=(config.rpn_proposals_train[0], config.rpn_proposals_test[0]),
        post_nms_topk=(config.rpn_proposals_train[1], config.rpn_proposals_test[1]),
        nms_thresh=config.rpn_nms,
    )


def _roi_heads(
    config: Detectron2MaskRCNNConfig, num_classes: int, image_counts: Sequence[int] | None
) -> StandardROIHeads:
    return StandardROIHeads(
        num_classes=num_classes,
        batch_size_per_image=config.roi_batch,
        positive_fraction=config.roi_positive,
        proposal_matcher=Matcher([config.roi_iou], [0, 1]),
        box_in_features=list(_FEATURES[:_POOLED]),
        box_pooler=pooler(BOX_SIZE, _STRIDES[:_POOLED]),
        box_head=box_head(config),
        box_predictor=box_predictor(
            config,
            num_classes,
            image_counts,
            box_weights=(10.0, 10.0, 5.0, 5.0),
            class_agnostic=config.class_agnostic,
        ),
        mask_in_features=list(_FEATURES[:_POOLED]),
        mask_pooler=pooler(MASK_SIZE, _STRIDES[:_POOLED]),
        mask_head=mask_head(config, 1 if config.class_agnostic else num_classes),
    )
