"""A few real objects of each category, against which generated ones of the same category are judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

import torch
from divergen_records.errors import ConfigError
from torch import Tensor

from ..detectors.activations import Objects

__all__ = ["References"]

Scope = Literal["own", "nearest", "all"]
"""Whose real objects an object was judged against."""


class References:
    """The last real objects of each category, as the last layer saw them.

    A generated object's contribution is the product of the gradients of the last layer's weights and biases, which is
    (error . error) (feature . feature + 1), with the mean gradient of real objects of its category, divided by the norm
    of that and by the object's own loss: the relative drop of the real loss that a step on it would bring.

    Args:
        count: Objects kept of each category; views of one object in several images count as several.
        least: A category with fewer is filled up with those of the nearest ones by the classifier's weights, where all
            together have fewer with all of them.

    Attributes:
        used: How many objects were judged against their own category's real ones, with some of the nearest, or all.
    """

    def __init__(self, count: int = 8, least: int = 2) -> None:
        if not 1 <= least <= count:
            raise ConfigError(f"least={least}, count={count}: at least 1, and no more than are kept")
        self.count, self.least = count, least
        self.used: dict[Scope, int] = {"own": 0, "nearest": 0, "all": 0}
        self._kept: dict[int, deque[tuple[Tensor, Tensor]]] = {}

    def add(self, real: Objects, labels: Sequence[int]) -> None:
        """Take in real objects, labels from 1; one whose loss is not finite is passed over."""
        for errors, features, loss, label in zip(real.errors, real.features, real.losses, labels, strict=True):
            if bool(loss.isfinite()):
                kept = self._kept.setdefault(label, deque(maxlen=self.count))
                kept.append((errors.half().clone(), features.half().clone()))

    def clear(self) -> None:
        """Forget them all: another network sees them otherwise."""
        self._kept = {}

    def contributions(self, generated: Objects, labels: Sequence[int], weights: Tensor) -> Tensor:
        """Contribution of each object, (N,) float32; NaN where there is no real object at all, or no finite loss.

        Args:
            generated: The objects.
            labels: Of each, from 1.
            weights: (K, D), see `Activations`.
        """
        values = torch.full((len(labels),), torch.nan, device=generated.losses.device)
        for label in sorted(set(labels)):
            rows = [row for row, own in enumerate(labels) if own == label]
            real, scope = self._of(label, weights)
            if real:
                values[rows] = _relative(generated.at(rows), real)
                self.used[scope] += len(rows)
        return torch.where(values.isfinite(), values, torch.nan)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: tensors, in half precision."""
        kept = {
            label: (torch.stack([errors for errors, _ in some]), torch.stack([features for _, features in some]))
            for label, some in self._kept.items()
        }
        return {"kept": kept, "used": dict(self.used)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.used = dict(state["used"])
        self._kept = {
            label: deque(zip(errors, features, strict=True), maxlen=self.count)
            for label, (errors, features) in state["kept"].items()
        }

    def _of(self, label: int, weights: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Scope]:
        """Real objects to judge a category by, and whose they are."""
        found = list(self._kept.get(label, ()))
        if len(found) >= self.least:
            return found, "own"
        likeness = torch.nn.functional.cosine_similarity(weights, weights[label - 1][None])
        for other in (likeness.argsort(descending=True) + 1).tolist():
            if other != label and len(found) < self.least:
                found += list(self._kept.get(other, ()))[-(self.least - len(found)) :]
        return found, "nearest" if len(found) >= self.least else "all"


def _relative(generated: Objects, real: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    device = generated.losses.device
    errors, features = (torch.stack([entry[part] for entry in real]).to(device).float() for part in (0, 1))
    against = _products(generated.errors, generated.features, errors, features).mean(1)
    norm = _products(errors, features, errors, features).mean().clamp(min=1e-20).sqrt()
    return against / norm / generated.losses.clamp(min=1e-6)


def _products(errors: Tensor, features: Tensor, other_errors: Tensor, other_features: Tensor) -> Tensor:
    """(N, M), products of the last layers' gradients of N objects and M others, summed over the stages."""
    by_errors = torch.einsum("nsc,msc->nms", errors, other_errors)
    found: Tensor = (by_errors * (torch.einsum("nsd,msd->nms", features, other_features) + 1)).sum(2)
    return found
