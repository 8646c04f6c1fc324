"""The loop of BSGAL as published: a batch is learned as pasted where that helps what it shows, else unpasted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from divergen_records import Category
from torch import Tensor, nn

from ..detectors.protocol import Target
from ..engine.step import BatchSlice, Engine
from .distributed import from_all_ranks
from .estimator import ContributionEstimator, Normalize
from .frozen import Replay, at_rest
from .ledger import Contribution, Ledger, write_contributions
from .lookahead import undone
from .objects import judging
from .threshold import AcceptanceThreshold
from .versions import Versions

__all__ = ["PublishedStep"]


class _Judged(NamedTuple):
    """Images, and the objects in them whose class loss counts."""

    images: Sequence[Tensor]
    targets: Sequence[Target]


class PublishedStep:
    """A `TrainStep` for images whose targets are `Versions` (BSGAL, section 4; aim-uofa/DiverGen, folder BSGAL).

    The real gradient is that of the class loss of all objects in the matched images, each with its own box as the
    region, kept with a short memory; the pasted one that of the pasted objects. Their cosine decides over the process'
    whole batch. ``compare="steps"`` takes a step on each version instead, looks at the matched images' loss, and undoes
    it: ``paste_or_ori``, which the authors use where two gradients of all weights do not fit the memory.

    Args:
        categories: What the labels 1, 2, … mean.
        threshold: Decides.
        compare: ``"gradient"``, ``"raw gradient"`` (the inner product, not the cosine) or ``"steps"``.
        momentum: Share of the old real gradient that is kept.
    """

    name = "published"

    def __init__(
        self,
        categories: Sequence[Category],
        threshold: AcceptanceThreshold,
        *,
        compare: Literal["gradient", "raw gradient", "steps"] = "gradient",
        momentum: float = 0.1,
    ) -> None:
        self.ledger, self.threshold, self.momentum = Ledger(categories), threshold, momentum
        self.unmatched = 0
        self._judge = self._compare_steps if compare == "steps" else self._compare_gradients
        self._normalize: Normalize = "none" if compare == "raw gradient" else "cosine"
        self._estimator: ContributionEstimator | None = None
        self._resumed: dict[str, Any] | None = None

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Mapping[str, Tensor | float]:
        """See `TrainStep`."""
        versions = [[cast(Versions, target) for target in part.targets] for part in parts]
        originals = [
            _replaced(part, [target["original"] for target in own]) for part, own in zip(parts, versions, strict=True)
        ]
        pasted = [_pasted(part, engine.world.device) for part in parts]
        matched = [_matched(own, engine.world.device) for own in versions]
        self.unmatched += sum(
            target["matched"] is None and any(target["sources"]) for own in versions for target in own
        )
        value = self._judge(engine, parts, originals, pasted, matched)
        # Every process asks equally often; one that has pasted nothing has nothing to ask.
        verdict = self.threshold(torch.tensor([] if value is None else [value]))
        accepted = value is None or bool(verdict[0])
        self._note(pasted, value, accepted)
        logged: dict[str, Any] = {}
        for part in parts if accepted else originals:
            for name, loss in engine.backward(engine.losses(part), part.share).items():
                logged[name] = logged.get(name, 0.0) + loss
        return {**logged, "accepted": accepted / engine.world.size}

    def state_dict(self) -> dict[str, Any]:
        """See `TrainStep`."""
        estimator = {} if self._estimator is None else {"estimator": self._estimator.state_dict()}
        return {
            "threshold": self.threshold.state_dict(),
            "ledger": self.ledger.state_dict(),
            "unmatched": self.unmatched,
            **estimator,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `TrainStep`."""
        self.threshold.load_state_dict(state["threshold"])
        self.ledger.load_state_dict(state["ledger"])
        self.unmatched = state["unmatched"]
        self._resumed = state.get("estimator")

    def write(self, folder: Path) -> None:
        """Write ``contributions.jsonl``; see `Contribution`."""
        write_contributions(folder / "contributions.jsonl", self.contributions())

    def contributions(self) -> Iterable[Contribution]:
        """What each judged instance contributed."""
        return iter(self.ledger)

    def _compare_gradients(
        self,
        engine: Engine,
        parts: Sequence[BatchSlice],
        originals: Sequence[BatchSlice],
        pasted: Sequence[_Judged],
        matched: Sequence[_Judged],
    ) -> float | None:
        """Cosine or product of pasted and real gradient; None where nothing was pasted, or nothing real seen yet."""
        if self._estimator is None:
            self._estimator = ContributionEstimator(
                cast(nn.Module, judging(engine.detector)),
                _class_losses,
                mode="gradient",
                momentum=self.momentum,
                normalize=self._normalize,
            )
            if self._resumed is not None:
                self._estimator.load_state_dict(self._resumed)
        self._estimator.observe(*_filled(matched))
        judged = _filled(pasted)
        return self._estimator.judge(*judged) if judged and self._estimator.ready else None

    def _compare_steps(
        self,
        engine: Engine,
        parts: Sequence[BatchSlice],
        originals: Sequence[BatchSlice],
        pasted: Sequence[_Judged],
        matched: Sequence[_Judged],
    ) -> float | None:
        """How much lower the real loss is after a step on the pasted version than after one on the unpasted."""
        real = _filled(matched)
        if not real:
            return None
        model = cast(nn.Module, judging(engine.detector))
        replay, after = Replay(model), []
        for version in (parts, originals):
            with undone(model, engine.optimizer), replay(), torch.enable_grad():
                for part in version:
                    loss = torch.stack(list(engine.losses(part).values())).sum() * part.share * engine.world.size
                    loss.backward()  # type: ignore[no-untyped-call]
                engine.optimizer.step()
                with torch.no_grad(), at_rest(model):
                    after.append(float(torch.cat([_class_losses(model, batch) for batch in real]).mean()))
        return after[1] - after[0]

    def _note(self, pasted: Sequence[_Judged], value: float | None, accepted: bool) -> None:
        own = [] if value is None else [(*key, value, accepted) for batch in pasted for key in _sources(batch)]
        for rank in from_all_ranks(own)[0]:
            for source, label, contribution, verdict in rank:
                self.ledger.add(source, label, contribution, verdict)


def _class_losses(model: Any, batch: _Judged) -> Tensor:
    losses: Tensor = model.class_activations(model.encode(batch.images), batch.targets).objects.losses
    return losses


def _replaced(part: BatchSlice, items: Sequence[tuple[Tensor, Target]]) -> BatchSlice:
    return replace(part, images=[image for image, _ in items], targets=[target for _, target in items])


def _pasted(part: BatchSlice, device: torch.device) -> _Judged:
    """A part's images with only what was pasted."""
    return _Judged([image.to(device) for image in part.images], [_only_pasted(t, device) for t in part.targets])


def _only_pasted(target: Target, device: torch.device) -> Target:
    keep = torch.tensor([source is not None for source in target["sources"]], dtype=torch.bool)
    return Target(
        boxes=target["boxes"][keep].to(device),
        labels=target["labels"][keep].to(device),
        masks=target["masks"][keep].to(device),
        image_id=target["image_id"],
        sources=tuple(source for source in target["sources"] if source is not None),
    )


def _matched(versions: Sequence[Versions], device: torch.device) -> _Judged:
    found = [target["matched"] for target in versions if target["matched"] is not None]
    targets = [cast(Target, {**target, **_moved(target, device)}) for _, target in found]
    return _Judged([image.to(device) for image, _ in found], targets)


def _moved(target: Target, device: torch.device) -> dict[str, Tensor]:
    return {name: target[name].to(device) for name in ("boxes", "labels", "masks")}


def _filled(batches: Sequence[_Judged]) -> list[_Judged]:
    """Those with any object in them."""
    return [batch for batch in batches if any(len(target["labels"]) for target in batch.targets)]


def _sources(batch: _Judged) -> list[tuple[str, int]]:
    return [
        (source, int(label))
        for target in batch.targets
        for source, label in zip(target["sources"], target["labels"], strict=True)
        if source is not None
    ]
