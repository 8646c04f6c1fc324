"""The direction kept from real data: a moving average of its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .distributed import mean_over_ranks
from .errors import ModelChanged
from .parameters import norm

__all__ = ["Cache"]


class Cache:
    """A direction v in weight space, one copy of the parameters; v = momentum v + (1 - momentum) gradient.

    Args:
        shapes: Name -> shape.
        momentum: Share of the old direction that is kept (BSGAL keeps 0.1).
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]], momentum: float) -> None:
        self._shapes, self._momentum = shapes, momentum
        self._values: list[Tensor] = []

    @property
    def empty(self) -> bool:
        """Nothing was observed yet."""
        return not self._values

    def update(self, gradients: Sequence[Tensor], *, average: bool) -> None:
        """Take in a gradient, one tensor for each parameter; ``average`` takes its mean over the ranks first."""
        if average:
            gradients = mean_over_ranks(gradients)
        if not self._values:
            self._values = [gradient.detach().clone() for gradient in gradients]
            return
        for value, gradient in zip(self._values, gradients, strict=True):
            value.lerp_(gradient.detach(), 1 - self._momentum)

    def directions(self) -> Sequence[Tensor]:
        """The direction, tensor by tensor in the parameters' order."""
        return self._values

    def norm(self) -> float:
        """Its length."""
        return norm(self._values)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: name -> tensor; empty where nothing was observed."""
        return dict(zip(self._shapes, self._values, strict=False))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint; raises `ModelChanged` where names or shapes differ."""
        if not state:
            self._values = []
            return
        if {name: tuple(value.shape) for name, value in state.items()} != self._shapes:
            raise ModelChanged("the direction in the checkpoint is of other parameters than this model's")
        self._values = [state[name].clone() for name in self._shapes]
