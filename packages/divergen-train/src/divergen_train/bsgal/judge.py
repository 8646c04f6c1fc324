"""Judges generated samples in passing, for any classifier with a linear last layer: what helps is to be drawn more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detectors.activations import Activations, Objects
from .belief import Belief
from .distributed import from_all_ranks
from .draws import Candidates
from .references import References

__all__ = ["Judge", "Seen"]


class Seen(NamedTuple):
    """A batch as the last layer saw it.

    Attributes:
        activations: Of each object or image.
        labels: Of each, from 1.
        sources: Of each the id of the generated instance that it is, None for a real one.
    """

    activations: Activations
    labels: Sequence[int]
    sources: Sequence[str | None]


class Judge:
    """Real objects become references, generated ones are judged against those of their category, and believed.

    Several processes judge as one; every process must then call `observe` equally often.

    Args:
        candidates: What may be drawn.
        half_life: Steps after which a judgement counts half.
        start: Step of the first judgement: a network that has learned nothing is no judge.
        references: See `References`.
        least: See `References`.
        floor: See `Belief`.
        prior: See `Belief`.

    Attributes:
        skipped: Generated ones without a judgement: no real object was seen yet, the loss was not finite, or their
            source is no candidate.

    Example:
        >>> judge = Judge(candidates, half_life=100, start=100)  # doctest: +SKIP
        >>> found = softmax_activations(features, logits, labels, head.weight)  # doctest: +SKIP
        >>> judge.observe(step, Seen(found, (labels + 1).tolist(), sources))  # doctest: +SKIP
        >>> weights = judge.weights(step)  # doctest: +SKIP
    """

    def __init__(
        self,
        candidates: Candidates,
        *,
        half_life: float,
        start: int = 0,
        references: int = 8,
        least: int = 2,
        floor: float = 0.02,
        prior: NDArray[np.float64] | None = None,
    ) -> None:
        self.start = start
        self.belief = Belief(candidates, half_life=half_life, floor=floor, prior=prior)
        self.references = References(references, least)
        self.skipped = 0

    def observe(self, step: int, *seen: Seen) -> None:
        """Take in what a step saw, in any number of slices."""
        self._take(step, seen, judges=step >= self.start)

    def look(self, *seen: Seen) -> None:
        """Take in what another network sees before the first step: one that has learned, and may judge at once."""
        self._take(0, seen, judges=True)

    def _take(self, step: int, seen: Sequence[Seen], *, judges: bool) -> None:
        for some in from_all_ranks([_chosen(part, generated=False)[:2] for part in seen])[0]:
            for found, labels in some:
                self.references.add(found, labels)
        values: list[tuple[str | None, float]] = []
        for part in seen if judges else ():
            judged, labels, sources = _chosen(part, generated=True)
            found_values = self.references.contributions(judged, labels, part.activations.weights)
            values += zip(sources, found_values.tolist(), strict=True)
        for some in from_all_ranks(values)[0]:
            self.skipped += sum(not np.isfinite(value) or source not in self.belief for source, value in some)
            self.belief.add([source for source, _ in some], [value for _, value in some], step)

    def weights(self, step: int) -> NDArray[np.float64]:
        """How often to draw each candidate, (N,), 1 on average in each category."""
        return self.belief.weights(step)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: tensors and plain values."""
        return {
            "skipped": self.skipped,
            "belief": self.belief.state_dict(),
            "references": self.references.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.skipped = state["skipped"]
        self.belief.load_state_dict(state["belief"])
        self.references.load_state_dict(state["references"])


def _chosen(part: Seen, *, generated: bool) -> tuple[Objects, list[int], list[str | None]]:
    """The real or the generated ones, with their labels and sources."""
    counts = len(part.activations.objects.losses), len(part.labels), len(part.sources)
    if len({*counts}) > 1:
        raise ValueError("seen: {} objects, {} labels and {} sources; one of each belongs to an object".format(*counts))
    rows = [row for row, source in enumerate(part.sources) if (source is not None) is generated]
    return (
        part.activations.objects.at(rows),
        [int(part.labels[row]) for row in rows],
        [part.sources[row] for row in rows],
    )
