"""What the classifier's last layer sees of each object with its own box as the region: what BSGAL judges by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .activations import Activations, sigmoid_activations, softmax_activations
from .classifiers import SoftmaxClassifier
from .roi_heads import AgnosticRoIHeads

if TYPE_CHECKING:
    from .protocol import Target

__all__ = ["class_activations"]


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
