"""The loss of each object by itself, with its own box as the region: what a selective training judges by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.models.detection.rpn import RegionProposalNetwork

from .classifiers import SoftmaxClassifier
from .roi_heads import AgnosticRoIHeads

if TYPE_CHECKING:
    from .protocol import Target

__all__ = ["IgnoringRPN", "instance_losses"]


def instance_losses(
    heads: AgnosticRoIHeads,
    features: dict[str, Tensor],
    sizes: list[tuple[int, int]],
    targets: Sequence[Target],
    weights: Mapping[str, float],
) -> Tensor:
    """Classification, box and mask loss of each object, (N,) over all images in order.

    The object's box is its region (BSGAL, appendix A), so nothing is sampled. Under a sigmoid classifier all categories
    count: which of them a step draws depends on the other objects.

    Args:
        heads: Of the detector.
        features: The pyramid.
        sizes: (height, width) of each image.
        targets: The objects.
        weights: Factor of each loss by name; 1 where absent.
    """
    boxes, labels = [target["boxes"] for target in targets], torch.cat([target["labels"] for target in targets])
    if not len(labels):
        return next(iter(features.values())).new_zeros(0)
    logits, deltas = heads._boxes(features, boxes, sizes)
    if isinstance(heads.classifier, SoftmaxClassifier):
        classes = F.cross_entropy(logits, labels, reduction="none")
    else:
        wanted = F.one_hot(labels, logits.shape[1])[:, 1:].to(logits.dtype)
        classes = F.binary_cross_entropy_with_logits(logits[:, 1:], wanted, reduction="none").sum(1)
    offsets = F.smooth_l1_loss(deltas, torch.zeros_like(deltas), beta=1 / 9, reduction="none").sum(1)
    masks = _mask_losses(heads._masks(features, boxes, sizes)[:, 0], boxes, targets)
    box_weight, mask_weight = weights.get("loss_box_reg", 1.0), weights.get("loss_mask", 1.0)
    return classes + box_weight * offsets + mask_weight * masks


def _mask_losses(logits: Tensor, boxes: Sequence[Tensor], targets: Sequence[Target]) -> Tensor:
    wanted = [
        project_masks_on_boxes(target["masks"], own, torch.arange(len(own), device=own.device), logits.shape[-1])
        for target, own in zip(targets, boxes, strict=True)
        if len(own)
    ]
    return F.binary_cross_entropy_with_logits(logits, torch.cat(wanted), reduction="none").mean((1, 2))


class IgnoringRPN(RegionProposalNetwork):  # type: ignore[misc]  # torchvision has no types
    """A region proposal network whose anchors on objects of label -1 count neither as object nor as background.

    The heads of torchvision know this meaning of -1 already.
    """

    def assign_targets_to_anchors(self, anchors: list[Tensor], targets: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Label (1 object, 0 background, -1 ignored) and box of each anchor of each image."""
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        for own, boxes, target in zip(labels, matched, targets, strict=True):
            ignored = target["boxes"][target["labels"] < 0]
            if len(ignored):
                on_ignored = (boxes[:, None] == ignored[None]).all(2).any(1)
                own[(own > 0) & on_ignored] = -1
        return labels, matched
