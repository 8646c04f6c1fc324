"""What a model's architecture learns from and detects: masks of queries, or boxes of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from divergen_train.detectors.protocol import Target
from torch import Tensor

__all__ = ["Boxes", "Found", "Head", "Masks", "View"]

_AT_ONCE = 16
"""Masks that are enlarged at once."""


@dataclass(frozen=True)
class View:
    """How an image lies in the upper left of the square that the model sees.

    Attributes:
        size: (height, width) of the image, pixels.
        resized: The same in the square.
        side: Of the square.
    """

    size: tuple[int, int]
    resized: tuple[int, int]
    side: int


@dataclass(frozen=True)
class Found:
    """Detections in an image, N of them.

    Attributes:
        classes: (N,) int64, from 0.
        scores: (N,) float32.
        boxes: (N, 4) float32, XYXY, pixels of the image.
        masks: (N, H, W) bool; None where the model detects boxes.
    """

    classes: Tensor
    scores: Tensor
    boxes: Tensor
    masks: Tensor | None


class Head(Protocol):
    """One kind of model.

    Attributes:
        backbone: In the names of the backbone's weights.
    """

    backbone: str

    def targets(self, targets: Sequence[Target], side: int) -> dict[str, Any]:
        """A batch's objects as the model's ``forward`` takes them; labels count from 1, images are squares."""

    def detect(self, output: Any, views: Sequence[View], classes: Tensor, most: int) -> list[Found]:
        """Detections of some classes in each image of a batch, the ``most`` best."""


class Masks:
    """Mask2Former and its like: a class and a mask for each query."""

    backbone = "pixel_level_module.encoder."

    def targets(self, targets: Sequence[Target], side: int) -> dict[str, Any]:
        """See `Head.targets`."""
        return {
            "mask_labels": [target["masks"].float() for target in targets],
            "class_labels": [target["labels"] - 1 for target in targets],
        }

    def detect(self, output: Any, views: Sequence[View], classes: Tensor, most: int) -> list[Found]:
        """See `Head.detect`; a score is the class's times the mask's own (Mask2Former, section 4.1)."""
        scores = output.class_queries_logits.float().softmax(-1)[..., :-1][..., classes]
        logits = output.masks_queries_logits.float()
        return [_masks(*item, classes, most) for item in zip(scores, logits, views, strict=True)]


def _masks(scores: Tensor, logits: Tensor, view: View, classes: Tensor, most: int) -> Found:
    """Of scores (Q, C) and logits (Q, h, w)."""
    best = scores.flatten().topk(min(most, scores.numel()))
    queries, found = best.indices // len(classes), classes[best.indices % len(classes)]
    masks, sure = [], []
    for part in torch.split(queries, _AT_ONCE):
        enlarged = _enlarge(logits[part], view)
        inside = enlarged > 0
        masks.append(inside)
        sure.append((enlarged.sigmoid() * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1))
    whole = torch.cat(masks)
    there = whole.flatten(1).any(1)
    boxes = torch.stack([_box(mask) for mask in whole[there]]) if there.any() else whole.new_zeros((0, 4)).float()
    return Found(found[there], (best.values * torch.cat(sure))[there], boxes, whole[there])


def _enlarge(logits: Tensor, view: View) -> Tensor:
    """Masks (N, h, w) of the square as (N, H, W) of the image."""
    square = F.interpolate(logits[None], (view.side, view.side), mode="bilinear", align_corners=False)
    part = square[..., : view.resized[0], : view.resized[1]]
    return F.interpolate(part, view.size, mode="bilinear", align_corners=False)[0]


def _box(mask: Tensor) -> Tensor:
    rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
    return torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()


class Boxes:
    """The DETR family: a class and a box for each query.

    Args:
        classes: How many there are.
    """

    backbone = "backbone."

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def targets(self, targets: Sequence[Target], side: int) -> dict[str, Any]:
        """See `Head.targets`."""
        return {
            "labels": [
                {"class_labels": target["labels"] - 1, "boxes": _middles(target["boxes"]) / side} for target in targets
            ]
        }

    def detect(self, output: Any, views: Sequence[View], classes: Tensor, most: int) -> list[Found]:
        """See `Head.detect`; over all pairs of query and class (Deformable DETR), so that one class hides no other."""
        scores = self._scores(output.logits.float())[..., classes]
        boxes = output.pred_boxes.float()
        return [_boxes(*item, classes, most) for item in zip(scores, boxes, views, strict=True)]

    def _scores(self, logits: Tensor) -> Tensor:
        """Of (B, Q, C), one by one; with a last class for "no object", as DETR has it, they share one sum."""
        return logits.softmax(-1) if logits.shape[-1] > self.classes else logits.sigmoid()


def _boxes(scores: Tensor, boxes: Tensor, view: View, classes: Tensor, most: int) -> Found:
    """Of scores (Q, C) and boxes (Q, 4) by middle and size, in shares of the square."""
    best = scores.flatten().topk(min(most, scores.numel()))
    queries, found = best.indices // len(classes), classes[best.indices % len(classes)]
    middles, sizes = torch.split(boxes[queries], 2, dim=1)
    corners = view.side * torch.cat([middles - sizes / 2, middles + sizes / 2], dim=1)
    (height, width), (resized_height, resized_width) = view.size, view.resized
    scale = corners.new_tensor([width / resized_width, height / resized_height] * 2)
    limits = corners.new_tensor([width, height] * 2)
    return Found(found, best.values, (corners * scale).clamp(min=0).minimum(limits), None)


def _middles(boxes: Tensor) -> Tensor:
    """(N, 4) XYXY as middle, width and height."""
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)
