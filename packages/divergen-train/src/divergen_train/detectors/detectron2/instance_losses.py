"""What the heads of detectron2 say of each object by itself, with its own box as the region.

Every stage of a cascade sees that box: what an earlier stage would make of it is left out, as are sampling and the
draw of categories of the federated loss, so that nothing is random and no object depends on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..protocol import Target
from .install import needs_detectron2

with needs_detectron2():
    from detectron2.modeling.roi_heads import CascadeROIHeads, FastRCNNOutputLayers, StandardROIHeads
    from detectron2.structures import BitMasks, Boxes

__all__ = ["Encoded", "box_logits", "instance_losses"]


class Encoded(NamedTuple):
    """What the heads need of images.

    Attributes:
        pixels: (B, 3, H, W) float32, normalised and padded.
        features: The pyramid.
        sizes: (height, width) of each image before padding.
    """

    pixels: Tensor
    features: dict[str, Tensor]
    sizes: list[tuple[int, int]]


def instance_losses(heads: StandardROIHeads, encoded: Encoded, targets: Sequence[Target]) -> Tensor:
    """Classification, box and mask loss of each object, (N,) over all images in order.

    The object's box is its region (BSGAL, appendix A). The losses of a cascade's stages are added up, as in training;
    there the gradient that they send to the pyramid is divided by their number as well, which is the gradient of no
    loss and is not done here.

    Args:
        heads: With box and mask heads.
        encoded: The images.
        targets: The objects, none of them ignored.
    """
    labels = torch.cat([target["labels"] for target in targets]) - 1
    if not len(labels):
        return encoded.pixels.new_zeros(0)
    total = _mask_losses(heads, encoded, targets, labels)
    for predictor, logits, deltas in _stages(heads, encoded, [target["boxes"] for target in targets]):
        weights = predictor.loss_weight
        total = total + weights.get("loss_cls", 1.0) * _class_losses(predictor, logits, labels)
        total = total + weights.get("loss_box_reg", 1.0) * _box_losses(predictor, deltas, labels)
    return total


def box_logits(heads: StandardROIHeads, encoded: Encoded, boxes: Sequence[Tensor]) -> list[Tensor]:
    """Logits of the categories, without background, for given boxes.

    A cascade's are the mean over its stages. It detects by the mean of their scores, but scores lack the scale of the
    logits, which is what an energy measures: those of a softmax sum to one however unfamiliar the object.

    Args:
        heads: With a box head.
        encoded: The images.
        boxes: Of each image (N, 4) float32, XYXY, pixels.

    Returns:
        For each image (N, C).
    """
    logits = torch.stack([found for _, found, _ in _stages(heads, encoded, boxes)]).mean(0)
    return list(torch.split(logits[:, :-1], [len(own) for own in boxes]))


def _stages(
    heads: StandardROIHeads, encoded: Encoded, boxes: Sequence[Tensor]
) -> list[tuple[FastRCNNOutputLayers, Tensor, Tensor]]:
    """Predictor, logits (N, C + 1), background last, and box refinements (N, 4 or 4 C) of each stage."""
    levels = [encoded.features[name] for name in heads.box_in_features]
    pooled = heads.box_pooler(levels, [Boxes(own) for own in boxes])
    if isinstance(heads, CascadeROIHeads):
        stages = list(zip(heads.box_head, heads.box_predictor, strict=True))
    else:
        stages = [(heads.box_head, heads.box_predictor)]
    return [(predictor, *predictor(head(pooled))) for head, predictor in stages]


def _class_losses(predictor: FastRCNNOutputLayers, logits: Tensor, labels: Tensor) -> Tensor:
    if not predictor.use_sigmoid_ce:
        return F.cross_entropy(logits, labels, reduction="none")
    wanted = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits[:, :-1], wanted[:, :-1], reduction="none").sum(1)


def _box_losses(predictor: FastRCNNOutputLayers, deltas: Tensor, labels: Tensor) -> Tensor:
    """The region is the object's box: nothing is to be refined."""
    own = _of_label(deltas.view(len(deltas), -1, 4), labels)
    return F.smooth_l1_loss(own, torch.zeros_like(own), beta=predictor.smooth_l1_beta, reduction="none").sum(1)


def _mask_losses(heads: StandardROIHeads, encoded: Encoded, targets: Sequence[Target], labels: Tensor) -> Tensor:
    levels = [encoded.features[name] for name in heads.mask_in_features]
    pooled = heads.mask_pooler(levels, [Boxes(target["boxes"]) for target in targets])
    logits = _of_label(heads.mask_head.layers(pooled), labels)
    wanted = [
        BitMasks(target["masks"].bool()).crop_and_resize(target["boxes"], logits.shape[-1])
        for target in targets
        if len(target["boxes"])
    ]
    losses = F.binary_cross_entropy_with_logits(logits, torch.cat(wanted).to(logits.dtype), reduction="none")
    weighted: Tensor = losses.mean((1, 2)) * heads.mask_head.loss_weight
    return weighted


def _of_label(values: Tensor, labels: Tensor) -> Tensor:
    """Of (N, C, …) each object's own category, or the only one there is."""
    return values[:, 0] if values.shape[1] == 1 else values[torch.arange(len(labels), device=labels.device), labels]
