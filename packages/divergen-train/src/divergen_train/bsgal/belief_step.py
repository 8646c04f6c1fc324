"""Training that judges each generated instance in passing, and draws more of what helps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from divergen_records import Category
from numpy.typing import NDArray
from torch import Tensor

from ..engine.step import BatchSlice, Engine
from .draws import Draws
from .judge import Judge, Seen
from .ledger import Contribution, write_contributions
from .objects import activations, judging, labels_and_sources

__all__ = ["BeliefStep"]


class BeliefStep:
    """A `TrainStep` that learns from everything, and changes what is drawn.

    Every object passes the classifier once more with its own box as the region, on the features that the step makes
    anyway and without a graph. Real objects become references, generated ones are judged against those of their
    category, and every few steps the beliefs become weights of the pool.

    Args:
        categories: What the labels 1, 2, … mean.
        draws: What is drawn from, and how often.
        iterations: Of the training.
        start: Share of the training before the first judgement.
        every: Steps between changes of what is drawn.
        half_life: Share of the training after which a judgement counts half.
        references: See `Judge`.
        least: See `Judge`.
        floor: See `Judge`.
        prior: See `Judge`; with one, instances are drawn by it from the first step on.
    """

    name = "belief"

    def __init__(
        self,
        categories: Sequence[Category],
        draws: Draws,
        iterations: int,
        *,
        start: float = 0.25,
        every: int = 10,
        half_life: float = 0.25,
        references: int = 8,
        least: int = 2,
        floor: float = 0.02,
        prior: NDArray[np.float64] | None = None,
    ) -> None:
        self.draws, self.every = draws, every
        self.judge = Judge(
            draws.candidates,
            half_life=max(half_life * iterations, 1),
            start=round(start * iterations),
            references=references,
            least=least,
            floor=floor,
            prior=prior,
        )
        self.calls = 0
        self._categories = tuple(categories)
        self._set: NDArray[np.float64] | None = None
        if prior is not None:
            self._change(self.judge.weights(0))

    def look(self, engine: Engine, parts: Sequence[BatchSlice]) -> None:
        """Judge a batch by the weights that the detector has now, and learn nothing from it."""
        seen = []
        for part in parts:
            with torch.no_grad():
                encoded = engine.encode(part)
            seen.append(Seen(activations(engine, part, encoded), *labels_and_sources(part)))
        self.judge.look(*seen)

    def begin(self) -> None:
        """Draw by what `look` found; the detector that learns from here on has its own references."""
        self.judge.references.clear()
        self._change(self.judge.weights(0))

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Mapping[str, Tensor | float]:
        """See `TrainStep`."""
        judging(engine.detector)
        logged: dict[str, Any] = {}
        seen = []
        for part in parts:
            encoded = engine.encode(part)
            seen.append(Seen(activations(engine, part, encoded), *labels_and_sources(part)))
            for name, value in engine.backward(engine.losses(part, encoded), part.share).items():
                logged[name] = logged.get(name, 0.0) + value
        before = self.judge.skipped
        self.judge.observe(self.calls, *seen)
        self.calls += 1
        if self.calls > self.judge.start and self.calls % self.every == 0:
            self._act()
        skipped = self.judge.skipped - before
        return {**logged, "drawn": self._drawn() / engine.world.size, "unjudged": skipped / engine.world.size}

    def state_dict(self) -> dict[str, Any]:
        """See `TrainStep`."""
        weights = {} if self._set is None else dict(zip(self.draws.candidates.ids, self._set.tolist(), strict=True))
        return {"calls": self.calls, "judge": self.judge.state_dict(), "weights": weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `TrainStep`."""
        self.calls = state["calls"]
        self.judge.load_state_dict(state["judge"])
        if state["weights"]:
            self._change(np.array([state["weights"].get(name, 1.0) for name in self.draws.candidates.ids]))

    def write(self, folder: Path) -> None:
        """Write ``contributions.jsonl``; see `Contribution`."""
        write_contributions(folder / "contributions.jsonl", self.contributions())

    def contributions(self) -> list[Contribution]:
        """What is believed of each instance that was judged."""
        by_id = {category.id: category for category in self._categories}
        belief, candidates = self.judge.belief, self.draws.candidates
        guess, _ = belief.estimate(self.calls)
        means, weights = belief.means(), self.draws.weights()
        return [
            Contribution(
                source=candidates.ids[row],
                category_id=candidates.category_ids[row],
                category=by_id[candidates.category_ids[row]].name,
                frequency=by_id[candidates.category_ids[row]].frequency,
                n=int(belief.judged[row]),
                mean=float(means[row]),
                belief=float(guess[row]),
                weight=float(weights[row]),
            )
            for row in np.flatnonzero(belief.judged).tolist()
        ]

    def _act(self) -> None:
        if self._set is not None and not np.array_equal(self._set, self.draws.weights()):
            warnings.warn(
                "the weights of the pool were changed by something else while this training judged; "
                "they are now those of its beliefs again",
                stacklevel=2,
            )
        self._change(self.judge.weights(self.calls))

    def _change(self, weights: NDArray[np.float64]) -> None:
        self.draws.set_weights(weights)
        self._set = self.draws.weights()

    def _drawn(self) -> float:
        """Effective share of the pool that is drawn: 1 while all are drawn alike."""
        if self._set is None:
            return 1.0
        return float(self._set.sum() ** 2 / (self._set**2).sum() / len(self._set))
