"""Class-agnostic box and mask heads over torchvision's `RoIHeads`: one box and one mask for each region."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import RoIHeads, maskrcnn_loss
from torchvision.ops import batched_nms, clip_boxes_to_image

from .classifiers import Classifier
from .protocol import Detections

__all__ = ["AgnosticRoIHeads", "BoxPredictor", "mask_head"]


class BoxPredictor(nn.Module):
    """Logits of background and categories, (N, 1 + classes), and one box refinement, (N, 4), for each region.

    Args:
        channels: Of a region's features.
        num_classes: Categories, without background.
        hidden: Further logits that come last and count as background.
    """

    def __init__(self, channels: int, num_classes: int, hidden: int = 0) -> None:
        super().__init__()
        self.logits = nn.Linear(channels, 1 + num_classes + hidden)
        self.deltas = nn.Linear(channels, 4)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.normal_(self.deltas.weight, std=0.001)
        nn.init.zeros_(self.logits.bias)
        nn.init.zeros_(self.deltas.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, C)."""
        return self.logits(features), self.deltas(features)


def mask_head(channels: int, hidden: int, convs: int) -> nn.Sequential:
    """Region features (N, channels, S, S) to mask logits (N, 1, 2 S, 2 S)."""
    layers: list[nn.Module] = []
    for index in range(convs):
        layers += [nn.Conv2d(hidden if index else channels, hidden, 3, padding=1), nn.ReLU(inplace=True)]
    layers += [nn.ConvTranspose2d(hidden, hidden, 2, stride=2), nn.ReLU(inplace=True), nn.Conv2d(hidden, 1, 1)]
    for layer in layers[:-1]:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(*layers)


class AgnosticRoIHeads(RoIHeads):  # type: ignore[misc]  # torchvision has no types
    """`RoIHeads` whose boxes and masks do not depend on the category (DiverGen, appendix: as CenterNet2 on LVIS).

    With a thousand categories this is what keeps the heads small, and rare categories share what frequent ones teach.

    Args:
        classifier: Turns the logits of ``box_predictor`` into a loss and into scores.
        parts: What `RoIHeads` takes, in its order.
        named: What it takes by name.
    """

    def __init__(self, *parts: Any, classifier: Classifier, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.classifier = classifier
        classifier.start(self.box_predictor.logits)

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: Any = None,
    ) -> tuple[list[Detections], dict[str, Tensor]]:
        """Detections in evaluation mode, losses in training mode; the other is empty.

        Args:
            features: The pyramid.
            proposals: For each image (P, 4), XYXY, pixels.
            image_shapes: (height, width) of each image.
            targets: `Target` of each image, in training mode.
        """
        if self.training:
            return [], self._losses(features, proposals, image_shapes, targets)
        return self._detect(features, proposals, image_shapes), {}

    def _losses(
        self, features: dict[str, Tensor], proposals: list[Tensor], image_shapes: list[tuple[int, int]], targets: Any
    ) -> dict[str, Tensor]:
        proposals, matched, labels, box_targets = self.select_training_samples(proposals, targets)
        logits, deltas = self._boxes(features, proposals, image_shapes)
        all_labels, all_targets = torch.cat(labels), torch.cat(box_targets)
        positive = all_labels > 0
        box_loss = F.smooth_l1_loss(deltas[positive], all_targets[positive], beta=1 / 9, reduction="sum")
        objects = [image_labels > 0 for image_labels in labels]
        regions = [boxes[chosen] for boxes, chosen in zip(proposals, objects, strict=True)]
        mask_logits = self._masks(features, regions, image_shapes)
        mask_loss = maskrcnn_loss(
            mask_logits,
            regions,
            [target["masks"] for target in targets],
            [torch.zeros_like(target["labels"]) for target in targets],
            [index[chosen] for index, chosen in zip(matched, objects, strict=True)],
        )
        return {
            "loss_classifier": self.classifier.loss(logits, all_labels),
            "loss_box_reg": box_loss / all_labels.numel(),
            "loss_mask": mask_loss,
        }

    def _boxes(
        self, features: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> tuple[Tensor, Tensor]:
        logits, deltas = self.box_predictor(self.box_head(self.box_roi_pool(features, boxes, image_shapes)))
        return logits, deltas

    def _masks(self, features: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        pooled = self.mask_roi_pool(features, boxes, image_shapes).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.mask_head(pooled)
        return logits

    def _detect(
        self, features: dict[str, Tensor], proposals: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> list[Detections]:
        logits, deltas = self._boxes(features, proposals, image_shapes)
        counts = [len(boxes) for boxes in proposals]
        decoded = self.box_coder.decode(deltas, proposals).reshape(-1, 4)
        chosen = [
            self._select(clip_boxes_to_image(boxes, shape), scores)
            for boxes, scores, shape in zip(
                torch.split(decoded, counts),
                torch.split(self.classifier.scores(logits), counts),
                image_shapes,
                strict=True,
            )
        ]
        # Several categories share a region, and its mask is the same for all of them: made once.
        regions = [torch.unique(region, return_inverse=True) for *_, region in chosen]
        unique = [boxes[index] for (boxes, *_), (index, _) in zip(chosen, regions, strict=True)]
        probabilities = self._masks(features, unique, image_shapes).sigmoid()[:, 0]
        masks = torch.split(probabilities, [len(boxes) for boxes in unique])
        return [
            Detections(boxes=boxes[region], labels=labels, scores=scores, masks=image_masks[inverse])
            for (boxes, scores, labels, region), (_, inverse), image_masks in zip(chosen, regions, masks, strict=True)
        ]

    def _select(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of boxes (P, 4) and scores (P, C): the boxes, and of each detection score, label (from 1) and box index."""
        size = boxes[:, 2:] - boxes[:, :2]
        region, label = torch.where((scores > self.score_thresh) & (size.min(dim=1).values > 1e-2)[:, None])
        values = scores[region, label]
        keep = batched_nms(boxes[region], values, label, self.nms_thresh)[: self.detections_per_img]
        return boxes, values[keep], label[keep] + 1, region[keep]
