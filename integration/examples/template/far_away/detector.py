"""A detector that looks at the mean of an image and guesses one object in its middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from divergen_records import Config
from divergen_train.detectors.protocol import ClassRows, Detections, Target
from torch import Tensor, nn


class Guess(nn.Module):
    def __init__(self, categories: int) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, categories)

    def class_rows(self) -> Mapping[str, ClassRows]:
        return {"head.weight": ClassRows(), "head.bias": ClassRows()}

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target] | None = None) -> Any:
        scores = [self.head(self.backbone(image[None].float() / 255).mean((0, 2, 3))) for image in images]
        if not self.training:
            return [self._detect(image, one.sigmoid()) for image, one in zip(images, scores, strict=True)]
        assert targets is not None
        wanted = torch.zeros((len(images), self.head.out_features))
        for row, target in zip(wanted, targets, strict=True):
            row[target["labels"][target["labels"] > 0] - 1] = 1
        return {"loss_guess": nn.functional.binary_cross_entropy_with_logits(torch.stack(scores), wanted)}

    def _detect(self, image: Tensor, scores: Tensor) -> Detections:
        height, width = image.shape[1:]
        box = torch.tensor([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]])
        best = scores.argmax().reshape(1)
        return {"boxes": box, "labels": best + 1, "scores": scores[best], "masks": torch.ones((1, 28, 28))}


class GuessConfig(Config):
    kind: Literal["guess"] = "guess"

    def build(self, num_classes: int, image_counts: Sequence[int] | None = None) -> Guess:
        return Guess(num_classes)
