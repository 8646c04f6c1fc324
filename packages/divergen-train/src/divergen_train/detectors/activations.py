"""What the last layer of a classifier sees and gets back of each object: enough for the product of two gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Activations", "Objects", "sigmoid_activations", "softmax_activations"]


class Objects(NamedTuple):
    """Objects at the last layer, whose gradient for an object is the outer product of ``errors`` and ``features``.

    Attributes:
        features: (N, S, D) float32, inputs of the layer; S stages, each with a layer of its own, as a cascade has.
        errors: (N, S, C) float32, derivatives of the object's loss by the outputs of the layer.
        losses: (N,) float32, classification loss, summed over the stages.
    """

    features: Tensor
    errors: Tensor
    losses: Tensor

    def at(self, rows: Sequence[int]) -> Objects:
        """Some of them, without their graph."""
        chosen = torch.tensor(rows, dtype=torch.long, device=self.losses.device)
        return Objects(*(value.detach()[chosen] for value in self))


class Activations(NamedTuple):
    """What a detector says of objects.

    Attributes:
        objects: At the last layer.
        weights: (K, D) float32, row of each category in that layer, by which categories are near to each other.
    """

    objects: Objects
    weights: Tensor


def softmax_activations(features: Tensor, logits: Tensor, labels: Tensor, weights: Tensor) -> Activations:
    """Of a plain classifier under cross-entropy.

    Args:
        features: (N, D), what its last linear layer sees; of any precision, with or without a graph.
        logits: (N, C), what it gives.
        labels: (N,) int64, columns of the logits.
        weights: (C, D), that layer's.

    Raises:
        ValueError: If their shapes are others.
    """
    features, logits, weights = _plain(features, logits, labels, weights)
    losses = F.cross_entropy(logits, labels, reduction="none")
    errors = logits.softmax(1) - F.one_hot(labels, logits.shape[1])
    return Activations(Objects(features[:, None], errors[:, None], losses), weights)


def sigmoid_activations(features: Tensor, logits: Tensor, labels: Tensor, weights: Tensor) -> Activations:
    """Of one under binary cross-entropy, summed over the columns; arguments as for `softmax_activations`."""
    features, logits, weights = _plain(features, logits, labels, weights)
    wanted = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1)
    return Activations(Objects(features[:, None], (logits.sigmoid() - wanted)[:, None], losses), weights)


def _plain(features: Tensor, logits: Tensor, labels: Tensor, weights: Tensor) -> list[Tensor]:
    """Features, logits and weights as float32, their shapes checked."""
    given = {"features": features, "logits": logits, "labels": labels, "weights": weights}
    (count, columns), width = logits.shape, features.shape[-1]
    wanted = {"features": (count, width), "logits": (count, columns), "labels": (count,), "weights": (columns, width)}
    for name, tensor in given.items():
        if tuple(tensor.shape) != wanted[name]:
            raise ValueError(f"{name} are {tuple(tensor.shape)}, expected {wanted[name]} beside the others")
    return [tensor.float() for tensor in (features, logits, weights)]
