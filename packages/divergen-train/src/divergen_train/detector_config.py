"""Detectors as data: every number of a detector is a field here, and the imports are its builder's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from divergen_records import Config, backend_union
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

if TYPE_CHECKING:
    from .detector import Detector

__all__ = ["DetectorConfig", "TorchvisionConfig"]


class TorchvisionConfig(Config):
    """Mask R-CNN of torchvision's parts on EfficientNet-Lite0 with FPN; box and mask are class-agnostic.

    Attributes:
        weights: ImageNet weights of the backbone; the installed package's by default.
        frozen_stages: The stem and this many of the seven stages keep their ImageNet weights.
        fpn_channels: Channels of the pyramid.
        min_stride: Stride of the finest level of the pyramid, the coarsest has 32; 8 is quicker, 4 sees small objects.
        anchor_sizes: Side of the anchors on each level, finest first, pixels.
        anchor_ratios: Height / width.
        rpn_batch: Anchors per image in the RPN's loss.
        rpn_iou: IoU below which an anchor is background, and from which it is an object.
        rpn_proposals: Proposals per level before, and per image after NMS.
        rpn_nms: IoU of the RPN's NMS.
        roi_batch: Regions per image in the loss of the heads.
        roi_positive: Largest share of them that are objects.
        roi_iou: IoU from which a region is an object.
        roi_samples: Points along each side of a cell of a pooled region.
        box_features: Width of the box head.
        mask_convs: Convolutions of the mask head before the upsampling.
        mask_channels: Their channels.
        mask_size: Side of the mask head's output, pixels; even.
        box_loss_weight: Weight of the box regression of the heads.
        mask_loss_weight: Weight of the mask loss.
        score_threshold: Detections below this score are dropped.
        nms_threshold: IoU of the NMS within a category.
        detections: Detections per image at most; LVIS counts 300.
    """

    kind: Literal["torchvision"] = "torchvision"
    weights: Path | None = None
    frozen_stages: int = Field(default=2, ge=0, le=7)
    fpn_channels: PositiveInt = 64
    min_stride: Literal[4, 8] = 4
    anchor_sizes: tuple[PositiveFloat, ...] = (24, 48, 96, 192)
    anchor_ratios: tuple[PositiveFloat, ...] = (0.5, 1.0, 2.0)
    rpn_batch: PositiveInt = 128
    rpn_iou: tuple[float, float] = (0.3, 0.6)
    rpn_proposals: tuple[PositiveInt, PositiveInt] = (256, 128)
    rpn_nms: float = Field(default=0.7, gt=0, le=1)
    roi_batch: PositiveInt = 64
    roi_positive: float = Field(default=0.25, gt=0, le=1)
    roi_iou: float = Field(default=0.5, gt=0, lt=1)
    roi_samples: PositiveInt = 1
    box_features: PositiveInt = 256
    mask_convs: PositiveInt = 2
    mask_channels: PositiveInt = 64
    mask_size: PositiveInt = Field(default=28, multiple_of=2)
    box_loss_weight: PositiveFloat = 1.0
    mask_loss_weight: PositiveFloat = 1.0
    score_threshold: float = Field(default=0.01, ge=0, lt=1)
    nms_threshold: float = Field(default=0.5, gt=0, le=1)
    detections: PositiveInt = Field(default=300, le=300)

    @model_validator(mode="after")
    def _check(self) -> Self:
        levels = 4 if self.min_stride == 4 else 3
        if len(self.anchor_sizes) != levels:
            raise ValueError(f"anchor_sizes={self.anchor_sizes}: min_stride={self.min_stride} has {levels} levels")
        return self

    def build(self, num_classes: int, image_counts: Sequence[int] | None = None) -> Detector:
        """The detector with ImageNet backbone and fresh heads, for ``num_classes`` categories.

        Args:
            num_classes: Categories, without background.
            image_counts: Training images that show each category, in the order of the labels; a federated loss draws
                negative categories by them.
        """
        from .torchvision_detector import build_detector

        return build_detector(self, num_classes)


if TYPE_CHECKING:
    DetectorConfig = TorchvisionConfig
else:
    DetectorConfig = backend_union("divergen.detectors", TorchvisionConfig)
"""Any detector's config, told apart by ``kind``; packages add theirs by entry point ``divergen.detectors``."""
