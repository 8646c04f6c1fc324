"""The seam for trainers: the pipeline knows only the protocol."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest
from divergen import Run, load_config, run_pipeline
from divergen.fork import fork
from divergen.testing import FakeTrainer, check_trainer
from divergen.trainers.command import CommandFailed, CommandTrainer
from divergen.trainers.config import CommandTrainConfig, DivergenTrainConfig
from divergen.trainers.protocol import TrainTask
from divergen.training import evaluate_task
from divergen_records import DatasetError
from divergen_records.coco import read_dataset
from divergen_train import read_log
from pydantic import ValidationError

TINY = (
    "train={preset: quickstart, image_size: 64, iterations: 1, warmup: 0, batch_size: 1}",
    "train.detector.fpn_channels=16",
    "train.detector.frozen_stages=6",
)


@pytest.mark.parametrize("pastes", [True, False])
def test_run_pipeline__any_trainer(
    tmp_path: Path, finished: Run, small: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, pastes: bool
) -> None:
    trainer = FakeTrainer(pastes)
    monkeypatch.setattr(DivergenTrainConfig, "build", lambda _: trainer)
    config = load_config("quickstart", [*small, *TINY])
    fork(finished, tmp_path / "run", config)
    run = Run(tmp_path / "run", config)
    run_pipeline(run, until="train")
    assert [task.out.name for task in trainer.tasks] == ["real", "control", "generated"]
    assert [task.paste is not None for task in trainer.tasks] == [False, pastes, pastes]
    assert (run.baked / "annotations.json").exists() == (not pastes)
    for task in trainer.tasks:
        assert json.loads((task.out / "metrics.json").read_text(encoding="utf-8"))["box"]["AP"] == pytest.approx(1)
    run_pipeline(run)
    assert len(trainer.tasks) == 3
    assert "gain over real + copy-paste" in run.report.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["fake", "divergen"])
def test_check_trainer(tmp_path: Path, finished: Run, small: tuple[str, ...], kind: str) -> None:
    config = load_config("quickstart", [*small, *TINY]).train
    data = finished.data / "minilvis"
    train, val = (read_dataset(data / f"{name}.json", image_dir=data) for name in ("train", "val"))
    check_trainer(FakeTrainer if kind == "fake" else config.build, train, val, tmp_path / "training")


def test_divergen_trainer__evaluates_on_its_way(tmp_path: Path, finished: Run, small: tuple[str, ...]) -> None:
    config = load_config("quickstart", [*small, *TINY, "train.iterations=2", "train.eval_every=1"]).train
    data = finished.data / "minilvis"
    train, val = (read_dataset(data / f"{name}.json", image_dir=data) for name in ("train", "val"))
    config.build().train(TrainTask(name="train", dataset=train, val=val, out=tmp_path, seed=0))
    assert [line["iteration"] for line in read_log(tmp_path / "log.jsonl") if "metrics" in line] == [1, 2]


SCRIPT = """
import json, sys
data, val, results, seed, iterations = sys.argv[1:]
train, truth = (json.load(open(path)) for path in (data, val))
assert train["annotations"] and int(iterations) == 7, iterations
if not __import__("pathlib").Path(results + ".began").exists():
    open(results + ".began", "w").close()
    print("out of memory")
    sys.exit(9)
rows = [{"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"], "score": 0.5}
        for a in truth["annotations"]]
json.dump(rows, open(results, "w"))
"""


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    """A program that fails when it is called first."""
    (tmp_path / "my trainer.py").write_text(SCRIPT)
    line = f"{sys.executable} '{tmp_path / 'my trainer.py'}' {{data}} {{val}} {{results}} {{seed}} {{iterations}}"
    return (f"train={{kind: command, iterations: 7, command: {json.dumps(line)}}}",)


def test_run_pipeline__any_program_trains(
    tmp_path: Path, finished: Run, small: tuple[str, ...], command: tuple[str, ...]
) -> None:
    config = load_config("quickstart", [*small, *command])
    fork(finished, tmp_path / "run", config)
    run = Run(tmp_path / "run", config)
    for name in ("real", "control", "generated"):
        with pytest.raises(CommandFailed, match=f"train {name}: the command ended with status 9(.|\n)*out of memory"):
            run_pipeline(run, until="train")
    run_pipeline(run)
    for name in ("real", "control", "generated"):
        metrics = json.loads((run.training(name) / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["box"]["AP"] == pytest.approx(1)
    assert "my trainer.py" in run.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": "train {dta}"}, "'dta' is no place; there are {data}"),
        ({"command": "train {data}"}, "where to leave its detections"),
        ({"command": "train {out}", "format": "tfrecord"}, "these can: "),
    ],
)
def test_command_config__refuses(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        CommandTrainConfig(**settings)


def test_evaluate__says_which_results_do_not_fit_and_what_only_looks_right(
    tmp_path: Path, finished: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    data = finished.data / "minilvis"
    val = read_dataset(data / "val.json", image_dir=data)
    task = TrainTask(name="train real", dataset=val, val=val, out=tmp_path, seed=0)
    found = [{"image_id": one.image_id, "category_id": one.category_id, "bbox": one.bbox} for one in val.annotations]
    task.results.write_text(json.dumps(found))
    with pytest.raises(DatasetError, match=r"train real: .*results\.json: result 0: has no 'score'"):
        evaluate_task(task)
    task.results.write_text(json.dumps([{**row, "score": 0.5} for row in found * 2]))
    evaluate_task(task)
    task.results.write_text("[]")
    evaluate_task(task)
    said = capsys.readouterr().err
    assert "note: train real: every result stands twice" in said and "note: train real: there are no results" in said


def test_command_trainer__no_results_and_no_program(tmp_path: Path, finished: Run) -> None:
    data = finished.data / "minilvis"
    val = read_dataset(data / "val.json", image_dir=data)
    task = TrainTask(name="train real", dataset=val, val=val, out=tmp_path / "out", seed=0)
    with pytest.raises(CommandFailed, match="left no"):
        CommandTrainer([f"{sys.executable} -c pass"]).train(task)
    with pytest.raises(CommandFailed, match="cannot be run"):
        CommandTrainer(["no-such-program {out}"], kind="yolo").train(task)
    assert len(list((tmp_path / "out/data/train/labels").rglob("*.txt"))) == len(val.images)


ORPHAN = """
import sys, time
from pathlib import Path
out, results = map(Path, sys.argv[1:])
began = len(list(out.glob("began*")))
(out / f"began{began}").touch()
while not began and not (out / "go").exists():
    time.sleep(0.05)
(out / "ended").write_text(str(began))
results.write_text("[]")
"""


def test_command_trainer__waits_for_a_program_whose_run_was_killed(
    tmp_path: Path, finished: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    data, script, out = finished.data / "minilvis", tmp_path / "orphan.py", tmp_path / "out"
    script.write_text(ORPHAN)
    out.mkdir()
    val = read_dataset(data / "val.json", image_dir=data)
    task = TrainTask(name="train real", dataset=val, val=val, out=out, seed=0)
    killed = subprocess.Popen([sys.executable, "-c", RUN, *map(str, (script, data, out))], stderr=subprocess.DEVNULL)
    while not (out / "began0").exists():
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    Timer(1, (out / "go").touch).start()
    CommandTrainer([f"{sys.executable} {script} {{out}} {{results}}"]).train(task)
    assert "the program of an earlier call still runs; waiting for it" in capsys.readouterr().err
    assert (out / "ended").read_text() == "1"


RUN = """
import sys
from pathlib import Path
from divergen.trainers.command import CommandTrainer
from divergen.trainers.protocol import TrainTask
from divergen.training import evaluate_task
from divergen_records import DatasetError
from divergen_records.coco import read_dataset
script, data, out = map(Path, sys.argv[1:])
val = read_dataset(data / "val.json", image_dir=data)
task = TrainTask(name="train real", dataset=val, val=val, out=out, seed=0)
CommandTrainer([f"{sys.executable} {script} {{out}} {{results}}"]).train(task)
"""
