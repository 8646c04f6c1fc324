"""Loggers beside log.jsonl. TensorBoard is the real one where installed; the services are stood in for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from divergen_records.coco import Dataset
from divergen_records.errors import MissingExtra
from divergen_records.settings import apply_settings
from divergen_train import TrainConfig, fit
from divergen_train.training.loggers import MlflowConfig, TensorBoardConfig, WandbConfig, flatten

LINE = {"iteration": 20, "loss": 0.5, "metrics": {"mask": {"AP": 0.25, "APr": None}, "federated": True}}


def test_flatten__numbers_only() -> None:
    assert list(flatten(LINE)) == [("iteration", 20.0), ("loss", 0.5), ("metrics/mask/AP", 0.25)]


@pytest.mark.parametrize(
    ("config", "module"),
    [
        (TensorBoardConfig(), "torch.utils.tensorboard"),
        (WandbConfig(), "wandb"),
        (MlflowConfig(), "mlflow"),
    ],
)
def test_build__missing_extra(config: Any, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"divergen-train\[{config.kind}\]"):
        config.build(tmp_path, 0)


def test_tensorboard__holds_the_logs_numbers(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = apply_settings(TrainConfig, tiny, ["iterations=4", 'loggers=[{"kind": "tensorboard"}]'])
    fit(shapes, out=tmp_path, config=config, val=shapes)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [2, 4]
    assert [event.step for event in events.Scalars("metrics/mask/AP")] == [4]


def test_wandb__goes_on_in_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []
    logged: list[Any] = []

    def init(**arguments: Any) -> Any:
        started.append(arguments)
        return SimpleNamespace(log=lambda row, step: logged.append((row, step)), finish=lambda: logged.append("end"))

    wandb = ModuleType("wandb")
    wandb.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for _ in range(2):
        logger = WandbConfig(project="p", mode="offline").build(tmp_path / "run", 0)
        logger.write(LINE)
        logger.close()
    assert started[0] == started[1]
    assert started[0]["project"] == "p"
    assert started[0]["name"] == "run"
    assert logged[:2] == [({"loss": 0.5, "metrics/mask/AP": 0.25}, 20), "end"]


def test_mlflow__goes_on_in_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    metrics: list[Any] = []

    class Client:
        def __init__(self, uri: str | None) -> None:
            self.uri = uri

        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            return f"id of {name}"

        def create_run(self, experiment: str, run_name: str) -> Any:
            made.append((experiment, run_name))
            return SimpleNamespace(info=SimpleNamespace(run_id="7"))

        def log_metric(self, run: str, name: str, value: float, step: int) -> None:
            metrics.append((run, name, value, step))

        def set_terminated(self, run: str) -> None:
            metrics.append(run)

    mlflow = ModuleType("mlflow")
    mlflow.MlflowClient = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    for _ in range(2):
        logger = MlflowConfig().build(tmp_path / "run", 0)
        logger.write(LINE)
        logger.close()
    assert made == [("id of divergen", "run")]
    assert metrics[:3] == [("7", "loss", 0.5, 20), ("7", "metrics/mask/AP", 0.25, 20), "7"]
