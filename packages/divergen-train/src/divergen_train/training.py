"""Train a detector: one loop for any detector, any paster, and any number of kills on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from divergen_records import Progress, derive_seed
from divergen_records.coco import Dataset
from divergen_records.sample import Sample
from torch import Tensor

from .augment import Augmentation
from .checkpoint import Checkpoint, check_categories, check_resume, load_checkpoint, save_checkpoint
from .config import TrainConfig
from .data import TrainImages, loader
from .detector import Detector, Target, build_detector
from .errors import TrainingDiverged
from .evaluate import evaluate_lvis
from .inference import predict
from .log import TrainLog
from .metrics import Metrics
from .optim import MovingAverage, learning_rate, make_optimizer
from .sampling import BatchSampler, repeat_factors

__all__ = ["FitResult", "fit"]


@dataclass(frozen=True)
class FitResult:
    """A finished training.

    Attributes:
        checkpoint: For `predict` and for going on.
        log: The training log; see `read_log`.
        iterations: Steps done in all.
        loss: Mean total loss over the last logged steps; NaN where this call had nothing left to do.
        seconds: Wall time of this call.
        metrics: LVIS metrics on the validation data, where it was given.
    """

    checkpoint: Path
    log: Path
    iterations: int
    loss: float
    seconds: float
    metrics: Metrics | None = None


def fit(
    dataset: Dataset,
    *,
    out: Path | str,
    config: TrainConfig | None = None,
    paste: Callable[[Sample], Sample] | None = None,
    val: Dataset | None = None,
    seed: int = 0,
    progress: str = "train",
) -> FitResult:
    """Train a detector; called again on the same folder, a run that was stopped goes on and ends with equal weights.

    Args:
        dataset: Training data.
        out: Folder for ``checkpoint.pt`` and ``log.jsonl``.
        config: Detector, schedule, augmentation; `TrainConfig` by default, `preset` has others.
        paste: Adds instances to each sample, before it is augmented. It must be a pure function of the sample, whose
            ``epoch`` tells the visits of an image apart, and picklable where ``config.workers`` is above 0.
        val: Validation data; evaluated at the end, and every ``config.eval_every`` steps.
        seed: Decides heads, order, augmentation and sampling; a batch is a pure function of (seed, iteration).
        progress: Name on the progress line.

    Raises:
        ConfigError: If the folder holds a run of other settings.
        DatasetError: If the folder holds a run on other categories, or there is nothing to train on.
        WeightsError: If the backbone's weights or the checkpoint cannot be read.
        TrainingDiverged: If the loss is no longer a number; the batch is in ``diverged.pt``.
    """
    started = time.monotonic()
    # Each step seeds torch's global generator; what the caller draws from it stays as it was.
    with torch.random.fork_rng(devices=[]):
        run = _Run(dataset, Path(out), config or TrainConfig(), paste, val, seed)
        loss = run.train(progress)
        metrics = run.evaluate() if val is not None else None
    seconds = time.monotonic() - started
    return FitResult(run.checkpoint_path, run.log.path, run.iteration, loss, seconds, metrics)


class _Run:
    def __init__(
        self,
        dataset: Dataset,
        out: Path,
        config: TrainConfig,
        paste: Callable[[Sample], Sample] | None,
        val: Dataset | None,
        seed: int,
    ) -> None:
        self.dataset, self.out, self.config, self.val, self.seed = dataset, out, config, val, seed
        out.mkdir(parents=True, exist_ok=True)
        self.checkpoint_path = out / "checkpoint.pt"
        augmentation = Augmentation(config.image_size, config.flip, config.scale, config.min_area)
        self.images = TrainImages(dataset, augmentation, seed=seed, paste=paste)
        torch.manual_seed(derive_seed(seed, "init"))
        self.detector: Detector = build_detector(config.detector, dataset.categories)
        self.detector.train(True)
        self.optimizer = make_optimizer(self.detector, config)
        self.average = MovingAverage(self.detector, config.ema_decay)
        self.iteration = 0
        if self.checkpoint_path.exists():
            self._resume()
        self.log = TrainLog(out / "log.jsonl", self.iteration)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.checkpoint_path)
        check_categories(checkpoint.categories, self.dataset.categories, str(self.dataset.path))
        check_resume(checkpoint, self.config, self.seed, self.checkpoint_path)
        self.detector.load_state_dict(checkpoint.model)
        self.average.state = checkpoint.average
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.iteration = checkpoint.iteration

    def train(self, name: str) -> float:
        """The remaining steps; the mean loss since the last line of the log."""
        config = self.config
        factors = repeat_factors(self.dataset, config.repeat_threshold, config.repeat_min_images)
        sampler = BatchSampler(factors, config.batch_size, seed=self.seed, start=self.iteration, stop=config.iterations)
        window = _Window()
        with Progress(name, config.iterations - self.iteration, unit="iterations") as bar:
            for images, targets in loader(self.images, sampler, config.workers):
                window.add(self._step(images, targets))
                self.iteration += 1
                last = self.iteration == config.iterations
                if last or self.iteration % config.log_every == 0:
                    self.log.write({"iteration": self.iteration, "lr": self._lr(), **window.close()})
                if last or self.iteration % config.checkpoint_every == 0:
                    self._save()
                bar.update(note=f"loss {window.mean:.3f}")
                if self.val is not None and config.eval_every and not last and self.iteration % config.eval_every == 0:
                    self.evaluate()
        return window.mean

    def _step(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, float]:
        # The sampled anchors and regions depend on nothing but the iteration, so a resumed run draws the same.
        torch.manual_seed(derive_seed(self.seed, "step", self.iteration))
        share = learning_rate(self.config, self.iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * share
        losses: dict[str, Tensor] = self.detector(images, targets)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            self._stop(images, targets, losses)
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.average.update(self.iteration)
        return {"loss": total.item(), **{name: loss.item() for name, loss in losses.items()}}

    def _stop(self, images: Sequence[Tensor], targets: Sequence[Target], losses: dict[str, Tensor]) -> None:
        path = self.out / "diverged.pt"
        torch.save({"images": list(images), "targets": [dict(target) for target in targets]}, path)
        values = ", ".join(f"{name}={loss.item():g}" for name, loss in losses.items())
        raise TrainingDiverged(
            f"iteration {self.iteration}: the loss is not a number ({values}); the batch is in {path}. "
            f"Lower lr={self.config.lr:g}, lengthen warmup={self.config.warmup} or lower clip_norm"
        )

    def _lr(self) -> float:
        return self.config.lr * learning_rate(self.config, self.iteration - 1)

    def _save(self) -> None:
        checkpoint = Checkpoint(
            iteration=self.iteration,
            seed=self.seed,
            config=self.config,
            categories=self.dataset.categories,
            model=self.detector.state_dict(),
            average=self.average.state,
            optimizer=self.optimizer.state_dict(),
        )
        save_checkpoint(self.checkpoint_path, checkpoint)

    def evaluate(self) -> Metrics:
        """LVIS metrics of the averaged weights on the validation data, also written to the log."""
        assert self.val is not None
        with self.average.applied() as detector:
            results = predict(detector, self.val, image_size=self.config.image_size, categories=self.dataset.categories)
        metrics = evaluate_lvis(results, self.val)
        self.log.write({"iteration": self.iteration, "metrics": metrics.model_dump(exclude={"categories"})})
        return metrics


class _Window:
    """Mean of the losses and seconds per step since the last line of the log."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._since = time.monotonic()
        self.mean = float("nan")

    def add(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self.mean = self._sums["loss"] / self._steps

    def close(self) -> dict[str, float]:
        now = time.monotonic()
        line = {name: round(value / self._steps, 5) for name, value in self._sums.items()}
        line["seconds"] = round((now - self._since) / self._steps, 4)
        self._sums, self._steps, self._since = {}, 0, now
        return line
