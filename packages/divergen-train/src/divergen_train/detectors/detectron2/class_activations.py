"""What the heads of detectron2 say of each object by itself, with its own box as the region.

Every stage of a cascade sees that box: what an earlier stage would make of it is left out, as are sampling and the
draw of categories of the federated loss, so that nothing is random and no object depends on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..activations import Activations, Objects, sigmoid_activations, softmax_activations
from ..protocol import Target
from .install import needs_detectron2

with needs_detectron2():
    from detectron2.modeling.roi_heads import CascadeROIHeads, FastRCNNOutputLayers, StandardROIHeads
    from detectron2.structures import Boxes

__all__ = ["Encoded", "box_logits", "class_activations"]

_STAGED = ("features", "errors")


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


def class_activations(heads: StandardROIHeads, encoded: Encoded, targets: Sequence[Target]) -> Activations:
    """Of each object over all images in order; the object's box is its region (BSGAL, appendix A).

    A cascade's losses are added up, as in training; the likeness of categories is that of its last stage.

    Args:
        heads: With a box head.
        encoded: The images.
        targets: The objects.
    """
    labels = torch.cat([target["labels"] for target in targets]) - 1
    found = [
        _activations(predictor, seen, logits, labels)
        for predictor, seen, logits in _stages(heads, encoded, [target["boxes"] for target in targets])
    ]
    features, errors = (torch.cat([getattr(stage.objects, name) for stage in found], 1) for name in _STAGED)
    losses = torch.stack([stage.objects.losses for stage in found]).sum(0)
    return Activations(Objects(features, errors, losses), found[-1].weights)


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
    logits = torch.stack([found for _, _, found in _stages(heads, encoded, boxes)]).mean(0)
    return list(torch.split(logits[:, :-1], [len(own) for own in boxes]))


def _stages(
    heads: StandardROIHeads, encoded: Encoded, boxes: Sequence[Tensor]
) -> list[tuple[FastRCNNOutputLayers, Tensor, Tensor]]:
    """Predictor, what its last layer sees (N, D), and logits (N, C + 1), background last, of each stage."""
    levels = [encoded.features[name] for name in heads.box_in_features]
    pooled = heads.box_pooler(levels, [Boxes(own) for own in boxes])
    if isinstance(heads, CascadeROIHeads):
        stages = list(zip(heads.box_head, heads.box_predictor, strict=True))
    else:
        stages = [(heads.box_head, heads.box_predictor)]
    found = []
    for head, predictor in stages:
        seen = torch.flatten(head(pooled), 1)
        found.append((predictor, seen, predictor(seen)[0]))
    return found


def _activations(predictor: FastRCNNOutputLayers, seen: Tensor, logits: Tensor, labels: Tensor) -> Activations:
    weights = predictor.cls_score.weight
    if predictor.use_sigmoid_ce:
        return sigmoid_activations(seen, logits[:, :-1], labels, weights[:-1])
    return softmax_activations(seen, logits, labels, weights)._replace(weights=weights[:-1])
