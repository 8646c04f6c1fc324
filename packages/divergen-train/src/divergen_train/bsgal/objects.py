"""The objects of a training step as the judges of generated instances see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

import torch
from divergen_records.errors import ConfigError
from torch import Tensor, nn

from ..detectors.activations import Activations
from ..detectors.protocol import Target
from ..engine.step import BatchSlice, Engine
from .frozen import at_rest

__all__ = ["JudgesObjects", "activations", "judging", "labels_and_sources"]


@runtime_checkable
class JudgesObjects(Protocol):
    """What a detector offers beside `Detector`, so that its training can judge generated instances."""

    def encode(self, images: Sequence[Tensor]) -> Any:
        """What the heads need of the images: the pyramid. Tensors, and tuples, lists and dicts of them."""

    def losses(self, encoded: Any, targets: Sequence[Target]) -> dict[str, Tensor]:
        """What the detector gives in training mode, from what `encode` gave in it."""

    def class_activations(self, encoded: Any, targets: Sequence[Target]) -> Activations:
        """The last layer of the classifier for each object, its own box the region, all images in order; no chance."""


def judging(detector: Any) -> JudgesObjects:
    """The detector, if it can judge objects; raises `ConfigError` if it cannot."""
    if not isinstance(detector, JudgesObjects):
        raise ConfigError(
            f"bsgal: {type(detector).__name__} cannot judge instances; it needs encode, losses and class_activations "
            "(divergen_train.bsgal.objects.JudgesObjects)"
        )
    return detector


def activations(engine: Engine, part: BatchSlice, encoded: Any) -> Activations:
    """Of all objects of a part, without graph and in full precision, from what `Engine.encode` gave for it."""
    _, targets = engine.moved(part)
    detector = judging(engine.detector)
    with torch.no_grad(), at_rest(cast(nn.Module, detector)), torch.autocast(engine.world.device.type, enabled=False):
        return detector.class_activations(_exact(encoded), targets)


def labels_and_sources(part: BatchSlice) -> tuple[list[int], list[str | None]]:
    """Label and source of the objects of all images in order."""
    labels = [int(label) for target in part.targets for label in target["labels"]]
    return labels, [source for target in part.targets for source in target["sources"]]


def _exact(encoded: Any) -> Any:
    """The tensors of what `JudgesObjects.encode` gave in full precision, without their graph."""
    if isinstance(encoded, Tensor):
        return encoded.detach().float() if encoded.is_floating_point() else encoded
    if isinstance(encoded, dict):
        return {key: _exact(value) for key, value in encoded.items()}
    if isinstance(encoded, list | tuple):
        values = [_exact(value) for value in encoded]
        return type(encoded)(*values) if hasattr(encoded, "_fields") else type(encoded)(values)
    return encoded
