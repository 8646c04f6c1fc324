"""A run on an object store: what comes out is what a run on a disk gives, killed and shared or not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.loading import load_config
from divergen.run import Run
from divergen.runner import run_pipeline
from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path
from divergen_records import Shard
from divergen_records.files import write_text
from divergen_records.stores import StorePath, access, place

SECRET = "planted-secret-8f3a"
"""As in the fixture `bucket`."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Go to another machine: one with a cache of its own."""

    def go(name: str) -> Path:
        monkeypatch.setenv("DIVERGEN_CACHE", str(tmp_path / name))
        return tmp_path / name

    return go


@pytest.fixture
def sent(bucket: str, finished: Run, machine: Callable[[str], Path]) -> str:
    """The finished run as another machine would have made it on a store."""
    machine("first")
    run = Run(f"{bucket}/run", finished.config)
    shutil.copytree(
        finished.folder, run.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lance", ".*.lock")
    )
    run.push()
    table = finished.folder / "instances.lance"
    access.send({run.table_path / path.relative_to(table): path for path in table.rglob("*") if path.is_file()})
    machine("second")
    return f"{bucket}/run"


def rows(run: Run) -> list[dict[str, object]]:
    return sorted(run.table.select().to_pylist(), key=lambda row: str(row["id"]))


def files(run: Run) -> dict[str, bytes]:
    paths = [run.prompts, *(path for path in run.baked.rglob("*") if path.is_file())]
    return {path.relative_to(run.folder).as_posix(): path.read_bytes() for path in paths}


def invoke(*line: str) -> str:
    result = CliRunner().invoke(main, line, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def kill_at(step: str, line: list[str]) -> None:
    """Kill a command as it begins a step."""
    said = []
    with subprocess.Popen([sys.executable, "-m", "divergen", *line], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for words in process.stderr:
            said.append(words)
            if f"] {step}:" in words:
                process.kill()
    assert process.returncode == -signal.SIGKILL, "".join(said)


def test_run__killed_and_shared_is_as_on_a_disk(
    bucket: str, finished: Run, small: tuple[str, ...], machine: Callable[[str], Path], tmp_path: Path
) -> None:
    """Takes some ten seconds: what is killed must be a process, twice."""
    words = (f"data={finished.data / 'minilvis'}", *small[1:])
    config, line = load_config("quickstart", words), ["run", "quickstart", *words, "--out", f"{bucket}/run"]
    machine("one")
    kill_at("annotate", [*line, "--shard", "0/2"])
    one = Run(f"{bucket}/run", config)
    machine("other")
    other = Run(f"{bucket}/run", config)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(run_pipeline, run, shard=Shard(part, 2)) for part, run in enumerate((one, other))]:
            done.result()
    kill_at("bake", line)
    machine("one")
    run_pipeline(one)
    machine("third")
    third = Run(f"{bucket}/run")
    third.pull()
    assert rows(third) == rows(finished)
    assert files(third) == files(finished)
    there = place(bucket)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    written += [access.read(there / name) for name in access.listing(there)]
    assert not [data for data in written if SECRET.encode() in data]


@pytest.mark.slow
@pytest.mark.skipif("DIVERGEN_RAY" not in os.environ, reason="DIVERGEN_RAY=1 asks for it: it wants two free cores")
@pytest.mark.filterwarnings("ignore")
def test_run__of_ray_workers_is_as_on_a_disk(
    bucket: str, finished: Run, small: tuple[str, ...], machine: Callable[[str], Path]
) -> None:
    ray = pytest.importorskip("ray")
    words = (f"data={finished.data / 'minilvis'}", *small[1:], "executor={kind: ray, workers: 2, parts: 2}")
    machine("one")
    run = Run(f"{bucket}/run", load_config("quickstart", words))
    try:
        run_pipeline(run)
    finally:
        ray.shutdown()
    machine("second")
    second = Run(f"{bucket}/run")
    second.pull()
    assert rows(second) == rows(finished)
    assert files(second) == files(finished)


def test_commands__read_a_run_on_a_store(sent: str, machine: Callable[[str], Path], tmp_path: Path) -> None:
    assert "annotate" in invoke("status", sent)
    here = tmp_path / "second"
    assert not list(here.rglob("blobs.bin"))  # nobody asked for it
    assert f"{tmp_path / 'kept'}: " in invoke("export", sent, "--format", "coco", "--out", str(tmp_path / "kept"))
    place(f"{sent}/report.html").unlink()
    said = invoke("report", sent)
    assert f"{sent}/report.html" in said
    assert str(here) not in said
    assert b"</html>" in access.read(StorePath(f"{sent}/report.html"))
    assert f"divergen run quickstart --out {sent}" in invoke("check", "quickstart", "--out", sent)


def test_verdicts__are_on_the_store_and_count(sent: str, machine: Callable[[str], Path]) -> None:
    run = Run(sent)
    rejected = next(str(row["id"]) for row in rows(run) if row["kept"])
    VerdictLog(log_path(run.table_path)).append([Verdict(rejected, "reject", "anna", "2026-01-01T00:00:00+00:00")])
    machine("third")
    again = Run(sent)
    run_pipeline(again, redo="decide", until="decide")
    assert [row["reviewer"] for row in rows(again) if row["id"] == rejected and not row["kept"]] == ["anna"]


def test_run__what_is_undone_is_undone_on_the_store(sent: str, machine: Callable[[str], Path]) -> None:
    run_pipeline(Run(sent), redo="bake", until="pool")
    names = access.listing(place(sent))
    assert not [name for name in names if name.startswith(("pasted/", "steps/bake", "report"))]
    machine("third")
    third = Run(sent)
    third.pull()
    assert third.pool.exists()
    assert not third.baked.exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["run", "quickstart", "--out", "s3://not-there/run"], "there is no bucket 'not-there'"),
        (["status", "{bucket}/none"], "{bucket}/none is not the folder of a run"),
        (["run", "quickstart", "--out", "{bucket}/other"], "{bucket}/other is not empty and not the folder of a run"),
        (["run", "quickstart", "--out", "{bucket}/run", "--like", "."], "leave it out"),
        (["run", "quickstart", "--out", "memory://run"], "are not supported, only s3://, gs://, az://"),
        (["ablate", "filter", "--out", "{bucket}/run"], "this needs a path of this machine"),
        (["grow", "{bucket}/run", "--budget", "3"], "this needs a path of this machine"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_commands__refusals_are_sentences(line: list[str], told: str, bucket: str) -> None:
    write_text(place(f"{bucket}/other/mine.txt"), "")
    result = CliRunner().invoke(main, [word.format(bucket=bucket) for word in line])
    assert result.exit_code == 2, result.output
    assert told.format(bucket=bucket) in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "does not answer at http://127.0.0.1:9"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:10", "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "no credentials were found",  # which are remembered for each server
        ),
    ],
    ids=["endpoint", "credentials"],
)
def test_run__no_store(
    environment: dict[str, str | None], told: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    result = CliRunner().invoke(main, ["run", "quickstart", "--out", f"{bucket}/run"])
    assert (result.exit_code, told in result.output) == (2, True), result.output
