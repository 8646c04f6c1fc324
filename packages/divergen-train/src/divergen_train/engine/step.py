"""A training step in pieces: a batch becomes losses, losses become gradients, gradients become new weights.

The trainer calls a `TrainStep` between drawing a batch and updating the weights::

    parts = …                         the batch, in slices that fit the memory
    logged = step(engine, parts)      losses and gradients: here a strategy may choose what to learn from
    engine.update(iteration)          sum over processes, clip, optimiser, moving average

`PlainStep` learns from everything. Another strategy gets the same pieces: it may call ``engine.losses`` on any part as
often as it likes, look at gradients, weigh or drop what it does not want, and leaves the gradients to be used in
``parameter.grad``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..detectors.protocol import Detector, Target
from .config import EngineConfig
from .distributed import World
from .optim import MovingAverage, clip_gradients, learning_rate, make_optimizer

__all__ = ["BatchSlice", "Engine", "PlainStep", "TrainStep"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class BatchSlice:
    """Images that go through the detector together: a slice of this process's part of a batch.

    Attributes:
        images: Each (3, h, w) uint8.
        targets: What is in them.
        seed: Decides which anchors and regions are sampled; depends on run seed, iteration and slice alone.
        share: Of the whole batch over all processes; the shares of all parts add up to 1.
    """

    images: Sequence[Tensor]
    targets: Sequence[Target]
    seed: int
    share: float


class Engine:
    """Detector, optimiser and moving average on their device, and what can be done with them.

    Args:
        detector: In training mode.
        config: Learning rate, precision, clipping, averaging.
        world: This process among the others.
    """

    def __init__(self, detector: Detector, config: EngineConfig, world: World) -> None:
        self.detector, self.config, self.world = detector, config, world
        self.optimizer = make_optimizer(detector, config)
        self.average = MovingAverage(detector, config.ema_decay)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=config.precision == "float16")

    def losses(self, part: BatchSlice, encoded: Any = None) -> dict[str, Tensor]:
        """Losses by name, scalars with their graph. Equal calls give equal losses: the part's seed is set first.

        Args:
            part: The images and what is in them.
            encoded: What `encode` gave for this part just before: the same losses, without encoding it again.
        """
        if encoded is None:
            torch.manual_seed(part.seed)
        images, targets = self.moved(part)
        detector: Any = self.detector
        with self.autocast():
            losses: dict[str, Tensor]
            losses = detector(images, targets) if encoded is None else detector.losses(encoded, targets)
        return losses

    def encode(self, part: BatchSlice) -> Any:
        """What the heads need of a part's images, with its graph; the part's seed is set first.

        For detectors that are `divergen_train.bsgal.objects.JudgesObjects`.
        """
        torch.manual_seed(part.seed)
        images, _ = self.moved(part)
        detector: Any = self.detector
        with self.autocast():
            return detector.encode(images)

    def moved(self, part: BatchSlice) -> tuple[list[Tensor], list[Target]]:
        """Images and targets of a part on this process's device."""
        device = self.world.device
        images = [image.to(device, non_blocking=True) for image in part.images]
        return images, [_move(target, device) for target in part.targets]

    def autocast(self) -> AbstractContextManager[None]:
        """Passes in the precision that the config says."""
        precision = self.config.precision
        return torch.autocast(self.world.device.type, _DTYPES[precision], enabled=precision != "float32")

    def backward(self, losses: Mapping[str, Tensor], share: float = 1.0) -> dict[str, Tensor]:
        """Add ``share`` times the gradient of the summed losses to ``parameter.grad``.

        In float16 the gradients carry the scaler's factor until `update`.

        Returns:
            ``share`` times ``loss``, the sum, and each loss by name; detached.
        """
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        self.scaler.scale(total * share).backward()  # type: ignore[no-untyped-call]
        return {name: share * loss.detach().float() for name, loss in {"loss": total, **losses}.items()}

    def update(self, iteration: int) -> None:
        """New weights from the gradients: summed over processes, clipped, at the iteration's learning rate.

        In float16 a step whose gradients overflowed is left out, and the scaler's factor halved.
        """
        share = learning_rate(self.config, iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * share
        self.world.sum_gradients(self.detector.parameters())
        self.scaler.unscale_(self.optimizer)
        clip_gradients(self.detector.parameters(), self.config)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(iteration)


class TrainStep(Protocol):
    """How a batch becomes gradients.

    Attributes:
        name: Told in the checkpoint; a run goes on only with the same.
    """

    name: str

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Mapping[str, Tensor | float]:
        """Leave in ``parameter.grad``, empty before, the gradients to be used.

        Returns:
            Numbers to log, among them ``loss``. They are added up over processes, so each is this process's share of
            the mean, as `Engine.backward` gives them.
        """

    def state_dict(self) -> dict[str, Any]:
        """What the strategy remembers from step to step: tensors and plain values, saved in the checkpoint."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""

    def write(self, folder: Path) -> None:
        """Leave in the run's folder what a person may want to read; called whenever a checkpoint was saved."""


class PlainStep:
    """Learn from the whole batch."""

    name = "plain"

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Mapping[str, Tensor | float]:
        """Gradients of the mean loss over all parts."""
        logged: dict[str, Tensor] = {}
        for part in parts:
            for name, value in engine.backward(engine.losses(part), part.share).items():
                logged[name] = logged[name] + value if name in logged else value
        return logged

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to go on from."""

    def write(self, folder: Path) -> None:
        """Nothing."""


def _move(target: Target, device: torch.device) -> Target:
    return Target(
        boxes=target["boxes"].to(device, non_blocking=True),
        labels=target["labels"].to(device, non_blocking=True),
        masks=target["masks"].to(device, non_blocking=True),
        image_id=target["image_id"],
        sources=target["sources"],
    )
