"""Train a detector: one loop for any detector, any paster, and any number of kills on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from divergen_evaluate.evaluate import evaluate_lvis
from divergen_evaluate.metrics import Metrics
from divergen_records import Progress, derive_seed
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError
from divergen_records.files import writing
from divergen_records.sample import Sample
from torch import Tensor, nn

from ..bsgal.draws import Draws
from ..detectors.build import build_detector
from ..detectors.protocol import Target
from ..engine.distributed import World, join_world
from ..engine.optim import learning_rate
from ..engine.step import BatchSlice, Engine, PlainStep, TrainStep
from ..errors import TrainingDiverged
from .augment import Augmentation
from .checkpoint import (
    Checkpoint,
    check_categories,
    check_data,
    check_evaluated,
    check_resume,
    data_mark,
    load_checkpoint,
    save_checkpoint,
    start_from,
)
from .config import TrainConfig
from .data import TrainImages, batches, in_terms_of, loader
from .first_look import count_looks, looking
from .inference import predict
from .log import TrainLog, read_log
from .loggers import Logger
from .matched import MatchedImages
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
    step: TrainStep | None = None,
    draws: Draws | None = None,
) -> FitResult:
    """Train a detector; called again on the same folder, a run that was stopped goes on and ends with equal weights.

    Started by torchrun, the processes share each batch; the first one writes.

    Args:
        dataset: Training data.
        out: Folder for ``checkpoint.pt`` and ``log.jsonl``; with ``config.bsgal`` also for ``contributions.jsonl``.
        config: Detector, schedule, augmentation; `TrainConfig` by default, `preset` has others.
        paste: Adds instances to each sample, before it is augmented; those of divergen-paste find their categories
            among the dataset's by name (`KnowsNames`). It must be a pure function of the sample, whose
            ``epoch`` tells the visits of an image apart, and picklable where ``config.workers`` is above 0.
        val: Validation data; evaluated at the end, and every ``config.eval_every`` steps. Its categories may be some
            of the dataset's.
        seed: Decides heads, order, augmentation and sampling; a batch is a pure function of (seed, iteration).
        progress: Name on the progress line.
        step: Turns a batch into gradients; by default `PlainStep`, which learns from all of it, or what
            ``config.bsgal`` says.
        draws: What ``paste`` draws from, whose weights ``config.bsgal`` may change.

    Raises:
        ConfigError: If the folder holds a run of other settings, or a batch cannot be shared by the processes.
        DatasetError: If the folder holds a run on other categories, or there is nothing to train on.
        WeightsError: If the backbone's weights or the checkpoint cannot be read.
        TrainingDiverged: If the loss is no longer a number; the batch is in ``diverged.pt``.
    """
    started = time.monotonic()
    config = config or TrainConfig()
    paste = in_terms_of(dataset, paste)
    with join_world(config.device) as world, _own_random_numbers(world):
        if step is None and config.bsgal is not None:
            if paste is None:
                raise ConfigError("bsgal judges pasted instances: give paste too")
            step = config.bsgal.build(dataset.categories, draws, config.iterations)
        run = _Run(dataset, Path(out), config, paste, val, seed, world, step or PlainStep())
        try:
            loss = run.train(progress)
            metrics = run.evaluate() if val is not None else None
        finally:
            run.close()
    seconds = time.monotonic() - started
    return FitResult(run.checkpoint_path, run.log_path, run.iteration, loss, seconds, metrics)


def _own_random_numbers(world: World) -> AbstractContextManager[None]:
    """Each step seeds torch's global generators; what the caller draws from them stays as it was."""
    return torch.random.fork_rng(devices=[world.device] if world.device.type == "cuda" else [])


class _Run:
    def __init__(
        self,
        dataset: Dataset,
        out: Path,
        config: TrainConfig,
        paste: Callable[[Sample], Sample] | None,
        val: Dataset | None,
        seed: int,
        world: World,
        step: TrainStep,
    ) -> None:
        self.dataset, self.out, self.config, self.val, self.seed = dataset, out, config, val, seed
        self.world, self.step = world, step
        self.micro_batch, self.data_mark = _micro_batch(config, world), data_mark(dataset)
        if val is not None:
            check_evaluated(dataset.categories, val)
        out.mkdir(parents=True, exist_ok=True)
        self.checkpoint_path, self.log_path = out / "checkpoint.pt", out / "log.jsonl"
        augmentation = Augmentation(
            config.image_size, config.flip, config.scale, config.min_area, config.scale_sampling
        )
        images = TrainImages(dataset, augmentation, seed=seed, paste=paste)
        self.images = MatchedImages(images) if config.bsgal is not None and config.bsgal.matches else images
        torch.manual_seed(derive_seed(seed, "init"))
        detector = build_detector(config.detector, dataset.categories)
        if config.init is not None:
            start_from(detector, config.init, config, dataset)
        cast(nn.Module, detector).to(world.device)
        detector.train(True)
        self.engine = Engine(detector, config, world)
        self.iteration = 0
        if self.checkpoint_path.exists():
            self._resume()
        if world.broadcast(self.iteration) != self.iteration:
            raise ConfigError(f"{out}: the processes see different checkpoints; give a folder that they all share")
        self.loggers: list[Logger] = []
        if world.leads:
            self.loggers.append(TrainLog(self.log_path, self.iteration))
            self.loggers += [logger.build(out, self.iteration) for logger in config.loggers]
        noted = world.broadcast(_noted_ap(self.log_path) if world.leads else None)
        self.noted: dict[int, float | None] = noted or {}

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.checkpoint_path)
        check_categories(checkpoint.categories, self.dataset.categories, str(self.dataset.path))
        check_resume(checkpoint, self.config, self.seed, self.step.name, self.checkpoint_path)
        check_data(checkpoint, self.dataset, self.checkpoint_path)
        self.engine.detector.load_state_dict(checkpoint.model)
        self.engine.average.load(checkpoint.average)
        self.engine.optimizer.load_state_dict(checkpoint.optimizer)
        self.engine.scaler.load_state_dict(checkpoint.scaler)
        self.step.load_state_dict(checkpoint.step_state)
        self.iteration = checkpoint.iteration

    def train(self, name: str) -> float:
        """The remaining steps; the mean loss since the last line of the log."""
        config = self.config
        if self.iteration == 0 and (looks := count_looks(config)):
            self._look(name, looks)
        if self._is_due():  # killed between the checkpoint and its evaluation
            self.evaluate()
        window = _Window()
        with (
            self._bar(name, config.iterations - self.iteration) as bar,
            closing(self._batches(config.iterations)) as remaining,
        ):
            for images, targets in remaining:
                window.add(self._step(images, targets))
                self.iteration += 1
                last = self.iteration == config.iterations
                if last or self.iteration % config.log_every == 0:
                    self._log({"lr": self._lr(), **window.close()})
                if last or self.iteration % config.checkpoint_every == 0:
                    self._save()
                if bar is not None:
                    ap = self.noted[max(self.noted)] if self.noted else None
                    bar.update(note=f"loss {window.mean:.3f}" + (f", mask AP {100 * ap:.1f}" if ap else ""))
                if self._is_due():
                    self.evaluate()
        return window.mean

    def _is_due(self) -> bool:
        every = self.config.eval_every if self.val is not None else 0
        on_the_way = 0 < self.iteration < self.config.iterations and self.iteration not in self.noted
        return bool(every) and on_the_way and self.iteration % every == 0

    def _look(self, name: str, looks: int) -> None:
        """Let another detector judge the first batches."""
        with (
            looking(self.engine, self.step, self.config, self.dataset) as step,
            self._bar(f"{name}, judge", looks, "batches") as bar,
            closing(self._batches(looks)) as first,
        ):
            for images, targets in first:
                step.look(self.engine, self._parts(images, targets))
                if bar is not None:
                    bar.update()

    def _bar(self, name: str, count: int, unit: str = "iterations") -> AbstractContextManager[Progress | None]:
        return Progress(name, count, unit=unit) if self.world.leads else nullcontext()

    def _batches(self, stop: int) -> Generator[tuple[list[Tensor], list[Target]], None, None]:
        config, world = self.config, self.world
        sampler = BatchSampler(
            repeat_factors(self.dataset, config.repeat_threshold, config.repeat_min_images),
            config.batch_size,
            seed=self.seed,
            start=self.iteration,
            stop=stop,
            rank=world.rank,
            processes=world.size,
        )
        return batches(loader(self.images, sampler, config.workers, pin_memory=world.device.type == "cuda"))

    def _step(self, images: Sequence[Tensor], targets: Sequence[Target]) -> dict[str, float]:
        self.engine.optimizer.zero_grad()
        logged = self.step(self.engine, self._parts(images, targets))
        values = torch.stack([torch.as_tensor(value, device=self.world.device).float() for value in logged.values()])
        numbers = dict(zip(logged, self.world.sum_(values.detach().clone()).tolist(), strict=True))
        if not math.isfinite(numbers["loss"]):
            self._stop(images, targets, numbers)
        self.engine.update(self.iteration)
        return numbers

    def _parts(self, images: Sequence[Tensor], targets: Sequence[Target]) -> list[BatchSlice]:
        """This process's part of the batch in slices; what is sampled in a slice depends on nothing but its number."""
        size, parts = self.micro_batch, []
        for start in range(0, len(images), size):
            number = (self.world.rank * len(images) + start) // size
            seed = derive_seed(self.seed, "step", self.iteration, *([number] if number else []))
            stop = start + size
            parts.append(BatchSlice(images[start:stop], targets[start:stop], seed, size / self.config.batch_size))
        return parts

    def _stop(self, images: Sequence[Tensor], targets: Sequence[Target], losses: dict[str, float]) -> None:
        path = self.out / ("diverged.pt" if self.world.leads else f"diverged-{self.world.rank}.pt")
        with writing(path, overwrite=True) as file:
            torch.save({"images": list(images), "targets": [dict(target) for target in targets]}, file)
        values = ", ".join(f"{name}={loss:g}" for name, loss in losses.items() if name != "loss")
        raise TrainingDiverged(
            f"iteration {self.iteration}: the loss is not a number ({values}); the batch is in {path}. "
            f"Lower lr={self.config.lr:g}, lengthen warmup={self.config.warmup} or lower clip_norm"
        )

    def _lr(self) -> float:
        return self.config.lr * learning_rate(self.config, self.iteration - 1)

    def _log(self, numbers: Mapping[str, Any]) -> None:
        for logger in self.loggers:
            logger.write({"iteration": self.iteration, **numbers})

    def _save(self) -> None:
        if not self.world.leads:
            return
        checkpoint = Checkpoint(
            iteration=self.iteration,
            seed=self.seed,
            config=self.config,
            categories=self.dataset.categories,
            model=self.engine.detector.state_dict(),
            average=self.engine.average.state,
            optimizer=self.engine.optimizer.state_dict(),
            scaler=self.engine.scaler.state_dict(),
            step=self.step.name,
            step_state=self.step.state_dict(),
            data=self.data_mark,
        )
        save_checkpoint(self.checkpoint_path, checkpoint)
        self.step.write(self.out)

    def evaluate(self) -> Metrics:
        """LVIS metrics of the averaged weights on the validation data, also written to the log."""
        assert self.val is not None
        val, config, world = self.val, self.config, self.world
        mine = Dataset(val.path, val.image_dir, world.part(val.images), [], val.categories)
        with self.engine.average.applied() as detector:
            found = predict(detector, mine, image_size=config.image_size, categories=self.dataset.categories)
        results = world.gather(found)
        metrics = world.broadcast(evaluate_lvis(results, val) if world.leads else None)
        assert metrics is not None
        if self.iteration not in self.noted:
            self._log({"metrics": metrics.model_dump(exclude={"categories"})})
        self.noted[self.iteration] = metrics.mask.AP
        return metrics

    def close(self) -> None:
        for logger in self.loggers:
            logger.close()


def _micro_batch(config: TrainConfig, world: World) -> int:
    size = config.micro_batch or max(config.batch_size // world.size, 1)
    if config.batch_size % (size * world.size):
        raise ConfigError(
            f"batch_size={config.batch_size} in slices of {size} cannot be shared by {world.size} processes; "
            f"make it a multiple of {size * world.size}, or set micro_batch"
        )
    return size


def _noted_ap(log: Path) -> dict[int, float | None]:
    """Mask AP by iteration, as the log has it."""
    return {line["iteration"]: line["metrics"]["mask"]["AP"] for line in read_log(log) if "metrics" in line}


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
