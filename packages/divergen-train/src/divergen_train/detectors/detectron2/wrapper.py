"""Any two-stage network of detectron2 behind the face of `divergen_train.detectors.protocol.Detector`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..activations import Activations
from ..protocol import ClassRows, Detections, Target
from .class_activations import Encoded, box_logits, class_activations
from .install import known_warnings, needs_detectron2

with needs_detectron2():
    from detectron2.modeling import GeneralizedRCNN
    from detectron2.modeling.roi_heads import FastRCNNOutputLayers, MaskRCNNConvUpsampleHead
    from detectron2.structures import BitMasks, Boxes, ImageList, Instances
    from detectron2.utils.events import EventStorage

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Detectron2Detector"]

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
"""RGB, 0 to 255: what torchvision, timm and the authors of Swin train with."""


class Detectron2Detector(nn.Module):
    """A network of detectron2 in the trainer's terms: RGB tensors and `Target` in, losses or `Detections` out.

    Args:
        network: Takes RGB images; its pyramid has the pre-trained part as ``bottom_up``.
    """

    def __init__(self, network: GeneralizedRCNN) -> None:
        super().__init__()
        self.network = network

    @property
    def backbone(self) -> Any:
        """The pre-trained part."""
        return self.network.backbone.bottom_up

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target] | None = None) -> Any:
        """Losses by name in training mode, `Detections` of each image in evaluation mode; images (3, h, w) uint8."""
        if self.training:
            return self.losses(self.encode(images), cast(Sequence[Target], targets))
        with known_warnings():
            found = self.network.inference([{"image": image} for image in images], do_postprocess=False)
        return [_detections(instances) for instances in found]

    def encode(self, images: Sequence[Tensor]) -> Encoded:
        """Normalised batch, feature pyramid, and (height, width) of each image before padding."""
        with known_warnings():
            batch = self.network.preprocess_image([{"image": image} for image in images])
            return Encoded(batch.tensor, self.network.backbone(batch.tensor), batch.image_sizes)

    def losses(self, encoded: Encoded, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Training losses by name, from what `encode` gave."""
        network, images = self.network, ImageList(encoded.pixels, encoded.sizes)
        objects = [
            _instances(target, size).to(network.device) for target, size in zip(targets, encoded.sizes, strict=True)
        ]
        losses: dict[str, Tensor]
        try:
            with known_warnings(), EventStorage():
                proposals, proposal_losses = network.proposal_generator(images, encoded.features, objects)
                _, losses = network.roi_heads(images, encoded.features, proposals, objects)
        except (AssertionError, FloatingPointError) as error:
            if not _diverged(error):
                raise
            return {"loss_not_finite": torch.full((), float("nan"), device=network.device)}
        return {**losses, **proposal_losses}

    def class_activations(self, encoded: Encoded, targets: Sequence[Target]) -> Activations:
        """The classifier's last layer for each object, its own box the region; see `.class_activations`."""
        return class_activations(self.network.roi_heads, encoded, targets)

    def box_logits(self, images: Sequence[Tensor], boxes: Sequence[Tensor]) -> list[Tensor]:
        """Logits of the categories for given boxes: for each image (N, C) from its boxes (N, 4), XYXY, pixels."""
        return box_logits(self.network.roi_heads, self.encode(images), boxes)

    def class_rows(self) -> dict[str, ClassRows]:
        """Names in the state of the tensors that depend on the categories, and where in them the categories are."""
        rows: dict[str, ClassRows] = {}
        classes = self.network.roi_heads.num_classes
        for name, module in self.named_modules():
            if isinstance(module, FastRCNNOutputLayers):
                softmax = not module.use_sigmoid_ce
                rows |= {f"{name}.cls_score.{part}": ClassRows(softmax=softmax) for part in ("weight", "bias")}
                if module.bbox_pred.out_features == 4 * classes:
                    rows |= {f"{name}.bbox_pred.{part}": ClassRows(each=4) for part in ("weight", "bias")}
                if module.use_fed_loss:
                    rows[f"{name}.fed_loss_cls_weights"] = ClassRows()
            elif isinstance(module, MaskRCNNConvUpsampleHead) and module.predictor.out_channels == classes:
                rows |= {f"{name}.predictor.{part}": ClassRows() for part in ("weight", "bias")}
        return rows


def _diverged(error: Exception) -> bool:
    """Whether the libraries stopped because numbers are no longer finite; the trainer says that in its own words."""
    text = str(error)
    return isinstance(error, FloatingPointError) or not text or "infinite or NaN" in text


def _instances(target: Target, size: tuple[int, int]) -> Instances:
    return Instances(
        size,
        gt_boxes=Boxes(target["boxes"]),
        gt_classes=target["labels"] - 1,
        gt_masks=BitMasks(target["masks"].bool()),
    )


def _detections(found: Instances) -> Detections:
    return Detections(
        boxes=found.pred_boxes.tensor,
        labels=found.pred_classes + 1,
        scores=found.scores,
        masks=found.pred_masks[:, 0],
    )
