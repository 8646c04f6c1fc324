from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from divergen import crew as crews
from divergen.config import RayConfig
from divergen.crew import Crew, WorkersLost
from divergen.executors import build_executor
from divergen.loading import load_config
from divergen.run import Run
from divergen.runner import run_pipeline
from divergen_records import ConfigError, InstanceTable, TableError


class Gone(Exception):
    """As Ray tells that an actor died."""


class Raised(Exception):
    """As Ray hands on what a worker raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Nothing(Exception):
    """What does not happen here."""


class Task:
    """What a task ends with: a value, an error, or None for one that never ends."""

    numbers = count()

    def __init__(self, end: Any) -> None:
        self.end, self.number = end, next(self.numbers)


class Ray:
    """As much of Ray as a crew uses: the first ``room`` actors start, the others wait for ever."""

    exceptions = SimpleNamespace(
        RayActorError=Gone,
        RayTaskError=Raised,
        NodeDiedError=Nothing,
        WorkerCrashedError=Nothing,
        OutOfMemoryError=Nothing,
        RuntimeEnvSetupError=Nothing,
        ActorUnschedulableError=Nothing,
    )

    def __init__(self, room: int, work: Callable[[int, int], Any], starts: Any = "host") -> None:
        self.room, self.work, self.starts, self.actors, self.killed = room, work, starts, 0, 0

    def hire(self) -> Any:
        self.actors += 1
        number, end = self.actors, self.starts if self.actors <= self.room else None
        return SimpleNamespace(
            start=SimpleNamespace(remote=lambda: Task(end)),
            work=SimpleNamespace(remote=lambda step, part, count: Task(self.work(number, part))),
        )

    def wait(self, tasks: list[Task], *, num_returns: int, timeout: float) -> tuple[list[Task], list[Task]]:
        ended = sorted((task for task in tasks if task.end is not None), key=lambda task: task.number)
        return ended[:num_returns], []

    def get(self, task: Task) -> Any:
        if isinstance(task.end, Exception):
            raise task.end
        return task.end

    def kill(self, actor: Any) -> None:
        self.killed += 1


def crew_of(ray: Ray, workers: int = 3, patience: float = 60) -> Crew:
    return Crew(ray, ray.hire, workers, patience=patience, room="1 CPU")


def test_crew__parts_of_the_dead_go_to_the_living(capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def work(actor: int, part: int) -> Any:
        if actor in (1, 3):
            return Gone("The actor died.\nThe node died.")
        done.append(part)
        return "done"

    ray = Ray(3, work)
    crew = crew_of(ray)
    crew.share("gen", 6, lambda: False)
    assert sorted(done) == [*range(6)]
    assert "worker 3 is gone (host): The node died. 2 of 3 workers gone; going on with 1" in capsys.readouterr().err
    crew.close()
    assert ray.killed == ray.actors == 5


def test_crew__place_is_filled_again(capsys: pytest.CaptureFixture[str]) -> None:
    crew_of(Ray(2, lambda actor, part: Gone("killed") if actor == 1 else "done"), 1).share("gen", 3, lambda: False)
    told = capsys.readouterr().err
    assert "1 of 1 workers gone; waiting up to 60 s for one" in told
    assert "worker 1 is back (host)" in told


def test_crew__no_room_has_a_deadline() -> None:
    with pytest.raises(WorkersLost, match=r"no worker was there for 0 s: the cluster has no room for 1 CPU"):
        crew_of(Ray(0, lambda actor, part: "done"), patience=0.01).share("gen", 3, lambda: False)


def test_crew__part_that_ends_every_worker() -> None:
    with pytest.raises(WorkersLost, match="part 2 of 3 has ended 4 workers, the last one with: out of mem"):
        crew_of(Ray(99, lambda actor, part: Gone("out of memory.") if part == 1 else "done")).share(
            "annotate", 3, lambda: False
        )


def test_crew__worker_that_cannot_start() -> None:
    with pytest.raises(WorkersLost, match="no worker could be started in 4 attempts each"):
        crew_of(Ray(99, lambda actor, part: "done", Gone("no such library"))).share("gen", 3, lambda: False)


def test_crew__run_that_a_machine_does_not_see() -> None:
    with pytest.raises(ConfigError, match="worker 1 cannot open the run: /r is not the folder"):
        crew_of(Ray(1, lambda actor, part: "done", Raised(ConfigError("/r is not the folder of a run")))).share(
            "gen", 3, lambda: False
        )


def test_crew__own_errors_come_through() -> None:
    with pytest.raises(TableError, match="disk full"):
        crew_of(Ray(1, lambda actor, part: Raised(TableError("disk full")))).share("gen", 3, lambda: False)


def test_crew__silence_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(crews, "_SILENCE", 0.0)
    ray, looks = Ray(1, lambda actor, part: None if part == 0 else "done"), iter(range(4))
    with pytest.raises(StopIteration):
        crew_of(ray, 2).share("gen", 3, lambda: next(looks) < 0)
    told = capsys.readouterr().err
    assert "worker 1 (host) has done part 1 of 3 for 0 s; worker 2 has waited for room in the cluster" in told


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (None, "Ray did not start on this machine: timed out.*--shard"),
        ("auto", "no Ray cluster answers at auto .*head"),
    ],
)
def test_executor__ray_that_does_not_start(address: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def init(**options: Any) -> None:
        raise Exception("timed out.")  # as Ray does

    ray = SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: ended.append("shutdown"))
    monkeypatch.setitem(sys.modules, "ray", ray)
    executor = build_executor(RayConfig(kind="ray", address=address))
    pipeline: Any = SimpleNamespace(run=SimpleNamespace(push=list, table=None))
    with pytest.raises(WorkersLost, match=told):
        executor.do(SimpleNamespace(sharded=True, before=None), pipeline)
    assert ended == ["shutdown"]


class Machines:
    """Three simulated machines; in each step one of them dies while its worker does a part, and another one comes."""

    def __init__(self, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster, self.hit, self.news = cluster, list[str](), [time.monotonic()]
        self.nodes = [self._add() for _ in range(3)]
        for name in ("_tell", "_replace", "_settle"):
            monkeypatch.setattr(Crew, name, self._noting(getattr(Crew, name)))
        assign = Crew._assign

        def assign_and_kill(crew: Crew, step: str, left: Any, count: int) -> None:
            assign(crew, step, left, count)
            busy = [place for place in crew._places if place.part is not None]
            if step not in self.hit and len(busy) == min(2, count):
                self.hit.append(step)
                self._kill(int(busy[0].where.rpartition(" ")[2]))

        monkeypatch.setattr(Crew, "_assign", assign_and_kill)

    def _add(self) -> Any:
        for _ in range(5):
            with suppress(Exception):  # Ray gives a machine 30 s to start, which a busy one exceeds
                return self.cluster.add_node(num_cpus=1, resources={"maker": 1})
        pytest.skip("Ray's simulated machines do not start")

    def _noting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: Any) -> Any:
            self.news.append(time.monotonic())
            return call(*arguments)

        return noting

    def _kill(self, worker: int) -> None:
        told = subprocess.run(["ps", "-o", "ppid=", "-p", str(worker)], capture_output=True, text=True, check=True)
        node = next(one for one in self.nodes if one.all_processes["raylet"][0].process.pid == int(told.stdout))
        os.kill(worker, signal.SIGKILL)
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self._add())
        self.news.append(time.monotonic())


@pytest.mark.slow
@pytest.mark.skipif("DIVERGEN_RAY" not in os.environ, reason="DIVERGEN_RAY=1 asks for it: it wants two free cores")
@pytest.mark.filterwarnings("ignore")
def test_crew__a_machine_dies_in_each_step(
    tmp_path: Path,
    finished: Run,
    small: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The table is as one process makes it, and nothing stands still for a minute without a sentence."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    try:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    except (Exception, SystemExit) as error:  # noqa: BLE001 (Ray's own deadlines, on a machine that is very busy)
        pytest.skip(f"Ray's simulated machines do not start: {error}")
    machines = Machines(cluster, monkeypatch)
    crew = "workers: 3, parts: 2, resources: {maker: 1}"
    executor = f"executor={{kind: ray, address: '{cluster.address}', {crew}}}"
    run = Run(tmp_path / "ray", load_config("quickstart", [*small, executor]))
    try:
        run_pipeline(run, until="decide")
    finally:
        ray.shutdown()
        cluster.shutdown()
    own, whole = (InstanceTable.open(one.folder / "instances.lance").select().sort_by("id") for one in (run, finished))
    assert own.select(sorted(own.column_names)) == whole.select(sorted(whole.column_names))
    assert {"gen", "annotate", "embed", "score"} <= {*machines.hit}
    assert capfd.readouterr().err.count("is gone") >= len(machines.hit)
    assert max(np.diff(machines.news)) < 60
