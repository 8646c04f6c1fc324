"""Box and mask heads that both detectors of detectron2 share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..classifiers import PRIOR, federated_weights
from .install import needs_detectron2

with needs_detectron2():
    from detectron2.layers import ShapeSpec
    from detectron2.modeling.box_regression import Box2BoxTransform
    from detectron2.modeling.poolers import ROIPooler
    from detectron2.modeling.roi_heads import FastRCNNConvFCHead, FastRCNNOutputLayers, MaskRCNNConvUpsampleHead

if TYPE_CHECKING:
    from ..config import CenterNet2Config, Detectron2MaskRCNNConfig

__all__ = ["box_head", "box_predictor", "mask_head", "pooler"]

BOX_SIZE, MASK_SIZE = 7, 14
"""Side of a pooled region of the box and the mask head."""


def pooler(size: int, strides: Sequence[int]) -> ROIPooler:
    """RoIAlign from levels of these strides to (size, size)."""
    return ROIPooler(
        output_size=size, scales=[1 / stride for stride in strides], sampling_ratio=0, pooler_type="ROIAlignV2"
    )


def box_head(config: CenterNet2Config | Detectron2MaskRCNNConfig) -> FastRCNNConvFCHead:
    """Two fully connected layers on a pooled region."""
    shape = ShapeSpec(channels=config.fpn_channels, height=BOX_SIZE, width=BOX_SIZE)
    return FastRCNNConvFCHead(shape, conv_dims=[], fc_dims=[config.box_features] * 2)


def box_predictor(
    config: CenterNet2Config | Detectron2MaskRCNNConfig,
    num_classes: int,
    image_counts: Sequence[int] | None,
    *,
    box_weights: tuple[float, float, float, float],
    class_agnostic: bool,
) -> FastRCNNOutputLayers:
    """Classifier and box refinement of a region.

    Args:
        config: Of the detector.
        num_classes: Categories, without background.
        image_counts: Training images that show each category.
        box_weights: Scale of the regressed (dx, dy, dw, dh).
        class_agnostic: One box, whatever the category.
    """
    weights = federated_weights(num_classes, image_counts, config.frequency_weight)
    predictor = FastRCNNOutputLayers(
        ShapeSpec(channels=config.box_features),
        box2box_transform=Box2BoxTransform(weights=box_weights),
        num_classes=num_classes,
        test_score_thresh=config.score_threshold,
        test_nms_thresh=config.nms_threshold,
        test_topk_per_image=config.detections,
        cls_agnostic_bbox_reg=class_agnostic,
        use_sigmoid_ce=config.classifier == "sigmoid",
        use_fed_loss=bool(config.federated_categories),
        get_fed_loss_cls_weights=lambda: weights,
        # More than there are cannot be drawn.
        fed_loss_num_classes=min(config.federated_categories, int(torch.count_nonzero(weights))),
    )
    if config.classifier == "sigmoid":
        nn.init.constant_(predictor.cls_score.bias, -math.log((1 - PRIOR) / PRIOR))
    return predictor


def mask_head(config: CenterNet2Config | Detectron2MaskRCNNConfig, masks: int) -> MaskRCNNConvUpsampleHead:
    """Mask logits (N, masks, 28, 28) of a pooled region."""
    shape = ShapeSpec(channels=config.fpn_channels, height=MASK_SIZE, width=MASK_SIZE)
    return MaskRCNNConvUpsampleHead(
        shape, num_classes=masks, conv_dims=[config.mask_channels] * (config.mask_convs + 1)
    )
