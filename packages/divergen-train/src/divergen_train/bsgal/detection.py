"""BSGAL in this package's trainer: every pasted instance is judged, and learned from only if it helps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from divergen_records import Category, derive_seed
from divergen_records.errors import ConfigError
from divergen_records.sample import Sample
from torch import Tensor, nn

from ..detectors.protocol import Target
from ..engine.step import BatchSlice, Engine
from .config import BsgalConfig
from .distributed import from_all_ranks
from .estimator import ContributionEstimator
from .frozen import at_rest
from .ledger import Ledger

__all__ = ["IGNORED", "BsgalStep", "JudgesInstances", "PasteInSome"]

IGNORED = -1
"""Label of an object that a detector must not learn from, neither as an object nor as background."""


@runtime_checkable
class JudgesInstances(Protocol):
    """What a detector offers beside `Detector`, so that its training can be selective.

    Its training losses must leave out objects of label `IGNORED` and the regions and anchors that match them.
    """

    def encode(self, images: Sequence[Tensor]) -> Any:
        """What the heads need of the images: the pyramid. Tensors, and tuples, lists and dicts of them."""

    def losses(self, encoded: Any, targets: Sequence[Target]) -> dict[str, Tensor]:
        """What the detector gives in training mode, from what `encode` gave in it."""

    def instance_losses(self, encoded: Any, targets: Sequence[Target]) -> Tensor:
        """(N,), the loss of each object with its own box as the region, over all images in order; random-free."""

    def head_parameters(self) -> Sequence[str]:
        """Patterns of the parameters that act after `encode`."""


class Judged(NamedTuple):
    """A batch for the estimator: images, or what the detector made of them, and the objects to judge."""

    images: Sequence[Tensor]
    encoded: Any
    targets: Sequence[Target]


@dataclass(frozen=True)
class PasteInSome:
    """A paster that leaves some images as they are: what is learned from them is the measure.

    Attributes:
        paste: The paster.
        real_share: Share of the draws without anything pasted.
        seed: Decides which, as a function of image and visit.
    """

    paste: Callable[[Sample], Sample]
    real_share: float
    seed: int

    def __call__(self, sample: Sample) -> Sample:
        """The sample, pasted or not."""
        drawn = derive_seed(self.seed, "real", sample.image_id, sample.epoch) / 2**63
        return sample if drawn < self.real_share else self.paste(sample)


class BsgalStep:
    """A `TrainStep` that learns from real images and from the pasted instances that help.

    The measure is the gradient of the objects' losses, each with its own box as the region, in the images without
    pasted instances. By the same loss the pasted instances are judged, and the images that hold them are learned from
    with the rejected ones ignored.

    Args:
        config: How.
        categories: What the labels 1, 2, … mean.
    """

    def __init__(self, config: BsgalConfig, categories: Sequence[Category]) -> None:
        self.name = "bsgal"
        self.config, self.ledger = config, Ledger(categories)
        self.threshold = config.threshold.build()
        self.calls = 0
        self._estimator: ContributionEstimator | None = None
        self._on_features = False  # Only weights behind `encode` count, so that it need not be done again.
        self._resumed: dict[str, Any] | None = None
        self._bank: list[tuple[Tensor, Target]] = []
        self._measured: int | None = None  # the call that took the bank's gradient

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Mapping[str, Tensor | float]:
        """See `TrainStep`."""
        estimator = self._prepared(engine)
        due = self.calls % self.config.every == 0
        logged: dict[str, Any] = {}
        pasted = list(parts)
        if self.config.real_images:
            self._measure(engine, estimator, parts, due=due)
        elif due:  # Between estimates nothing is measured, so the batch stays whole: that is what makes them cheap.
            split = [divided for part in parts for divided in _divide(part)]
            pasted = [part for part in split if _generated(part)]
            logged = self._learn_real(engine, estimator, [part for part in split if not _generated(part)])
        ready = due and all(from_all_ranks(estimator.ready)[0])
        # One graph at a time, as everywhere: the last part's features are kept for learning, the others' made again.
        kept = engine.encode(pasted[-1]) if ready and pasted and self._on_features else None
        warmed = self.threshold.warmed
        verdicts = self._judge(engine, estimator, pasted, kept) if ready else self._remember(pasted)
        for part, accepted in reversed(list(zip(pasted, verdicts, strict=True))):
            _add(logged, engine.backward(engine.losses(_without(part, accepted), kept), part.share))
            kept = None
        counts, _ = from_all_ranks(sum(map(len, verdicts)))
        logged["accepted"] = sum(map(sum, verdicts)) / max(sum(counts), 1)
        logged["warmup"] = (self.threshold.warmed - warmed) / max(sum(counts), 1) / len(counts)
        self.calls += 1
        return logged

    def state_dict(self) -> dict[str, Any]:
        """See `TrainStep`."""
        estimator = {} if self._estimator is None else {"estimator": self._estimator.state_dict()}
        return {
            "calls": self.calls,
            "threshold": self.threshold.state_dict(),
            "ledger": self.ledger.state_dict(),
            "bank": [{"image": image, **target} for image, target in self._bank],
            "measured": self._measured,
            **estimator,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `TrainStep`."""
        self.calls = state["calls"]
        self.threshold.load_state_dict(state["threshold"])
        self.ledger.load_state_dict(state["ledger"])
        self._bank = [(entry.pop("image"), cast(Target, entry)) for entry in map(dict, state["bank"])]
        self._measured = state["measured"]
        self._resumed = state.get("estimator")

    def write(self, folder: Path) -> None:
        """Write ``contributions.jsonl``; see `Ledger.write`."""
        self.ledger.write(folder / "contributions.jsonl")

    def _prepared(self, engine: Engine) -> ContributionEstimator:
        if self._estimator is not None:
            return self._estimator
        detector, config = engine.detector, self.config
        if not isinstance(detector, JudgesInstances):
            raise ConfigError(
                f"bsgal: {type(detector).__name__} cannot judge instances; it needs encode, losses, "
                "instance_losses and head_parameters (divergen_train.bsgal.detection.JudgesInstances)"
            )
        heads = config.mode == "last-layer" and config.parameters is None
        self._estimator = ContributionEstimator(
            cast(nn.Module, detector),
            _instance_losses,
            mode=config.mode,
            momentum=0.0 if config.real_images else config.momentum,
            normalize=config.normalize,
            derivative="differences",  # RoIAlign has no forward mode
            parameters=detector.head_parameters() if heads else config.parameters,
            sketch_size=config.sketch_size,
            optimizer=engine.optimizer,
        )
        names, patterns = self._estimator.parameters.shapes, detector.head_parameters()
        in_heads = all(any(fnmatchcase(name, pattern) for pattern in patterns) for name in names)
        self._on_features = in_heads and config.mode != "lookahead"
        if self._resumed is not None:
            self._estimator.load_state_dict(self._resumed)
        return self._estimator

    def _measure(
        self, engine: Engine, estimator: ContributionEstimator, parts: Sequence[BatchSlice], *, due: bool
    ) -> None:
        """Keep the images without pasted instances, and from time to time take their gradient at these weights."""
        wanted = -(-self.config.real_images // engine.world.size)
        for part in parts:
            real = [index for index, flags in enumerate(_pasted(part)) if flags and not any(flags)]
            self._bank += [(part.images[index], part.targets[index]) for index in real]
        self._bank = self._bank[-wanted:]
        if not due or (
            self._measured is not None and self.calls - self._measured < self.config.refresh * self.config.every
        ):
            return
        if all(from_all_ranks(len(self._bank) == wanted)[0]):
            size = max(len(part.images) for part in parts)
            chunks = [self._bank[start : start + size] for start in range(0, wanted, size)]
            kept = [
                BatchSlice([image for image, _ in chunk], [target for _, target in chunk], 0, 1.0) for chunk in chunks
            ]
            estimator.observe(*(self._judged(engine, part, _all(part)) for part in kept))
            self._measured = self.calls

    def _learn_real(
        self, engine: Engine, estimator: ContributionEstimator, parts: Sequence[BatchSlice]
    ) -> dict[str, Any]:
        """Gradients of the images without pasted instances, and by their objects' own losses the measure.

        The gradient of the training loss itself, which would cost nothing, is that of the background mostly: most
        regions are. What it rewards is a lower score for anything, and the objects known best suffer the most.
        """
        logged: dict[str, Any] = {}
        measure = []
        for part in parts[:-1]:
            measure.append(self._judged(engine, part, _all(part)))
            _add(logged, engine.backward(engine.losses(part), part.share))
        if not parts:
            estimator.observe()
            return logged
        # The last part's features serve both gradients. In float16 the measure's, which no scaler lifts, would vanish.
        shares = self.config.mode != "lookahead" and (self._on_features or not engine.scaler.is_enabled())
        kept = engine.encode(parts[-1]) if shares else None
        estimator.observe(*measure, self._judged(engine, parts[-1], _all(parts[-1]), kept), retain_graph=shares)
        _add(logged, engine.backward(engine.losses(parts[-1], kept), parts[-1].share))
        return logged

    def _remember(self, parts: Sequence[BatchSlice]) -> list[list[bool]]:
        """For each part, for each pasted instance in it: was it learned from the last time that it was judged?"""
        return [[self.ledger.remembered(source) for source, _ in _sources(part)] for part in parts]

    def _judge(
        self, engine: Engine, estimator: ContributionEstimator, parts: Sequence[BatchSlice], kept: Any
    ) -> list[list[bool]]:
        """For each part, for each pasted instance in it: is it learned from? ``kept``: features of the last part."""
        flat = []
        for index, part in enumerate(parts):
            features = kept if index == len(parts) - 1 else None
            values = estimator.estimate(self._judged(engine, part, _pasted(part), features)).tolist()
            flat += [(*key, value) for key, value in zip(_sources(part), values, strict=True)]
        scores = [self.ledger.score(source, value) if self.config.average else value for source, _, value in flat]
        if self.config.unit == "image":
            scores = _by_image(scores, parts)
        accepted = self.threshold(torch.tensor(scores), [label for _, label, _ in flat]).tolist()
        everyone, _ = from_all_ranks(list(zip(flat, accepted, strict=True)))
        for (source, label, value), verdict in (entry for rank in everyone for entry in rank):
            self.ledger.add(source, label, value, verdict)
        verdicts = iter(accepted)
        return [[next(verdicts) for _ in _sources(part)] for part in parts]

    def _judged(
        self, engine: Engine, part: BatchSlice, which: Sequence[Sequence[bool]], features: Any = None
    ) -> Judged:
        images, targets = engine.moved(part)
        chosen = [_subset(target, keep, engine.world.device) for target, keep in zip(targets, which, strict=True)]
        if features is None and self._on_features:
            with torch.no_grad(), at_rest(cast(nn.Module, engine.detector)):
                features = engine.encode(part)
        return Judged(images, _exact(features, detach=self._on_features), chosen)


def _exact(encoded: Any, *, detach: bool) -> Any:
    """The tensors of what `JudgesInstances.encode` gave in full precision, without their graph where told."""
    if isinstance(encoded, Tensor):
        if not encoded.is_floating_point():
            return encoded
        return encoded.detach().float() if detach else encoded.float()
    if isinstance(encoded, dict):
        return {key: _exact(value, detach=detach) for key, value in encoded.items()}
    if isinstance(encoded, list | tuple):
        values = [_exact(value, detach=detach) for value in encoded]
        return type(encoded)(*values) if hasattr(encoded, "_fields") else type(encoded)(values)
    return encoded


def _instance_losses(model: Any, batch: Judged) -> Tensor:
    encoded = model.encode(batch.images) if batch.encoded is None else batch.encoded
    losses: Tensor = model.instance_losses(encoded, batch.targets)
    return losses


def _all(part: BatchSlice) -> list[list[bool]]:
    return [[True] * len(target["labels"]) for target in part.targets]


def _pasted(part: BatchSlice) -> list[list[bool]]:
    return [[source is not None for source in target["sources"]] for target in part.targets]


def _generated(part: BatchSlice) -> bool:
    return any(any(found) for found in _pasted(part))


def _sources(part: BatchSlice) -> list[tuple[str, int]]:
    """Source and label of the pasted instances of all images."""
    return [
        (source, int(label))
        for target in part.targets
        for source, label in zip(target["sources"], target["labels"], strict=True)
        if source is not None
    ]


def _divide(part: BatchSlice) -> list[BatchSlice]:
    """The images without pasted instances, and those with."""
    found = [any(flags) for flags in _pasted(part)]
    parts = []
    for wanted in (False, True):
        index = [i for i, has in enumerate(found) if has is wanted]
        if index:
            images, targets = [part.images[i] for i in index], [part.targets[i] for i in index]
            parts.append(BatchSlice(images, targets, part.seed, part.share * len(index) / len(found)))
    return parts


def _without(part: BatchSlice, accepted: Sequence[bool]) -> BatchSlice:
    """The part with its rejected instances ignored."""
    verdicts = iter(accepted)
    targets = []
    for target in part.targets:
        keep = torch.tensor([source is None or next(verdicts) for source in target["sources"]], dtype=torch.bool)
        changed = dict(target)
        changed["labels"] = torch.where(keep, target["labels"], IGNORED)
        targets.append(cast(Target, changed))
    return replace(part, targets=targets)


def _subset(target: Target, chosen: Sequence[bool], device: torch.device) -> Target:
    keep = torch.tensor(chosen, dtype=torch.bool)
    return Target(
        boxes=target["boxes"][keep].to(device),
        labels=target["labels"][keep].to(device),
        masks=target["masks"][keep].to(device),
        image_id=target["image_id"],
        sources=tuple(source for source, kept in zip(target["sources"], chosen, strict=True) if kept),
    )


def _by_image(scores: Sequence[float], parts: Sequence[BatchSlice]) -> list[float]:
    """Every score replaced by the mean of its image."""
    left, found = list(scores), []
    for part in parts:
        for flags in _pasted(part):
            own, left = left[: sum(flags)], left[sum(flags) :]
            found += [sum(own) / len(own)] * len(own) if own else []
    return found


def _add(logged: dict[str, Any], numbers: Mapping[str, Tensor]) -> None:
    for name, value in numbers.items():
        logged[name] = logged.get(name, 0.0) + value
