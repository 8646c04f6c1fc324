"""Learning rate, parameter groups and the moving average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from ..detectors.protocol import Detector
from .config import EngineConfig

__all__ = ["MovingAverage", "clip_gradients", "learning_rate", "make_optimizer"]


def learning_rate(config: EngineConfig, iteration: int) -> float:
    """Share of the peak learning rate at an iteration: linear warm-up, then a cosine down to ``final_lr``."""
    if iteration < config.warmup:
        return (iteration + 1) / config.warmup
    done = (iteration - config.warmup) / max(config.iterations - config.warmup, 1)
    return config.final_lr + (1 - config.final_lr) * 0.5 * (1 + math.cos(math.pi * done))


def make_optimizer(detector: Detector, config: EngineConfig) -> torch.optim.AdamW:
    """AdamW; biases and norms do not decay, the pre-trained body learns at ``backbone_lr`` times the rate.

    Each group carries its peak rate as ``peak_lr``, which `learning_rate` scales.
    """
    body = {id(parameter) for parameter in getattr(detector.backbone, "body", detector.backbone).parameters()}
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for parameter in detector.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in body, parameter.ndim > 1), []).append(parameter)
    on_cpu = all(parameter.device.type == "cpu" for parameter in detector.parameters())
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "peak_lr": config.lr * (config.backbone_lr if pretrained else 1.0),
                "weight_decay": config.weight_decay if decays else 0.0,
            }
            for (pretrained, decays), parameters in groups.items()
        ],
        lr=config.lr,
        fused=on_cpu or None,  # torch's own choice is one kernel for each operation there
    )


def clip_gradients(parameters: Iterable[torch.nn.Parameter], config: EngineConfig) -> None:
    """Limit each number of the gradients by ``clip_value``, then their norm by ``clip_norm``; None limits nothing.

    The gradients must be those of the whole batch: summed over processes, without a loss scaler's factor.
    """
    mine = list(parameters)
    if config.clip_value is not None:
        torch.nn.utils.clip_grad_value_(mine, config.clip_value)
    if config.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(mine, config.clip_norm)


class MovingAverage:
    """Exponential moving average of a detector's weights, with a decay that warms up.

    What is not trained is the detector's own throughout and costs nothing (torch's `AveragedModel` averages it too).

    Args:
        detector: Whose weights are followed; what of it is trained is decided here.
        decay: Share of the old average kept per step; lower in the first steps, so that they are forgotten. 0 makes
            the average the weights themselves.
    """

    def __init__(self, detector: Detector, decay: float) -> None:
        self.detector, self.decay = cast("nn.Module", detector), decay
        self._averaged = copy.deepcopy(self.detector).requires_grad_(False)
        pairs = zip(_tensors(self._averaged), _tensors(self.detector), strict=True)
        learned = [(old, new) for old, new in pairs if new.requires_grad or not isinstance(new, nn.Parameter)]
        self._numbers = [pair for pair in learned if pair[0].is_floating_point()]
        self._counters = [pair for pair in learned if not pair[0].is_floating_point()]

    @property
    def state(self) -> dict[str, Tensor]:
        """The averaged weights, by the names of the detector's."""
        return dict(self._averaged.state_dict())

    def update(self, iteration: int) -> None:
        """Take in the weights after an iteration."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        with torch.no_grad():
            torch._foreach_lerp_([old for old, _ in self._numbers], [new for _, new in self._numbers], 1 - decay)
            for old, new in self._counters:
                old.copy_(new)

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from the average of a checkpoint."""
        self._averaged.load_state_dict(state)

    @contextmanager
    def applied(self) -> Iterator[Detector]:
        """The averaged detector in evaluation mode; the one in training is not touched."""
        yield cast("Detector", self._averaged.train(False))


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
