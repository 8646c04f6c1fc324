"""The seam for trainers: the pipeline knows only the protocol."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from divergen import Run, load_config, run_pipeline
from divergen.fork import fork
from divergen.testing import FakeTrainer, check_trainer
from divergen.trainers.config import DivergenTrainConfig
from divergen_records.coco import read_dataset

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
