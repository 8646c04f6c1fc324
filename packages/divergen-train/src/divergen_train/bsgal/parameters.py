"""The weights that an estimate looks at: a model's trainable parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from divergen_records.errors import ConfigError
from torch import Tensor, nn

from .errors import ModelChanged

__all__ = ["TrainedParameters", "dot", "norm"]

_PROBE = 64


class TrainedParameters:
    """Trainable parameters of a model, in the model's order.

    Args:
        model: The model.

    Raises:
        ConfigError: If there is none.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.shapes = self._shapes()
        if not self.shapes:
            raise ConfigError("the model has no parameter that is trained (requires_grad)")

    def named(self) -> dict[str, nn.Parameter]:
        """Name -> parameter.

        Raises:
            ModelChanged: If they are no longer those of the beginning: frozen, thawed, added or of other shapes.
        """
        shapes = self._shapes()
        if shapes != self.shapes:
            differing = sorted(name for name in {*shapes, *self.shapes} if shapes.get(name) != self.shapes.get(name))
            raise ModelChanged(
                f"the trained parameters are not those of the beginning: {', '.join(differing[:4])}"
                f"{' …' if len(differing) > 4 else ''}. Make a new estimator after freezing, thawing or changing layers"
            )
        return dict(self._trainable())

    def values(self) -> list[nn.Parameter]:
        """The parameters."""
        return list(self.named().values())

    def probe(self) -> Tensor:
        """A few weights of every parameter, (P,) float32: enough to see that the model was replaced."""
        parts = []
        for parameter in self.values():
            flat = parameter.detach().reshape(-1)
            parts.append(flat[:: max(1, flat.numel() // _PROBE)][:_PROBE].float())
        return torch.cat(parts)

    @contextmanager
    def moved(self, directions: Iterable[Tensor], step: float) -> Iterator[None]:
        """The model with ``step`` times a direction added to its weights; afterwards the very same tensors are back.

        Args:
            directions: One tensor for each parameter, in order.
            step: The factor.
        """
        parameters = self.values()
        kept = [parameter.data for parameter in parameters]
        try:
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.data = torch.add(parameter.data, direction.to(parameter.dtype), alpha=step)
            yield
        finally:
            for parameter, data in zip(parameters, kept, strict=True):
                parameter.data = data

    def _trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, value) for name, value in self._model.named_parameters() if value.requires_grad)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in self._trainable()}


def dot(first: Iterable[Tensor], second: Iterable[Tensor | None]) -> Tensor:
    """Inner product of two lists of tensors, a scalar float64 (None counts as zeros)."""
    total = torch.zeros((), dtype=torch.float64)
    for a, b in zip(first, second, strict=True):
        if b is not None:
            total = total.to(a.device) + (a.float() * b.float()).sum(dtype=torch.float64)
    return total


def norm(tensors: Iterable[Tensor | None]) -> float:
    """Euclidean norm of a list of tensors."""
    squares = [tensor.detach().float().norm().double() ** 2 for tensor in tensors if tensor is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
