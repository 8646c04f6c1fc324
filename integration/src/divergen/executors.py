"""Who does the work of a run's steps: this process, or actors under Ray. The steps know nothing of it."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from divergen_records import Progress, require_extra
from divergen_records.cores import usable_cores

from .config import ExecutorConfig, LocalConfig
from .crew import Crew, Worker, WorkersLost
from .personal import personal_status
from .pipeline import Pipeline
from .run import Run
from .status import MARKERS, run_status
from .steps import RunStep

__all__ = ["Executor", "LocalExecutor", "RayExecutor", "build_executor"]

_LOOK_EVERY = 2.0
"""Seconds between looks at the table for the progress line."""

_LOOK_SHARE = 20
"""Times that a look takes between two of them: a large table is counted less often."""


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


class RayExecutor:
    """Steps over the table by actors under Ray, the others in this process.

    An actor takes the next part of the rows when it has done one; what becomes of the part of one that dies, see
    `divergen.crew.Crew`. The table is as one process would have left it.

    Args:
        address: Of a running cluster; a local Ray is started where None.
        workers: Actors.
        cpus: Cores of each.
        gpus: GPUs of each.
        resources: Of each, by the names that the cluster gives them.
        runtime_env: Ray's runtime environment of the actors.
        parts: Parts of the rows for each actor.
        patience: Seconds to wait while no worker is there.

    Raises:
        MissingExtra: If Ray is not installed.
    """

    def __init__(
        self,
        *,
        address: str | None,
        workers: int,
        cpus: float,
        gpus: float,
        resources: Mapping[str, float],
        runtime_env: Mapping[str, Any],
        parts: int,
        patience: float,
    ) -> None:
        with require_extra("divergen", "ray"):
            import ray
        self._ray, self._address, self._workers, self._parts = ray, address, workers, parts
        self._cores, self._patience = math.ceil(workers * cpus), patience
        self._options: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "resources": dict(resources),
            "runtime_env": dict(runtime_env) or None,
            "max_restarts": 0,  # the crew fills the place: Ray would wait for room without a word
        }
        self._room = ", ".join(f"{amount:g} {name}" for name, amount in {"CPU": cpus, "GPU": gpus, **resources}.items())
        self._crew: Crew | None = None

    def do(self, step: RunStep, pipeline: Pipeline) -> None:
        """Do a step, or what is left of it.

        Raises:
            WorkersLost: If Ray does not start, no worker is left, or a part of the work ends each worker that does it.
            DivergenError: What a worker raised.
        """
        if not step.sharded:
            self.close()  # training wants the GPUs
            step.do(pipeline)
            return
        if step.before is not None:
            step.before(pipeline)
            pipeline.run.push()  # the workers look for it
        _ = pipeline.run.table  # made here, once
        crew = self._crew = self._crew or self._start(pipeline.run)
        with _look(pipeline.run, step.name) as look:
            crew.share(step.name, self._workers * self._parts, look)

    def _start(self, run: Run) -> Crew:
        if not self._ray.is_initialized():
            # A local Ray has as much as the actors want, or they would wait for ever.
            cores = max(usable_cores(), self._cores)
            named = {name: amount * self._workers for name, amount in self._options["resources"].items()}
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "lance is not fork-safe")  # what Ray forks becomes another program
                try:
                    self._ray.init(
                        address=self._address or "local",  # never one that happens to run here
                        num_cpus=None if self._address else cores,
                        resources=None if self._address else named,
                        include_dashboard=False,
                        log_to_driver=False,
                    )
                except Exception as error:  # Ray raises that itself, ConnectionError, ValueError and more
                    self._ray.shutdown()  # what did start
                    raise WorkersLost(self._why_not(error)) from error
        actor = self._ray.remote(**self._options)(Worker)
        folder = run.place.resolve()
        return Crew(self._ray, lambda: actor.remote(folder), self._workers, patience=self._patience, room=self._room)

    def _why_not(self, error: Exception) -> str:
        if self._address:
            return (
                f"no Ray cluster answers at {self._address} (executor.address): {error}. `ray start --head` makes one"
            )
        return (
            f"Ray did not start on this machine: {error} Ray gives itself 30 s, which a busy machine exceeds: run the "
            "same line again when it has less to do, or share the work without Ray (--shard)"
        )

    def close(self) -> None:
        """Let the actors go, and their memory and GPUs with them."""
        if self._crew is not None:
            self._crew.close()
        self._crew = None


def _look(run: Run, step: str) -> AbstractContextManager[Callable[[], bool]]:
    """What sees a step go on: rows of the table, or files of weights."""
    return _TableProgress(run, step) if step in MARKERS else nullcontext(_TrainedFiles(run))


class _TrainedFiles:
    """Whether weights of a further category have come, which a step that writes no rows leaves behind."""

    def __init__(self, run: Run) -> None:
        self._run, self._done = run, 0

    def __call__(self) -> bool:
        before, self._done = self._done, sum(one.trained for one in personal_status(self._run))
        return self._done > before


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

    def __call__(self) -> bool:
        """Look, unless that was done just now; whether rows were done since the last look."""
        start = time.monotonic()
        if start < self._next:
            return False
        before, (self._done, _) = self._done, self._count()
        took = time.monotonic() - start
        self._next = start + took + max(_LOOK_EVERY, _LOOK_SHARE * took)
        if self._done > before:
            self._bar.update(self._done - before)
        return self._done > before
