"""The workers of a run under Ray: who does which part of a step, who is gone, and what then."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divergen_records import ConfigError, DivergenError, Shard
from divergen_records.command import echo

from .pipeline import Pipeline
from .run import Run
from .steps import STEPS

__all__ = ["Crew", "Worker", "WorkersLost"]

_LOOK_EVERY = 2.0
"""Seconds of waiting for the workers between two looks at the table."""

_SILENCE = 30.0
"""Seconds without anything new after which it is said who does what."""

_ATTEMPTS = 4
"""Workers that a part may end, and ends of a worker before it has started."""

_SHOWN = 8
"""Workers that a sentence describes."""


class WorkersLost(DivergenError):
    """No worker is left, or a part of the work ends each worker that does it."""


class Worker:
    """What an actor is: it keeps its models from step to step, and does parts of a step's rows.

    Args:
        folder: The run's folder, or its address.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> str:
        """Open the run; returns where this is."""
        self.pipeline = Pipeline(Run(self.folder), quiet=True)
        return f"{platform.node()}, process {os.getpid()}"

    def work(self, step: str, index: int, count: int) -> None:
        """Do part ``index`` of ``count`` of a step, or what is left of it."""
        self.pipeline.shard = Shard(index, count)
        self.pipeline.run.pull()
        next(found for found in STEPS if found.name == step).do(self.pipeline)
        self.pipeline.run.push()


@dataclass
class _Place:
    """A worker's place in the crew: its actor, and what it was asked for last."""

    name: str
    actor: Any
    task: Any
    since: float
    where: str = ""
    part: int | None = None
    ends: int = 0

    def describe(self, count: int) -> str:
        """What it does, for people; ``count`` are the parts of the step."""
        seconds = f"{time.monotonic() - self.since:.0f} s"
        if not self.where:
            return f"{self.name} has waited for room in the cluster, or started, for {seconds}"
        doing = "waits for work" if self.part is None else f"has done part {self.part + 1} of {count} for {seconds}"
        return f"{self.name} ({self.where}) {doing}"


class Crew:
    """Workers that share the parts of a step.

    A part whose worker is gone goes to another one. The place is filled again as soon as the cluster has room; nobody
    waits for that, unless no worker is left. What a part had committed stays.

    Args:
        ray: The module, connected.
        hire: Makes an actor that is a `Worker`.
        count: Workers.
        patience: Seconds to wait while no worker is there.
        room: What a worker takes, for messages.
    """

    def __init__(self, ray: Any, hire: Callable[[], Any], count: int, *, patience: float, room: str) -> None:
        self._ray, self._hire, self._count, self._patience, self._room = ray, hire, count, patience, room
        errors = ray.exceptions
        self._lost = (errors.RayActorError, errors.NodeDiedError, errors.WorkerCrashedError, errors.OutOfMemoryError)
        self._places = [self._filled(_Place(f"worker {number}", None, None, 0.0)) for number in range(1, count + 1)]
        self._seen = time.monotonic()
        """When a worker was there last."""

    def share(self, step: str, count: int, look: Callable[[], bool]) -> None:
        """Have all parts of a step done.

        Args:
            step: The step's name.
            count: Parts.
            look: Called every few seconds; whether rows were done since.

        Raises:
            WorkersLost: If no worker is left, or a part ends each worker that does it.
            DivergenError: What a worker raised.
        """
        left, ends = deque(range(count)), Counter[int]()
        done, news = 0, time.monotonic()
        while done < count:
            self._assign(step, left, count)
            settled = self._wait()
            done += sum(self._settle(place, step, left, ends, count) for place in settled)
            moved = look()
            if settled or moved:
                news = time.monotonic()
            elif time.monotonic() - news >= _SILENCE:
                news = time.monotonic()
                self._tell(step, count)
            self._check_patience()

    def close(self) -> None:
        """Let the actors go, and their memory and GPUs with them; those that nobody reaches end by themselves."""
        for place in self._places:
            self._ray.kill(place.actor)
        self._places = []

    def _filled(self, place: _Place) -> _Place:
        place.actor, place.where, place.part = self._hire(), "", None
        place.task, place.since = place.actor.start.remote(), time.monotonic()
        return place

    def _assign(self, step: str, left: deque[int], count: int) -> None:
        for place in self._places:
            if place.task is None and left:
                place.part, place.since = left.popleft(), time.monotonic()
                place.task = place.actor.work.remote(step, place.part, count)

    def _wait(self) -> list[_Place]:
        """Those that have finished what they were asked for, or are gone."""
        tasks = {place.task: place for place in self._places if place.task is not None}
        if not tasks:
            raise WorkersLost(f"no worker could be started in {_ATTEMPTS} attempts each; see the sentences above")
        finished, _ = self._ray.wait([*tasks], num_returns=1, timeout=_LOOK_EVERY)
        return [tasks[task] for task in finished]

    def _settle(self, place: _Place, step: str, left: deque[int], ends: Counter[int], count: int) -> bool:
        """Take what a worker has finished; whether that was a part."""
        part, place.part = place.part, None
        errors = self._ray.exceptions
        try:
            found = self._ray.get(place.task)
        except errors.RayTaskError as error:
            raise _own_error(error, place) from error
        except (errors.RuntimeEnvSetupError, errors.ActorUnschedulableError) as error:
            raise ConfigError(f"executor: Ray cannot start {place.name} ({self._room}): {error}") from error
        except self._lost as error:
            if part is not None:
                left.appendleft(part)
                ends[part] += 1
            self._replace(place, error)
            if part is not None and ends[part] >= _ATTEMPTS:
                raise WorkersLost(
                    f"{step}: part {part + 1} of {count} has ended {_ATTEMPTS} workers, the last one with: "
                    f"{_reason(error)}. Give each worker more memory, or do the step without Ray to see why"
                ) from error
            return False
        place.task = None
        if part is None:
            place.where = found
            self._seen = time.monotonic()
            if place.ends:
                echo(f"ray: {place.name} is back ({found})", err=True)
            place.ends = 0
        return part is not None

    def _replace(self, place: _Place, error: Exception) -> None:
        """Fill the place of a worker that is gone, and say so."""
        was, place.ends = place.where, place.ends + 1
        self._ray.kill(place.actor)  # one that is only out of reach
        if place.ends >= _ATTEMPTS:
            self._places.remove(place)
        else:
            self._filled(place)
        living = sum(bool(one.where) or not one.ends for one in self._places)
        going = f"going on with {living}" if living else f"waiting up to {self._patience:.0f} s for one"
        echo(
            f"ray: {place.name} is gone{f' ({was})' if was else ''}: {_reason(error)}. "
            f"{self._count - living} of {self._count} workers gone; {going}",
            err=True,
        )

    def _tell(self, step: str, count: int) -> None:
        told = "; ".join(place.describe(count) for place in self._places[:_SHOWN])
        more = f"; and {len(self._places) - _SHOWN} more" if len(self._places) > _SHOWN else ""
        echo(f"ray: {step}: nothing new for {_SILENCE:.0f} s: {told}{more}", err=True)

    def _check_patience(self) -> None:
        if any(place.where for place in self._places):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > self._patience:
            raise WorkersLost(
                f"no worker was there for {self._patience:.0f} s: the cluster has no room for {self._room}, or its "
                "machines are gone (`ray status` shows both). What is done stays: run the same line again, with "
                "smaller executor.cpus, gpus or resources, or a longer executor.patience"
            )


def _own_error(error: Any, place: _Place) -> BaseException:
    """What a worker raised, as it would have been raised here."""
    cause: BaseException = error.cause
    if place.where:
        return cause if isinstance(cause, DivergenError) else error
    return ConfigError(
        f"executor: {place.name} cannot open the run: {cause}. Every machine of the cluster needs the same packages, "
        "and sees the run's folder under the same path"
    )


def _reason(error: Exception) -> str:
    """The last sentence of Ray's message, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")[:300]
