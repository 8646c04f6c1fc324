"""A training step that learns from real samples and from those generated ones that help: for any model."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from divergen_records.errors import ConfigError
from torch import Tensor

from .derivative import sample_losses
from .distributed import mean_over_ranks, world_size
from .estimator import ContributionEstimator
from .threshold import AcceptanceThreshold

__all__ = ["SelectiveStep", "StepResult", "take_samples"]


@dataclass(frozen=True)
class StepResult:
    """What a step did.

    Attributes:
        loss: Mean loss of the real samples. Where it or its gradient is not finite, nothing was learned from them.
        contributions: Of the generated samples, (N,); NaN where none was estimated.
        accepted: (N,) bool, those that were learned from.
    """

    loss: float
    contributions: Tensor
    accepted: Tensor


def take_samples(batch: Any, accepted: Tensor) -> Any:
    """The accepted samples of a batch of tensors, in tuples, lists or dicts of any depth.

    Args:
        batch: Every tensor in it has the samples in its first dimension.
        accepted: (N,) bool.

    Raises:
        ConfigError: If there is something else in it.
    """
    if isinstance(batch, Tensor):
        return batch[accepted.to(batch.device)]
    if isinstance(batch, list | tuple):
        return type(batch)(take_samples(part, accepted) for part in batch)
    if isinstance(batch, dict):
        return {key: take_samples(part, accepted) for key, part in batch.items()}
    raise ConfigError(f"a generated batch holds a {type(batch).__name__}: give take=, which picks samples from a batch")


class SelectiveStep:
    """One step of an optimiser on a real batch and on the accepted part of a generated one.

    The real samples' gradient, which the step makes anyway, is what the estimator keeps. A rejected sample is
    taken out, and the loss of the others divided by the number of all. Several processes: each gives its own
    batches to a bare model with equal weights (no DistributedDataParallel), and the step averages the gradients.

    Args:
        estimator: Of mode ``directional``, ``last-layer``, ``random-projection``, or ``gradient``: then the batch is
            accepted or rejected as one, and its gradient, made once, is both judged and learned from.
        threshold: Decides.
        optimizer: Of the estimator's model.
        weight: Of the generated samples' loss.
        max_norm: Gradient norm is clipped to this, where given.
        take: ``take(batch, accepted)`` gives the accepted samples of a batch; `take_samples` by default.
    """

    def __init__(
        self,
        estimator: ContributionEstimator,
        threshold: AcceptanceThreshold,
        optimizer: torch.optim.Optimizer,
        *,
        weight: float = 1.0,
        max_norm: float | None = None,
        take: Callable[[Any, Tensor], Any] | None = None,
    ) -> None:
        if estimator.mode == "lookahead":
            raise ConfigError("mode='lookahead' judges with its own steps; call estimate() and choose yourself")
        estimator.parameters.check_optimizer(optimizer)
        self.estimator, self.threshold, self.optimizer = estimator, threshold, optimizer
        self.weight, self.max_norm, self.take = weight, max_norm, take or take_samples

    def __call__(self, real: Any, generated: Any, categories: Sequence[Hashable] | None = None) -> StepResult:
        """Take a step; a real gradient that is not finite is left out of it (``estimator.skipped_real``).

        Args:
            real: A batch of real samples, as the loss function takes it.
            generated: A batch of generated samples.
            categories: The category of each generated sample, where the threshold is per category or rates are wanted.
        """
        model, estimator = self.estimator.model, self.estimator
        self.optimizer.zero_grad()
        loss = sample_losses(model, estimator.loss_fn, real).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        skipped = estimator.skipped_real
        estimator.observe_gradients()
        if estimator.skipped_real > skipped:
            self.optimizer.zero_grad()
        judge = self._batch if estimator.mode == "gradient" else self._samples
        contributions, accepted = judge(generated, categories)
        self._average()
        if self.max_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), self.max_norm)
        self.optimizer.step()
        return StepResult(float(loss.detach()), contributions, accepted)

    def _average(self) -> None:
        if world_size() == 1:
            return
        parameters = [parameter for parameter in self.estimator.model.parameters() if parameter.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        for parameter, gradient in zip(parameters, mean_over_ranks(gradients), strict=True):
            parameter.grad = gradient

    def _samples(self, generated: Any, categories: Sequence[Hashable] | None) -> tuple[Tensor, Tensor]:
        contributions = self.estimator.estimate(generated)
        accepted = self.threshold(contributions, categories)
        if accepted.any():
            # Taken out of the batch, not multiplied by 0: a rejected sample may be NaN, and costs nothing.
            losses = sample_losses(self.estimator.model, self.estimator.loss_fn, self.take(generated, accepted))
            (self.weight * losses.sum() / len(accepted)).backward()  # type: ignore[no-untyped-call]
        return contributions, accepted

    def _batch(self, generated: Any, categories: Sequence[Hashable] | None) -> tuple[Tensor, Tensor]:
        parameters = list(self.estimator.model.parameters())
        real = [parameter.grad for parameter in parameters]
        self.optimizer.zero_grad(set_to_none=True)
        losses = sample_losses(self.estimator.model, self.estimator.loss_fn, generated)
        if len(losses):
            (self.weight * losses.mean()).backward()  # type: ignore[no-untyped-call]
        contributions = self.estimator.judge_gradients(len(losses)) / self.weight
        # One verdict for all of them, whatever their categories: that of their mean.
        verdict = self.threshold(contributions[:1], categories and categories[:1])
        accepted = verdict.expand(len(losses)) if len(losses) else verdict
        for parameter, gradient in zip(parameters, real, strict=True):
            if parameter.grad is None or not bool(verdict.any()):
                parameter.grad = gradient
            elif gradient is not None:
                parameter.grad += gradient
        return contributions, accepted
