"""How regions are classified: softmax, or a sigmoid for each category under the federated loss (CenterNet2 on LVIS)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from .config import TorchvisionConfig

__all__ = [
    "PRIOR",
    "Classifier",
    "SigmoidClassifier",
    "SoftmaxClassifier",
    "classifier",
    "federated_categories",
    "federated_weights",
]

PRIOR = 0.01
"""Score that an untrained sigmoid classifier gives to every category."""


class Classifier(Protocol):
    """Turns logits (N, 1 + C), background first, into a loss and into scores."""

    def start(self, layer: nn.Linear) -> None:
        """Set the biases of the layer that gives the logits."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Scalar; labels (N,) int64, 0 is background."""

    def scores(self, logits: Tensor) -> Tensor:
        """(N, C), 0 to 1."""


class SoftmaxClassifier(nn.Module):
    """Cross-entropy over background and all categories.

    Args:
        hidden: Logits at the end that count as background.
    """

    def __init__(self, hidden: int = 0) -> None:
        super().__init__()
        self.hidden = hidden

    def start(self, layer: nn.Linear) -> None:
        """Nothing to set: all categories start equal."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean over the regions."""
        return F.cross_entropy(logits, labels)

    def scores(self, logits: Tensor) -> Tensor:
        """Share of each category."""
        return logits.softmax(-1)[:, 1 : logits.shape[1] - self.hidden]


class SigmoidClassifier(nn.Module):
    """A binary cross-entropy for each category; with ``drawn`` the federated loss (Zhou et al., CenterNet2, 5.3).

    Args:
        weights: (C,) float32, by which negative categories are drawn; see `federated_weights`.
        drawn: Categories in the loss of a step: those that it shows, and others up to this number. 0 takes all.
    """

    def __init__(self, weights: Tensor, drawn: int) -> None:
        super().__init__()
        self.weights: Tensor
        self.register_buffer("weights", weights)
        self.drawn = drawn

    def start(self, layer: nn.Linear) -> None:
        """Every category starts with a score of `PRIOR`, or thousands of easy negatives would drown the first steps."""
        nn.init.constant_(layer.bias, -math.log((1 - PRIOR) / PRIOR))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum over the categories, mean over the regions."""
        if not len(labels):
            return logits.sum() * 0
        wanted = F.one_hot(labels, logits.shape[1])[:, 1:].to(logits.dtype)
        losses = F.binary_cross_entropy_with_logits(logits[:, 1:], wanted, reduction="none")
        if self.drawn:
            losses = losses[:, federated_categories(labels, self.weights, self.drawn)]
        total: Tensor = losses.sum()
        return total / len(labels)

    def scores(self, logits: Tensor) -> Tensor:
        """Each category for itself."""
        return logits[:, 1:].sigmoid()


def federated_categories(labels: Tensor, weights: Tensor, count: int) -> Tensor:
    """Indices of the categories that a step learns from.

    Args:
        labels: (N,) int64, 0 is background, category ``c`` is ``c + 1``.
        weights: (C,) float32; a category of weight 0 is in only where it is shown.
        count: The categories shown are filled up with others to this number.

    Returns:
        (K,) int64, each once.
    """
    shown: Tensor = torch.unique(labels[labels > 0]) - 1
    others = weights.clone()
    others[shown] = 0
    missing = min(count - len(shown), int(torch.count_nonzero(others)))
    if missing <= 0:
        return shown
    return torch.cat([shown, torch.multinomial(others, missing)])


def federated_weights(num_classes: int, image_counts: Sequence[int] | None, power: float) -> Tensor:
    """By what the federated loss draws each category, up to a factor: (num_classes,) float32.

    A category without training images, as the extra ones have, is never drawn as a negative.
    """
    counts = torch.ones(num_classes) if image_counts is None else torch.tensor(image_counts, dtype=torch.float32)
    return torch.where(counts > 0, counts**power, 0.0)


def classifier(
    config: TorchvisionConfig, num_classes: int, image_counts: Sequence[int] | None
) -> SoftmaxClassifier | SigmoidClassifier:
    """The classifier that a config describes."""
    if config.classifier == "softmax":
        return SoftmaxClassifier(config.hidden_categories)
    weights = federated_weights(num_classes, image_counts, config.frequency_weight)
    return SigmoidClassifier(weights, config.federated_categories)
