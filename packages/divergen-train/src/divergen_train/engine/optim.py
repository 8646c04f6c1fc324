"""Learning rate, parameter groups and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

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
    """Exponential moving average of a detector's weights.

    Args:
        detector: Whose weights are followed.
        decay: Share of the old average kept per step; lower in the first steps, so that they are forgotten. 0 makes
            the average the weights themselves.
    """

    def __init__(self, detector: Detector, decay: float) -> None:
        self.detector, self.decay = detector, decay
        self.state: dict[str, Tensor] = {name: value.clone() for name, value in detector.state_dict().items()}

    def update(self, iteration: int) -> None:
        """Take in the weights after an iteration."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration)) if self.decay else 0.0
        with torch.no_grad():
            for name, value in self.detector.state_dict().items():
                average = self.state[name]
                if average.is_floating_point():
                    average.lerp_(value, 1 - decay)
                else:
                    average.copy_(value)

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from the average of a checkpoint."""
        for name, value in self.state.items():
            value.copy_(state[name])

    @contextmanager
    def applied(self) -> Iterator[Detector]:
        """The detector in evaluation mode with the averaged weights; afterwards it trains on as before."""
        current = {name: value.clone() for name, value in self.detector.state_dict().items()}
        self.detector.load_state_dict(self.state)
        self.detector.train(False)
        try:
            yield self.detector
        finally:
            self.detector.load_state_dict(current)
            self.detector.train(True)
