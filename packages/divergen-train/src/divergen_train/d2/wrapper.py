"""Any two-stage network of detectron2 behind the face of `divergen_train.detector.Detector`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..detector import ClassRows, Detections, Target
from .install import known_warnings, needs_detectron2

with needs_detectron2():
    from detectron2.modeling import GeneralizedRCNN
    from detectron2.modeling.roi_heads import FastRCNNOutputLayers, MaskRCNNConvUpsampleHead
    from detectron2.structures import BitMasks, Boxes, Instances
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
        inputs: list[dict[str, Any]] = [{"image": image} for image in images]
        with known_warnings():
            if self.training:
                for entry, target in zip(inputs, targets or (), strict=True):
                    entry["instances"] = _instances(target, (entry["image"].shape[1], entry["image"].shape[2]))
                return self._losses(inputs)
            return [_detections(found) for found in self.network.inference(inputs, do_postprocess=False)]

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

    def _losses(self, inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        try:
            with EventStorage():
                losses: dict[str, Tensor] = self.network(inputs)
        except (AssertionError, FloatingPointError) as error:
            if not _diverged(error):
                raise
            return {"loss_not_finite": torch.full((), float("nan"), device=self.network.device)}
        return losses


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
