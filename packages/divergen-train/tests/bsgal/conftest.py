"""Small networks with everything in them that estimates have to cope with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """A loss per sample."""
    inputs, labels = batch
    return F.cross_entropy(model(inputs), labels, reduction="none")


def make_batch(count: int, seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.randint(0, 4, (count,), generator=generator)


class Noisy(nn.Module):
    """Adds random numbers in every mode, as a detector that samples its regions."""

    def forward(self, values: Tensor) -> Tensor:
        return values + torch.randn_like(values)


def make_model(kind: str, *, noise: bool = False) -> nn.Module:
    torch.manual_seed(3)
    last = [Noisy()] if noise else []
    if kind == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.Tanh(), nn.Dropout(0.3), nn.Linear(24, 4), *last)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 4),
        *last,
    )


@pytest.fixture
def model() -> nn.Module:
    return make_model("conv")


@pytest.fixture
def batch() -> Callable[[int, int], Batch]:
    return make_batch
