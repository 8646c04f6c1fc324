"""Who does the work of a run's steps: this process, or actors under Ray. The steps know nothing of it."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

from divergen_records import DivergenError, Progress, Shard, require_extra
from divergen_records.cores import usable_cores

from .config import ExecutorConfig, LocalConfig
from .pipeline import Pipeline
from .run import Run
from .status import MARKERS, run_status
from .steps import STEPS, RunStep

__all__ = ["Executor", "LocalExecutor", "RayExecutor", "build_executor"]

_LOOK_EVERY = 2.0
"""Seconds between looks at the table for the progress line."""


class Executor(Protocol):
    """Does steps."""

    def do(self, step: RunStep, pipeline: Pipeline) -> None:
        """Do a step, or what is left of it."""

    def close(self) -> None:
        """Let go of what it holds."""


def build_executor(config: ExecutorConfig) -> Executor:
    """The executor that a configuration asks for; raises `MissingExtra` where Ray is wanted and not installed."""
    if isinstance(config, LocalConfig):
        return LocalExecutor()
    return RayExecutor(**config.model_dump(exclude={"kind"}))


class LocalExecutor:
    """Steps in this process."""

    def do(self, step: RunStep, pipeline: Pipeline) -> None:
        """Do a step, or what is left of it."""
        step.do(pipeline)

    def close(self) -> None:
        """Nothing is held."""


class Worker:
    """What an actor is: it keeps its models from step to step, and does parts of a step's rows.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.pipeline = Pipeline(Run(folder), quiet=True)

    def work(self, step: str, index: int, count: int) -> None:
        """Do part ``index`` of ``count`` of a step, or what is left of it."""
        self.pipeline.shard = Shard(index, count)
        next(found for found in STEPS if found.name == step).do(self.pipeline)


class RayExecutor:
    """Steps over the table by actors under Ray, the others in this process.

    An actor takes the next part of the rows when it has done one. One that dies is started again and does its part
    again; what the part had committed stays. The table is as one process would have left it.

    Args:
        address: Of a running cluster; a local Ray is started where None.
        workers: Actors.
        cpus: Cores of each.
        gpus: GPUs of each.
        parts: Parts of the rows for each actor.

    Raises:
        MissingExtra: If Ray is not installed.
    """

    def __init__(self, *, address: str | None, workers: int, cpus: float, gpus: float, parts: int) -> None:
        with require_extra("divergen", "ray"):
            import ray
            import ray.util  # noqa: F401 (an attribute of ray only once it is imported)
        self._ray, self._address = ray, address
        self._workers, self._cpus, self._gpus, self._parts = workers, cpus, gpus, parts
        self._actors: list[Any] = []

    def do(self, step: RunStep, pipeline: Pipeline) -> None:
        """Do a step, or what is left of it.

        Raises:
            DivergenError: What a worker raised.
        """
        if not step.sharded:
            self.close()  # training wants the GPUs
            step.do(pipeline)
            return
        if step.before is not None:
            step.before(pipeline)
        _ = pipeline.run.table  # made here, once
        self._start(pipeline.run)
        with _TableProgress(pipeline.run, step.name) if step.name in MARKERS else nullcontext(_nothing) as look:
            try:
                self._share(step.name, look)
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, DivergenError):
                    raise error.cause from None
                raise

    def _start(self, run: Run) -> None:
        if self._actors:
            return
        if not self._ray.is_initialized():
            # A local Ray has as many cores as the actors want, or they would wait for ever.
            cores = max(usable_cores(), math.ceil(self._workers * self._cpus))
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "lance is not fork-safe")  # what Ray forks becomes another program
                self._ray.init(
                    address=self._address,
                    num_cpus=None if self._address else cores,
                    include_dashboard=False,
                    log_to_driver=False,
                )
        actor = self._ray.remote(num_cpus=self._cpus, num_gpus=self._gpus, max_restarts=-1, max_task_retries=3)(Worker)
        self._actors = [actor.remote(run.folder.resolve()) for _ in range(self._workers)]

    def _share(self, step: str, look: Callable[[], None]) -> None:
        count = self._workers * self._parts
        pool = self._ray.util.ActorPool(self._actors)
        for part in range(count):
            pool.submit(lambda actor, part: actor.work.remote(step, part, count), part)
        while pool.has_next():
            try:
                pool.get_next_unordered(timeout=_LOOK_EVERY)
            except TimeoutError as error:  # nobody is done yet; a worker's own is a RayTaskError as well
                if isinstance(error, self._ray.exceptions.RayTaskError):
                    raise
            look()

    def close(self) -> None:
        """Let the actors go, and their memory and GPUs with them."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []


def _nothing() -> None:
    """What is seen of a step that writes no rows."""


class _TableProgress:
    """The progress line of a step, read off the table that the actors write to."""

    def __init__(self, run: Run, step: str) -> None:
        self._run, self._step, self._next = run, step, 0.0
        self._done, left = self._count()
        self._bar = Progress(step, left)

    def _count(self) -> tuple[int, int]:
        stage = next(stage for stage in run_status(self._run).stages if stage.stage == self._step)
        return stage.done + stage.failed, stage.pending

    def __enter__(self) -> _TableProgress:
        self._bar.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._next = 0.0
        self()
        self._bar.__exit__(*exception)

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LOOK_EVERY
            before, (self._done, _) = self._done, self._count()
            if self._done > before:
                self._bar.update(self._done - before)
