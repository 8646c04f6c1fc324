"""CenterNet2 as X-Paste and DiverGen train it on LVIS: centre proposals, a cascade of three box heads, one mask head.

Every module is the published one (detectron2, and `centernet` of the package centernet2); this only says which, and
with which numbers. It does so with arguments, not with detectron2's global config, so two detectors may differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..config import CenterNet2Config
from .backbones import pyramid
from .heads import BOX_SIZE, MASK_SIZE, box_head, box_predictor, mask_head, pooler
from .install import needs_detectron2
from .wrapper import IMAGENET_MEAN, IMAGENET_STD, Detectron2Detector

with needs_detectron2():
    from centernet.modeling.backbone.fpn_p5 import LastLevelP6P7_P5
    from centernet.modeling.dense_heads.centernet import CenterNet
    from centernet.modeling.dense_heads.centernet_head import CenterNetHead
    from centernet.modeling.roi_heads.custom_roi_heads import CustomCascadeROIHeads
    from detectron2.modeling import GeneralizedRCNN
    from detectron2.modeling.matcher import Matcher

__all__ = ["build_centernet2"]

_LEVELS = ("p3", "p4", "p5", "p6", "p7")
_STRIDES = (8, 16, 32, 64, 128)
_POOLED = 3
"""Regions are pooled from the first three levels only."""

_BOX_WEIGHTS = ((10.0, 10.0, 5.0, 5.0), (20.0, 20.0, 10.0, 10.0), (30.0, 30.0, 15.0, 15.0))
"""Scale of the box regression of each stage (Cascade R-CNN)."""


def build_centernet2(
    config: CenterNet2Config, num_classes: int, image_counts: Sequence[int] | None = None
) -> Detectron2Detector:
    """The detector that a config describes.

    Args:
        config: Its sizes and thresholds.
        num_classes: Categories, without background.
        image_counts: Training images that show each category, in the order of the labels.

    Raises:
        WeightsError: If the backbone's weights are missing or wrong.
    """
    channels = config.fpn_channels
    backbone = pyramid(
        config.backbone,
        channels=channels,
        levels=("res3", "res4", "res5"),
        top_block=LastLevelP6P7_P5(channels, channels),
    )
    network = GeneralizedRCNN(
        backbone=backbone,
        proposal_generator=_proposals(config, num_classes),
        roi_heads=_roi_heads(config, num_classes, image_counts),
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
    )
    return Detectron2Detector(network)


def _proposals(config: CenterNet2Config, num_classes: int) -> CenterNet:
    head = CenterNetHead(
        in_channels=config.fpn_channels,
        num_levels=len(_LEVELS),
        num_classes=num_classes,
        with_agn_hm=True,
        only_proposal=True,
    )
    return CenterNet(
        num_classes=num_classes,
        in_features=_LEVELS,
        strides=_STRIDES,
        score_thresh=config.proposal_threshold,
        reg_weight=1.0,
        not_norm_reg=True,
        with_agn_hm=True,
        only_proposal=True,
        pos_weight=config.heatmap_weights[0],
        neg_weight=config.heatmap_weights[1],
        ignore_high_fp=config.ignore_above,
        pre_nms_topk_train=config.proposals_train[0],
        post_nms_topk_train=config.proposals_train[1],
        pre_nms_topk_test=config.proposals_test[0],
        post_nms_topk_test=config.proposals_test[1],
        nms_thresh_train=config.proposal_nms,
        nms_thresh_test=config.proposal_nms,
        centernet_head=head,
    )


def _roi_heads(config: CenterNet2Config, num_classes: int, image_counts: Sequence[int] | None) -> CustomCascadeROIHeads:
    predictors = [
        box_predictor(config, num_classes, image_counts, box_weights=weights, class_agnostic=True)
        for weights in _BOX_WEIGHTS
    ]
    heads = CustomCascadeROIHeads(
        num_classes=num_classes,
        batch_size_per_image=config.roi_batch,
        positive_fraction=config.roi_positive,
        box_in_features=list(_LEVELS[:_POOLED]),
        box_pooler=pooler(BOX_SIZE, _STRIDES[:_POOLED]),
        box_heads=[box_head(config) for _ in _BOX_WEIGHTS],
        box_predictors=predictors,
        proposal_matchers=[Matcher([iou], [0, 1]) for iou in config.cascade_ious],
        mask_in_features=list(_LEVELS[:_POOLED]),
        mask_pooler=pooler(MASK_SIZE, _STRIDES[:_POOLED]),
        mask_head=mask_head(config, 1),
    )
    # The class reads both from the instance, but its own factory would set them on the class.
    heads.mult_proposal_score, heads.debug = config.multiply_proposal_score, False
    return heads
