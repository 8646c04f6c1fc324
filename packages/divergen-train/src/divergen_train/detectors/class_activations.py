"""What the classifier's last layer sees of each object with its own box as the region: what BSGAL judges by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchvision.models.detection.rpn import RegionProposalNetwork

from .activations import Activations, sigmoid_activations, softmax_activations
from .classifiers import SoftmaxClassifier
from .roi_heads import AgnosticRoIHeads

if TYPE_CHECKING:
    from .protocol import Target

__all__ = ["IgnoringRPN", "class_activations"]


def class_activations(
    heads: AgnosticRoIHeads,
    features: dict[str, Tensor],
    sizes: list[tuple[int, int]],
    targets: Sequence[Target],
) -> Activations:
    """Of each object over all images in order; the object's box is its region (BSGAL, appendix A).

    Under a sigmoid classifier all categories count: which of them a step draws depends on the other objects.

    Args:
        heads: Of the detector.
        features: The pyramid.
        sizes: (height, width) of each image.
        targets: The objects.
    """
    labels = torch.cat([target["labels"] for target in targets])
    seen = heads.box_head(heads.box_roi_pool(features, [target["boxes"] for target in targets], sizes))
    logits, weights = heads.box_predictor.logits(seen), heads.box_predictor.logits.weight
    if isinstance(heads.classifier, SoftmaxClassifier):
        return softmax_activations(seen, logits, labels, weights)._replace(weights=weights[1:])
    return sigmoid_activations(seen, logits[:, 1:], labels - 1, weights[1:])


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
