"""How every sample's loss changes along one direction in weight space, without any per-sample gradient."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.autograd.forward_ad
from torch import Tensor, nn

from .cache import Cache
from .errors import LossNotPerSample
from .frozen import Replay, at_rest
from .parameters import TrainedParameters, norm

__all__ = ["LossFunction", "difference", "forward_mode", "sample_losses"]

LossFunction = Callable[[Any, Any], Tensor]
"""``loss_fn(model, batch)``: (N,), the loss of each sample of the batch by itself."""


def sample_losses(model: nn.Module, loss_fn: LossFunction, batch: Any) -> Tensor:
    """The losses of a batch, (N,).

    Raises:
        LossNotPerSample: If they are not.
    """
    losses: Any = loss_fn(model, batch)
    if not isinstance(losses, Tensor):
        raise LossNotPerSample(f"loss_fn gave a {type(losses).__name__}; it must give a tensor (N,), a loss per sample")
    if losses.ndim != 1:
        raise LossNotPerSample(
            f"loss_fn gave a tensor of shape {tuple(losses.shape)}; it must give (N,), one loss for each sample. "
            "Loss functions of torch do so with reduction='none', then .flatten(1).mean(1) where a sample has many"
        )
    return losses


def difference(
    model: nn.Module, loss_fn: LossFunction, batch: Any, weights: TrainedParameters, kept: Cache, *, factor: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Each loss and its derivative along the kept direction by central differences, both (N,).

    Two forward passes without a graph at w ± eps v. eps v has the norm of the weights times the cube root of the
    machine precision, where the truncation of the series and the rounding of the loss are about equally large.

    Args:
        model: The model.
        loss_fn: See `LossFunction`.
        batch: What to judge.
        weights: The weights that move.
        kept: The direction.
        factor: On eps.
    """
    parameters = weights.values()
    along = kept.norm()
    precision = max(torch.finfo(parameter.dtype).eps for parameter in parameters)
    eps = factor * 0.2 * precision ** (1 / 3) * norm(parameters) / along if along else 0.0
    replay = Replay(model)
    ends = []
    for step in (eps, -eps):
        with torch.no_grad(), at_rest(model), replay(), weights.moved(kept.directions(), step):
            ends.append(sample_losses(model, loss_fn, batch).double())
    derivative = (ends[0] - ends[1]) / (2 * eps) if eps else torch.zeros_like(ends[0])
    return ((ends[0] + ends[1]) / 2).float(), derivative.float()


def forward_mode(
    model: nn.Module, loss_fn: LossFunction, batch: Any, weights: TrainedParameters, kept: Cache
) -> tuple[Tensor, Tensor]:
    """Each loss and its derivative along the kept direction by forward-mode differentiation, both (N,).

    Raises:
        NotImplementedError: If an operator of the network has no forward mode (RuntimeError for some).
    """
    named = weights.named()
    primals = {f"model.{name}": value.detach() for name, value in named.items()}
    tangents = {
        name: direction.to(value.dtype)
        for (name, value), direction in zip(primals.items(), kept.directions(), strict=True)
    }
    wrapped = _Losses(model, loss_fn)

    def losses(values: dict[str, Tensor]) -> Tensor:
        found: Tensor = torch.func.functional_call(wrapped, values, (batch,))
        return found

    _load_forward_mode()
    replay = Replay(model)
    with torch.no_grad(), at_rest(model), replay():
        found = torch.func.jvp(losses, (primals,), (tangents,))
    return found[0].detach().float(), found[1].detach().float()


@cache
def _load_forward_mode() -> None:
    """Torch's first dual number scripts its decompositions, with a deprecation warning that is not the user's."""
    with warnings.catch_warnings(), torch.autograd.forward_ad.dual_level():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=FutureWarning)
        torch.autograd.forward_ad.make_dual(torch.zeros(1), torch.ones(1))  # type: ignore[no-untyped-call]


class _Losses(nn.Module):
    """The losses as a module, so that `torch.func.functional_call` can give the model other weights."""

    def __init__(self, model: nn.Module, loss_fn: LossFunction) -> None:
        super().__init__()
        self.model, self._loss_fn = model, loss_fn

    def forward(self, batch: Any) -> Tensor:
        return sample_losses(self.model, self._loss_fn, batch)
