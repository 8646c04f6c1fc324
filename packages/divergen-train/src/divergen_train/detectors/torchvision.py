"""Mask R-CNN put together from torchvision's parts; on EfficientNet-Lite0 it is light enough for two CPU cores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign

from .activations import Activations
from .backbone import BackboneFPN
from .class_activations import class_activations
from .classifiers import SoftmaxClassifier, classifier
from .config import TorchvisionConfig
from .pooling import GatheredRoIAlign
from .protocol import PADDING, ClassRows, Target
from .roi_heads import AgnosticRoIHeads, BoxPredictor, mask_head

__all__ = ["TorchvisionDetector", "build_mask_rcnn"]


class TorchvisionDetector(nn.Module):
    """A two-stage detector; see `divergen_train.detectors.protocol.Detector` for its face.

    Args:
        backbone: Gives the feature pyramid.
        rpn: Gives the proposals.
        roi_heads: Classifies them, refines their boxes and masks them.
        loss_weights: Factor of each loss by name; 1 where absent.
    """

    def __init__(
        self, backbone: BackboneFPN, rpn: nn.Module, roi_heads: nn.Module, loss_weights: dict[str, float]
    ) -> None:
        super().__init__()
        self.backbone, self.rpn, self.roi_heads, self.loss_weights = backbone, rpn, roi_heads, loss_weights
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target] | None = None) -> Any:
        """Losses by name in training mode, `Detections` of each image in evaluation mode; images (3, h, w) uint8."""
        encoded = self.encode(images)
        if self.training:
            return self.losses(encoded, cast(Sequence[Target], targets))
        pixels, features, sizes = encoded
        proposals, _ = self.rpn(ImageList(pixels, sizes), features)
        return self.roi_heads(features, proposals, sizes)[0]

    def encode(self, images: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor], list[tuple[int, int]]]:
        """Normalised batch, feature pyramid, and (height, width) of each image before padding."""
        batch, sizes = pad_images(images, self.backbone.strides[-1])
        pixels = self.backbone.normalise(batch)
        return pixels, self.backbone(pixels), sizes

    def losses(
        self, encoded: tuple[Tensor, dict[str, Tensor], list[tuple[int, int]]], targets: Sequence[Target]
    ) -> dict[str, Tensor]:
        """Training losses by name, from what `encode` gave."""
        pixels, features, sizes = encoded
        proposals, rpn_losses = self.rpn(ImageList(pixels, sizes), features, targets)
        _, losses = self.roi_heads(features, proposals, sizes, targets)
        return {name: loss * self.loss_weights.get(name, 1.0) for name, loss in {**losses, **rpn_losses}.items()}

    def class_activations(
        self, encoded: tuple[Tensor, dict[str, Tensor], list[tuple[int, int]]], targets: Sequence[Target]
    ) -> Activations:
        """The classifier's last layer for each object, its own box the region; see `.class_activations`."""
        return class_activations(cast(AgnosticRoIHeads, self.roi_heads), encoded[1], encoded[2], targets)

    def box_logits(self, images: Sequence[Tensor], boxes: Sequence[Tensor]) -> list[Tensor]:
        """Logits of the categories for given boxes: for each image (N, C) from its boxes (N, 4), XYXY, pixels."""
        _, features, sizes = self.encode(images)
        heads: Any = self.roi_heads
        logits, _ = heads._boxes(features, list(boxes), sizes)
        hidden = getattr(heads.classifier, "hidden", 0)
        return list(torch.split(logits[:, 1 : logits.shape[1] - hidden], [len(some) for some in boxes]))

    def class_rows(self) -> dict[str, ClassRows]:
        """Names in the state of the tensors that depend on the categories, and where in them the categories are."""
        softmax = isinstance(self.roi_heads.classifier, SoftmaxClassifier)
        logits = ClassRows(first=1, softmax=softmax)
        rows = {f"roi_heads.box_predictor.logits.{part}": logits for part in ("weight", "bias")}
        return rows if softmax else {**rows, "roi_heads.classifier.weights": ClassRows()}


def pad_images(images: Sequence[Tensor], multiple: int) -> tuple[Tensor, list[tuple[int, int]]]:
    """Images (3, h, w) in one batch (B, 3, H, W), grey at the right and bottom, and each image's (h, w)."""
    sizes = [(int(image.shape[1]), int(image.shape[2])) for image in images]
    height, width = (-(-max(side) // multiple) * multiple for side in zip(*sizes, strict=True))
    batch = images[0].new_full((len(images), 3, height, width), PADDING)
    for canvas, image, (h, w) in zip(batch, images, sizes, strict=True):
        canvas[:, :h, :w] = image
    return batch, sizes


def build_mask_rcnn(
    config: TorchvisionConfig, num_classes: int, image_counts: Sequence[int] | None = None
) -> TorchvisionDetector:
    """The detector that a config describes.

    Args:
        config: Its sizes and thresholds.
        num_classes: Categories, without background.
        image_counts: Training images that show each category, in the order of the labels.

    Raises:
        WeightsError: If the backbone's weights are missing or wrong; it never starts from random ones.
    """
    backbone = BackboneFPN(
        config.fpn_channels,
        name=config.backbone,
        min_stride=config.min_stride,
        frozen_stages=config.frozen_stages,
        weights=config.weights,
    )
    heads = _roi_heads(config, num_classes, image_counts)
    weights = {"loss_box_reg": config.box_loss_weight, "loss_mask": config.mask_loss_weight}
    return TorchvisionDetector(backbone, _rpn(config), heads, weights)


def _rpn(config: TorchvisionConfig) -> RegionProposalNetwork:
    ratios = (config.anchor_ratios,) * len(config.anchor_sizes)
    anchors = AnchorGenerator(tuple((size,) for size in config.anchor_sizes), ratios)
    before, after = config.rpn_proposals
    return RegionProposalNetwork(
        anchors,
        RPNHead(config.fpn_channels, len(config.anchor_ratios)),
        fg_iou_thresh=config.rpn_iou[1],
        bg_iou_thresh=config.rpn_iou[0],
        batch_size_per_image=config.rpn_batch,
        positive_fraction=0.5,
        pre_nms_top_n={"training": before, "testing": before},
        post_nms_top_n={"training": after, "testing": after},
        nms_thresh=config.rpn_nms,
    )


def _roi_heads(config: TorchvisionConfig, num_classes: int, image_counts: Sequence[int] | None) -> AgnosticRoIHeads:
    channels = config.fpn_channels
    levels = [str(index) for index in range(len(config.anchor_sizes))]
    return AgnosticRoIHeads(
        _pooling(config, levels, 7),
        TwoMLPHead(channels * 7 * 7, config.box_features),
        BoxPredictor(config.box_features, num_classes, config.hidden_categories),
        fg_iou_thresh=config.roi_iou,
        bg_iou_thresh=config.roi_iou,
        batch_size_per_image=config.roi_batch,
        positive_fraction=config.roi_positive,
        bbox_reg_weights=None,
        score_thresh=config.score_threshold,
        nms_thresh=config.nms_threshold,
        detections_per_img=config.detections,
        mask_roi_pool=_pooling(config, levels, config.mask_size // 2),
        mask_head=mask_head(channels, config.mask_channels, config.mask_convs),
        mask_predictor=nn.Identity(),
        classifier=classifier(config, num_classes, image_counts),
    )


def _pooling(config: TorchvisionConfig, levels: Sequence[str], size: int) -> nn.Module:
    if config.pooling == "gathered":
        return GatheredRoIAlign(levels, size)
    pooling: nn.Module = MultiScaleRoIAlign(levels, output_size=size, sampling_ratio=config.roi_samples)
    return pooling
