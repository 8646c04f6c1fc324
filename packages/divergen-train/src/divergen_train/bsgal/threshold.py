"""Which contributions are good enough: a fixed threshold, or the running percentile that holds an acceptance rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from divergen_records.errors import ConfigError
from torch import Tensor

from .distributed import from_all_ranks

__all__ = ["AcceptanceThreshold", "Rate"]


@dataclass(frozen=True)
class Rate:
    """What happened to the samples of a category or frequency group.

    Attributes:
        seen: Samples judged.
        accepted: Accepted ones.
        warmup: Those among the accepted ones that came while the queue was too short to judge them.
        skipped: Those without a contribution; they are not accepted.
    """

    seen: int = 0
    accepted: int = 0
    warmup: int = 0
    skipped: int = 0

    @property
    def rate(self) -> float | None:
        """Share accepted; None where nothing was seen."""
        return self.accepted / self.seen if self.seen else None

    def __add__(self, other: Rate) -> Rate:
        return Rate(*(getattr(self, name) + getattr(other, name) for name in ("seen", "accepted", "warmup", "skipped")))


class AcceptanceThreshold:
    """Accepts samples by their contribution (BSGAL, section 4.2). Give either ``fixed`` or ``rate``.

    Several processes judge as one: their contributions are gathered, so the queues are the same everywhere. Every
    process must then call it equally often, be it with an empty batch.

    Args:
        fixed: Accept contributions above this, for example 0.
        rate: Share to accept, 0 to 1: the threshold is the percentile of a queue of the last contributions.
        final_rate: The rate moves linearly to this; ``rate`` by default.
        schedule: Calls until ``final_rate`` is reached.
        queue: Contributions remembered, for each category where ``per`` is ``"category"``.
        warmup: Everything is accepted until the queue holds this many.
        per: ``"global"``, or ``"category"`` with a queue for each, so that a rare category whose contributions are all
            small is not starved.
    """

    def __init__(
        self,
        *,
        fixed: float | None = None,
        rate: float | None = None,
        final_rate: float | None = None,
        schedule: int = 0,
        queue: int = 1000,
        warmup: int = 100,
        per: Literal["global", "category"] = "global",
    ) -> None:
        if (fixed is None) == (rate is None):
            raise ConfigError(f"fixed={fixed}, rate={rate}: give one of them")
        for name, value in (("rate", rate), ("final_rate", final_rate)):
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name}={value}: a share from 0 to 1")
        if final_rate is not None and schedule < 1:
            raise ConfigError(f"final_rate={final_rate} needs schedule, the number of calls until it is reached")
        if not 1 <= warmup <= queue:
            raise ConfigError(f"warmup={warmup}: must be at least 1, and no longer than queue={queue}")
        if per not in ("global", "category"):
            raise ConfigError(f"per={per!r}: unknown; there are global, category")
        self.fixed, self.rate = fixed, rate
        self.final_rate = rate if final_rate is None else final_rate
        self.schedule, self.queue, self.warmup, self.per = schedule, queue, warmup, per
        self.calls = 0
        self._queues: dict[Hashable, deque[float]] = {}
        self._rates: dict[Hashable, Rate] = {}

    @property
    def current_rate(self) -> float | None:
        """The share to accept now; None with a fixed threshold."""
        if self.rate is None or self.final_rate is None:
            return None
        share = min(self.calls / self.schedule, 1.0) if self.schedule else 0.0
        return self.rate + (self.final_rate - self.rate) * share

    def value(self, category: Hashable = None) -> float | None:
        """The threshold now, of a category where ``per`` says so; None in the warm-up, when all is accepted."""
        if self.fixed is not None:
            return self.fixed
        queue = self._queues.get(self._key(category), ())
        if len(queue) < self.warmup:
            return None
        accepted = round((self.current_rate or 0.0) * len(queue))
        return sorted(queue, reverse=True)[accepted - 1] if accepted else float("inf")

    def __call__(self, contributions: Tensor, categories: Sequence[Hashable] | None = None) -> Tensor:
        """Which samples are accepted, (N,) bool; the threshold is that from before this batch.

        Args:
            contributions: (N,); NaN is never accepted.
            categories: The category of each, names or ids.
        """
        own = [float(value) for value in contributions.detach().float().cpu()]
        if categories is None and self.per == "category":
            raise ConfigError("per='category': give the category of every sample")
        keys = [None] * len(own) if categories is None else list(categories)
        if len(keys) != len(own):
            raise ConfigError(f"{len(own)} contributions, but {len(keys)} categories")
        everyone, rank = from_all_ranks(list(zip(own, keys, strict=True)))
        thresholds = {key: self.value(key) for batch in everyone for _, key in batch}
        verdicts = [[self._judge(value, key, thresholds[key]) for value, key in batch] for batch in everyone]
        self.calls += 1
        return torch.tensor(verdicts[rank], dtype=torch.bool, device=contributions.device)

    def rates(self, groups: Mapping[Any, str] | None = None) -> dict[Any, Rate]:
        """What happened so far by category, or by group.

        Args:
            groups: Category -> group, for example its LVIS frequency; a category that is not there is its own group.
        """
        found: dict[Any, Rate] = {}
        for category, rate in self._rates.items():
            group = category if groups is None else groups.get(category, category)
            found[group] = found.get(group, Rate()) + rate
        return found

    def table(self, groups: Mapping[Any, str] | None = None) -> str:
        """`rates` as text."""
        lines = [f"{'':<12}{'seen':>8}{'accepted':>10}{'rate':>8}{'warm-up':>9}{'skipped':>9}"]
        for group, rate in sorted(self.rates(groups).items(), key=lambda item: str(item[0])):
            share = "–" if rate.rate is None else f"{rate.rate:.1%}"
            name = "all" if group is None else str(group)
            lines.append(f"{name:<12}{rate.seen:>8}{rate.accepted:>10}{share:>8}{rate.warmup:>9}{rate.skipped:>9}")
        return "\n".join(lines)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: plain numbers and lists."""
        return {
            "calls": self.calls,
            "queues": [(key, list(queue)) for key, queue in self._queues.items()],
            "rates": [(key, (r.seen, r.accepted, r.warmup, r.skipped)) for key, r in self._rates.items()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.calls = state["calls"]
        self._queues = {key: deque(values, maxlen=self.queue) for key, values in state["queues"]}
        self._rates = {key: Rate(*counts) for key, counts in state["rates"]}

    def _key(self, category: Hashable) -> Hashable:
        return category if self.per == "category" else None

    def _judge(self, value: float, category: Hashable, threshold: float | None) -> bool:
        skipped = value != value  # NaN
        warming = threshold is None and not skipped
        accepted = warming or (threshold is not None and self._passes(value, threshold))
        counts = Rate(1, int(accepted), int(warming), int(skipped))
        self._rates[category] = self._rates.get(category, Rate()) + counts
        if not skipped and self.fixed is None:
            self._queues.setdefault(self._key(category), deque(maxlen=self.queue)).append(value)
        return accepted

    def _passes(self, value: float, threshold: float) -> bool:
        return value > threshold if self.fixed is not None else value >= threshold
