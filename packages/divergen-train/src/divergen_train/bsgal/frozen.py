"""The same network for every evaluation of one estimate: equal random choices, dropout and batch statistics at rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["Replay", "at_rest"]


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Dropout and drop path off, running statistics used but not updated; the rest of the model stays in its mode.

    Batch statistics would make a sample's loss depend on its neighbours, and a loss per sample meaningless.
    """
    resting = [module for module in model.modules() if module.training and _rests(module)]
    for module in resting:
        module.training = False
    try:
        yield
    finally:
        for module in resting:
            module.training = True


def _rests(module: nn.Module) -> bool:
    # Every library has a drop path of its own.
    return isinstance(module, _DropoutNd | _NormBase) or type(module).__name__ in {"DropPath", "StochasticDepth"}


class Replay:
    """Lets several evaluations draw the same random numbers, and leaves the generators as they were.

    Args:
        model: Whose devices' generators are replayed, beside the CPU's.
    """

    def __init__(self, model: nn.Module) -> None:
        devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
        self._cuda = sorted(device.index for device in devices)
        self._cpu_state = torch.get_rng_state()
        self._cuda_states = [torch.cuda.get_rng_state(index) for index in self._cuda]

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """One evaluation; the arithmetic is in full precision, whatever autocast the training uses."""
        self._restore()
        device = "cuda" if self._cuda else "cpu"
        try:
            with torch.autocast(device, enabled=False):
                yield
        finally:
            self._restore()

    def _restore(self) -> None:
        torch.set_rng_state(self._cpu_state)
        for index, state in zip(self._cuda, self._cuda_states, strict=True):
            torch.cuda.set_rng_state(state, index)
