from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen_train.cli import main

TINY = [
    "image_size=64",
    "iterations=2",
    "batch_size=2",
    "warmup=0",
    "detector.fpn_channels=16",
    "detector.frozen_stages=6",
    "detector.score_threshold=0",
    "detector.detections=5",
]


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_main__fit_predict_evaluate(shapes_path: Path, tmp_path: Path) -> None:
    images = ["--images", shapes_path.parent / "images"]
    status, output = run("fit", shapes_path, *images, "--out", tmp_path / "run", *TINY)
    assert status == 0, output
    assert "2 iterations" in output
    _, output = run("fit", shapes_path, *images, "--out", tmp_path / "run", *TINY)
    assert "2 iterations, was done before" in output
    results = tmp_path / "results.json"
    status, output = run("predict", tmp_path / "run/checkpoint.pt", shapes_path, *images, "--out", results)
    assert status == 0, output
    assert len(json.loads(results.read_text())) == 6 * 5
    status, output = run("predict", tmp_path / "run/checkpoint.pt", shapes_path, *images, "--out", results)
    assert status == 2
    assert "--overwrite" in output
    metrics = tmp_path / "metrics.json"
    status, output = run("evaluate", results, "--gt", shapes_path, "--json", metrics, "--categories")
    assert status == 0, output
    assert "APr" in output
    assert "green" in output
    assert set(json.loads(metrics.read_text())) >= {"box", "mask", "categories"}


@pytest.mark.parametrize(
    ("setting", "message"), [("colour=red", "colour: there is no such key"), ("iterations", "expected key=value")]
)
def test_fit__bad_setting(shapes_path: Path, tmp_path: Path, setting: str, message: str) -> None:
    status, output = run("fit", shapes_path, "--out", tmp_path / "run", setting)
    assert status == 2
    assert message in output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [[], ["fit"], ["predict"]])
def test_help__has_an_example(command: list[str]) -> None:
    status, output = run(*command, "--help")
    assert status == 0
    assert "divergen-train " in output.partition("\n")[2]
