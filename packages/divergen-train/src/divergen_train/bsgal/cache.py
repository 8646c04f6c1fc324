"""The direction kept from real data: a moving average of its gradients, whole or as a seeded sketch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from divergen_records import derive_seed
from divergen_records.errors import ConfigError
from torch import Tensor

from .distributed import mean_over_ranks
from .errors import ModelChanged

__all__ = ["Cache", "FullCache", "SketchCache"]

_CHUNK = 1 << 20


class Cache(Protocol):
    """A direction v in weight space, updated as v = momentum v + (1 - momentum) gradient."""

    @property
    def empty(self) -> bool:
        """Nothing was observed yet."""

    def update(self, gradients: Sequence[Tensor], *, average: bool) -> None:
        """Take in a gradient, one tensor for each parameter; ``average`` takes its mean over the ranks first."""

    def directions(self) -> Iterator[Tensor]:
        """The direction, tensor by tensor in the parameters' order."""

    def norms(self) -> tuple[float, float]:
        """Norm of v, and of what `directions` yields (a sketch yields more than v: the noise of its collisions)."""

    def numel(self) -> int:
        """Floats kept."""

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""


class FullCache:
    """The direction itself: one copy of the parameters.

    Args:
        shapes: Name -> shape.
        momentum: Share of the old direction that is kept (BSGAL keeps 0.1).
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]], momentum: float) -> None:
        self._shapes, self._momentum = shapes, momentum
        self._values: list[Tensor] = []

    @property
    def empty(self) -> bool:
        """See `Cache`."""
        return not self._values

    def update(self, gradients: Sequence[Tensor], *, average: bool) -> None:
        """See `Cache`."""
        if average:
            gradients = mean_over_ranks(gradients)
        if not self._values:
            self._values = [gradient.detach().clone() for gradient in gradients]
            return
        for value, gradient in zip(self._values, gradients, strict=True):
            value.lerp_(gradient.detach(), 1 - self._momentum)

    def directions(self) -> Iterator[Tensor]:
        """See `Cache`."""
        return iter(self._values)

    def norms(self) -> tuple[float, float]:
        """See `Cache`."""
        from .parameters import norm

        size = norm(self._values)
        return size, size

    def numel(self) -> int:
        """See `Cache`."""
        return sum(value.numel() for value in self._values)

    def state_dict(self) -> dict[str, Any]:
        """See `Cache`."""
        return dict(zip(self._shapes, self._values, strict=False))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Cache`; raises `ModelChanged` where names or shapes differ."""
        if not state:
            self._values = []
            return
        if {name: tuple(value.shape) for name, value in state.items()} != self._shapes:
            raise ModelChanged("the direction in the checkpoint is of other parameters than this model's")
        self._values = [state[name].clone() for name in self._shapes]


class SketchCache:
    """A count sketch of the direction (Charikar et al., 2002): every weight is added to one of k buckets with a sign.

    Bucket and sign come from a seeded stream that is drawn again whenever it is needed, so nothing but the k buckets
    is kept. The direction read back is S^T S v, whose product with a gradient is the unbiased estimate <S v, S g>, with
    a standard deviation of about |v| |g| / sqrt(k).

    Args:
        shapes: Name -> shape.
        momentum: Share of the old direction that is kept.
        size: Buckets; by default a thousandth of the weights, at least 1,024.
        seed: Of the stream.
    """

    def __init__(
        self, shapes: dict[str, tuple[int, ...]], momentum: float, *, size: int | None = None, seed: int = 0
    ) -> None:
        self._shapes, self._momentum, self._seed = shapes, momentum, seed
        self._counts = [torch.Size(shape).numel() for shape in shapes.values()]
        self.size = size or max(1024, sum(self._counts) // 1000)
        self._buckets: Tensor | None = None

    @property
    def empty(self) -> bool:
        """See `Cache`."""
        return self._buckets is None

    def update(self, gradients: Sequence[Tensor], *, average: bool) -> None:
        """See `Cache`."""
        sketch = torch.zeros(self.size, device=gradients[0].device)
        for index, gradient in enumerate(gradients):
            parts = torch.split(gradient.detach().reshape(-1).float(), _CHUNK)
            for part, (bucket, sign) in zip(parts, self._hashes(index, gradient.device), strict=True):
                sketch.index_add_(0, bucket, part * sign)
        if average:  # The sketch is linear: its mean is the sketch of the mean, and a thousand times less to send.
            (sketch,) = mean_over_ranks([sketch])
        if self._buckets is None:
            self._buckets = sketch
        else:
            self._buckets.lerp_(sketch, 1 - self._momentum)

    def directions(self) -> Iterator[Tensor]:
        """See `Cache`."""
        assert self._buckets is not None
        for index, shape in enumerate(self._shapes.values()):
            parts = [self._buckets[bucket] * sign for bucket, sign in self._hashes(index, self._buckets.device)]
            yield torch.cat(parts).reshape(shape)

    def norms(self) -> tuple[float, float]:
        """See `Cache`."""
        assert self._buckets is not None
        kept = float(self._buckets.norm())
        return kept, kept * (sum(self._counts) / self.size) ** 0.5

    def numel(self) -> int:
        """See `Cache`."""
        return self.size

    def state_dict(self) -> dict[str, Any]:
        """See `Cache`."""
        return {} if self._buckets is None else {"buckets": self._buckets, "seed": self._seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Cache`; raises `ConfigError` where size or seed differ."""
        if not state:
            self._buckets = None
            return
        if len(state["buckets"]) != self.size or state["seed"] != self._seed:
            raise ConfigError(
                f"the sketch in the checkpoint has size {len(state['buckets'])} and seed {state['seed']}, not "
                f"{self.size} and {self._seed}"
            )
        self._buckets = state["buckets"].clone()

    def _hashes(self, index: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Bucket, int64, and sign, float32, of the weights of a parameter, chunk by chunk; the same on any device."""
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "sketch", index))
        for start in range(0, self._counts[index], _CHUNK):
            count = min(_CHUNK, self._counts[index] - start)
            drawn = torch.randint(0, 2 * self.size, (count,), generator=generator).to(device)
            yield drawn >> 1, (drawn & 1).float() * 2 - 1
