"""How much a generated sample would help: the drop of the real loss that a step on it would bring, to first order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from divergen_records.errors import ConfigError
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from .cache import Cache
from .derivative import LossFunction, difference, forward_mode, sample_losses
from .distributed import from_all_ranks, world_size
from .errors import ModelChanged, NothingObserved
from .frozen import Replay, at_rest
from .parameters import TrainedParameters, dot, norm

__all__ = ["ContributionEstimator", "Derivative", "Mode", "Normalize"]

Mode = Literal["directional", "gradient"]
"""How contributions are found; see `ContributionEstimator`."""

Derivative = Literal["auto", "jvp", "differences"]
"""How a directional derivative is found."""

Normalize = Literal["none", "direction", "loss", "cosine"]
"""What contributions are divided by."""

_FACTORS = (1.0, 0.25, 4.0, 0.0625, 16.0)
_TOLERANCE = 1e-2


class ContributionEstimator:
    """Contributions of generated samples to what the model is to learn from real data (BSGAL, section 4).

    The contribution of a sample is <v, gradient of its loss>, where v is the gradient of the real loss: a step on the
    sample lowers the real loss by the learning rate times that. v is a moving average over what `observe` or
    `observe_gradients` was given.

    Modes:
        ``directional``: for each sample by itself, the derivative of its loss along v. Keeps one copy of the weights.
        ``gradient``: the published form, one backward pass; every sample gets its batch's contribution.

    Args:
        model: Any network; one wrapped by DistributedDataParallel is looked into.
        loss_fn: ``loss_fn(model, batch)`` gives (N,), a loss for each sample; the batch may be anything.
        mode: See above.
        momentum: Share of the old v that is kept at each observation.
        normalize: ``"direction"`` divides by the norm of v; ``"loss"`` by each sample's own loss too, so that a bad
            sample does not stand out by its large gradient alone; ``"cosine"`` by the norms of v and of the batch's
            gradient (mode ``gradient`` only: a single sample's gradient is what the other mode never makes).
        derivative: ``"jvp"`` (forward mode), ``"differences"`` (two forward passes), or ``"auto"``: forward mode
            unless an operator lacks it.
        max_drift: Relative change of the weights since the last observation that is taken for another model.

    Attributes:
        skipped_real: Real gradients left out because they were not finite.
        skipped: Generated samples without a contribution (NaN) because loss or derivative was not finite; in mode
            ``gradient`` one such sample takes its whole batch with it.
        error: Of the differences against the backward pass, checked at the first estimate: |mean - true| / mean |.|;
            None where not checked.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFunction,
        *,
        mode: Mode = "directional",
        momentum: float = 0.1,
        normalize: Normalize = "none",
        derivative: Derivative = "auto",
        max_drift: float = 0.5,
    ) -> None:
        _check_choices(mode, normalize, derivative, momentum)
        self.model: nn.Module = model.module if isinstance(model, DistributedDataParallel) else model
        self.loss_fn, self.mode, self.normalize, self.derivative = loss_fn, mode, normalize, derivative
        self.parameters = TrainedParameters(self.model)
        self._cache = Cache(self.parameters.shapes, momentum)
        self._max_drift = max_drift
        self._probe: Tensor | None = None
        self._factor = 1.0
        self.error: float | None = None
        self.skipped_real = 0
        self.skipped = 0

    @property
    def ready(self) -> bool:
        """Real data was observed."""
        return not self._cache.empty

    def observe(self, *batches: Any) -> None:
        """Take in real samples by forward and backward passes of their own; ``.grad`` is left alone.

        Args:
            batches: Several make one observation, in which every sample counts the same, over all processes too.
        """
        count, summed = self._summed_gradients(batches)
        everyone = sum(from_all_ranks(count)[0])
        if everyone:  # Nothing is no direction.
            share = world_size() / everyone
            self._update([None if total is None else total.mul_(share) for total in summed], average=True)

    def observe_gradients(self) -> None:
        """Take in the gradients in ``.grad``, which the training step on real data has just made, at no cost.

        Raises:
            NothingObserved: If there are none.
        """
        gradients = [parameter.grad for parameter in self.parameters.values()]
        if all(gradient is None for gradient in gradients) and world_size() == 1:
            raise NothingObserved("there is no gradient in .grad; observe_gradients() belongs after loss.backward()")
        self._update(gradients, average=True)

    def judge(self, *batches: Any) -> float:
        """One contribution for all samples of several batches, that of their mean loss: mode ``gradient``."""
        if not self.ready or self.mode != "gradient" or self.normalize == "loss":
            raise NothingObserved("judge needs mode='gradient', not normalize='loss', and an observed real batch")
        self._check_drift()
        count, summed = self._summed_gradients(batches)
        return float(self._product([None if total is None else total / count for total in summed]))

    def estimate(self, batch: Any) -> Tensor:
        """Contribution of each sample of a generated batch, (N,) float32; NaN where there is none.

        The weights, ``.grad``, buffers and random generators are afterwards what they were before.

        Raises:
            NothingObserved: If no real data was observed.
            LossNotPerSample: If ``loss_fn`` does not give (N,).
            ModelChanged: If the model is not the one that was observed.
        """
        if not self.ready:
            skipped = f" ({self.skipped_real} gradients were left out: not finite)" if self.skipped_real else ""
            raise NothingObserved(
                f"no real data was observed{skipped}; call observe(real_batch) before estimate(generated)"
            )
        self._check_drift()
        if self.mode == "gradient":
            values = self._first_order(batch)
        else:
            losses, values = self._directional(batch)
            values = self._normalized(values, losses)
        finite = values.isfinite()
        self.skipped += int((~finite).sum())
        return torch.where(finite, values, torch.nan)

    def state_dict(self) -> dict[str, Any]:
        """Everything for an exact resume; plain tensors and numbers (``torch.load(weights_only=True)``)."""
        return {
            "mode": self.mode,
            "cache": self._cache.state_dict(),
            "probe": self._probe,
            "derivative": self.derivative,
            "factor": self._factor,
            "error": self.error,
            "skipped_real": self.skipped_real,
            "skipped": self.skipped,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            ConfigError: If the state is of another mode.
            ModelChanged: If the state is of other parameters.
        """
        if state["mode"] != self.mode:
            raise ConfigError(f"the checkpoint's contributions are of mode {state['mode']!r}, not {self.mode!r}")
        device = self.parameters.values()[0].device
        cache = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in state["cache"].items()}
        self._cache.load_state_dict(cache)
        self._probe = None if state["probe"] is None else state["probe"].to(device)
        self.derivative, self._factor, self.error = state["derivative"], state["factor"], state["error"]
        self.skipped_real, self.skipped = state["skipped_real"], state["skipped"]

    def _update(self, gradients: Sequence[Tensor | None], *, average: bool) -> None:
        parameters = self.parameters.values()
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
        finite = all(bool(gradient.isfinite().all()) for gradient in filled)
        if average and world_size() > 1:
            finite = _on_all_ranks(finite, filled[0].device)
        if not finite:
            self.skipped_real += 1
            return
        self._cache.update(filled, average=average)
        self._probe = self.parameters.probe()

    def _summed_gradients(self, batches: Sequence[Any]) -> tuple[int, list[Tensor | None]]:
        """Number of samples, and the gradient of their summed losses."""
        count = 0
        summed: list[Tensor | None] = [None] * len(self.parameters.shapes)
        for batch in batches:
            losses, gradients = self._gradients(batch)
            count += len(losses)
            for index, gradient in enumerate(gradients):
                if gradient is not None:
                    total = summed[index]
                    summed[index] = gradient * len(losses) if total is None else total.add_(gradient, alpha=len(losses))
        return count, summed

    def _gradients(self, batch: Any) -> tuple[Tensor, list[Tensor | None]]:
        """Losses (N,), and the gradient of their mean; not finite as a whole where one sample is not."""
        parameters = self.parameters.values()
        with torch.enable_grad(), at_rest(self.model), Replay(self.model)():
            losses = sample_losses(self.model, self.loss_fn, batch)
            if not len(losses) or not losses.requires_grad:
                return losses.detach(), [None] * len(parameters)
            found = torch.autograd.grad(losses.mean(), parameters, allow_unused=True)
            return losses.detach(), list(found)

    def _product(self, gradients: Sequence[Tensor | None]) -> Tensor:
        value = dot(self._cache.directions(), gradients)
        if self.normalize in ("direction", "cosine"):
            value = value / max(self._cache.norm(), 1e-30)
        if self.normalize == "cosine":
            value = value / max(norm(gradients), 1e-30)
        return value.float()

    def _first_order(self, batch: Any) -> Tensor:
        losses, gradients = self._gradients(batch)
        values = self._product(gradients).to(losses.device).expand(len(losses))
        return self._normalized(values, losses.mean()) if self.normalize == "loss" else values

    def _normalized(self, values: Tensor, losses: Tensor) -> Tensor:
        if self.normalize == "none":
            return values
        values = values / max(self._cache.norm(), 1e-30)
        return values / losses.abs().clamp(min=1e-12) if self.normalize == "loss" else values

    def _directional(self, batch: Any) -> tuple[Tensor, Tensor]:
        if self.derivative != "differences":
            try:
                return forward_mode(self.model, self.loss_fn, batch, self.parameters, self._cache)
            except (NotImplementedError, RuntimeError):  # an operator without forward mode says either
                if self.derivative == "jvp":
                    raise
                self.derivative = "differences"
        if self.error is None:
            self._calibrate(batch)
        return self._difference(batch, self._factor)

    def _difference(self, batch: Any, factor: float) -> tuple[Tensor, Tensor]:
        return difference(self.model, self.loss_fn, batch, self.parameters, self._cache, factor=factor)

    def _calibrate(self, batch: Any) -> None:
        """Choose eps: the differences' mean must be the backward pass' product with v."""
        losses, gradients = self._gradients(batch)
        if not len(losses) or not losses.isfinite().all():
            return
        true = float(dot(self._cache.directions(), gradients))
        errors: dict[float, float] = {}
        for factor in _FACTORS:
            values = self._difference(batch, factor)[1].double()
            errors[factor] = abs(float(values.mean()) - true) / max(float(values.abs().mean()), 1e-30)
            if errors[factor] <= _TOLERANCE:
                break
        self._factor = min(errors, key=errors.__getitem__)
        self.error = errors[self._factor]

    def _check_drift(self) -> None:
        if self._probe is None:
            return
        drift = float((self.parameters.probe() - self._probe).norm() / self._probe.norm().clamp(min=1e-30))
        if not drift <= self._max_drift:
            raise ModelChanged(
                f"the weights moved by {drift:.0%} of their size since real data was last observed (max_drift="
                f"{self._max_drift:.0%}); observe(real_batch) again after loading other weights"
            )


def _check_choices(mode: str, normalize: str, derivative: str, momentum: float) -> None:
    for name, value, allowed in (
        ("mode", mode, Mode),
        ("normalize", normalize, Normalize),
        ("derivative", derivative, Derivative),
    ):
        if value not in get_args(allowed):
            raise ConfigError(f"{name}={value!r}: unknown; there are {', '.join(get_args(allowed))}")
    if not 0 <= momentum < 1:
        raise ConfigError(f"momentum={momentum}: the share of the old direction that is kept, at least 0 and below 1")
    if normalize == "cosine" and mode != "gradient":
        raise ConfigError(f"normalize='cosine' needs mode='gradient', not {mode!r}; normalize='direction' fits all")


def _on_all_ranks(flag: bool, device: torch.device) -> bool:
    import torch.distributed as dist

    agreed = torch.tensor(int(flag), device=device)
    dist.all_reduce(agreed, op=dist.ReduceOp.MIN)
    return bool(agreed)
