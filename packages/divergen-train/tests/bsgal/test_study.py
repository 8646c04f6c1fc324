from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from divergen_records.errors import ConfigError, DatasetError
from divergen_train.bsgal.study import NoiseSplit, StudyReport, run_study
from divergen_train.bsgal.study_config import study_config
from divergen_train.bsgal.study_data import add_noise, load_data, stratified_splits
from divergen_train.cli import main


def test_command__digits(tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["bsgal-study", "--out", str(tmp_path / "study")])
    assert found.exit_code == 0, found.output
    assert "the mean contribution falls with the noise" in found.output
    report = StudyReport.model_validate_json((tmp_path / "study" / "study.json").read_text())
    assert [(split.split, split.noise) for split in report.splits] == [(2, 0), (2, 40), (3, 100), (4, 200)]
    assert sum(split.count for split in report.splits[1:]) == pytest.approx(898 * 3 / 4, abs=3)  # R is not judged
    means = [split.mean for split in report.splits]
    assert means == sorted(means, reverse=True)
    assert means[0] > 2 * means[3]
    assert report.test_accuracy > 0.85
    for split in report.splits:
        assert split.mean == pytest.approx(np.mean(split.values))
    assert (tmp_path / "study" / "study.png").stat().st_size > 5000
    assert "<svg" in (tmp_path / "study" / "study.svg").read_text()
    again = CliRunner().invoke(main, ["bsgal-study", "--out", str(tmp_path / "study")])
    assert again.exit_code == 2
    assert "study.svg is there already; choose another name, or replace it with --overwrite" in again.output


def test_add_noise__has_its_scale() -> None:
    grey = torch.full((1, 1, 200, 200), 0.5)
    assert float(add_noise(grey, 25.5, 0).std()) == pytest.approx(0.1, rel=0.05)
    assert torch.equal(add_noise(grey, 0, 0), grey)
    loud = add_noise(grey, 2000, 0)
    assert float(loud.min()) == 0
    assert float(loud.max()) == 1


def test_cifar10__reads_torchvisions_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--data FOLDER"):
        run_study(study_config("cifar10"))
    with pytest.raises(DatasetError, match="not found or corrupted"):
        run_study(study_config("cifar10"), data=tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        batch = {"data": rng.integers(0, 256, (8, 3072)).astype(np.uint8), "labels": [int(i) for i in range(8)]}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
    monkeypatch.setattr("torchvision.datasets.cifar.CIFAR10._check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *arguments: True)
    config = study_config("cifar10", epochs=1, batch_size=20, noise=(0, 40))
    images = load_data(config, tmp_path)
    assert images.images.shape == (40, 3, 32, 32)
    assert images.test_images.shape == (8, 3, 32, 32)
    report = run_study(config, data=tmp_path)
    assert [split.count for split in report.splits] == [20, 20]
    assert "(the paper's: 93.02%)" in report.table()
    report = run_study(config.model_copy(update={"design": "same images"}), data=tmp_path)
    assert [split.count for split in report.splits] == [40, 40]


def test_cifar10__is_the_papers_schedule() -> None:
    config = study_config("cifar10")
    assert (config.epochs, config.lr, config.momentum, config.weight_decay) == (200, 0.1, 0.9, 5e-4)
    assert (config.design, config.noise, config.published_accuracy) == ("splits", (0, 40, 100, 200), 0.9302)


def test_stratified_splits__share_each_class_out() -> None:
    labels = torch.tensor([0] * 9 + [1] * 7 + [2] * 4)
    splits = stratified_splits(labels, 4, seed=1)
    assert sorted(torch.cat(splits).tolist()) == list(range(20))
    for label in range(3):
        counts = [int((labels[rows] == label).sum()) for rows in splits]
        assert max(counts) - min(counts) <= 1
    assert not all(torch.equal(*pair) for pair in zip(splits, stratified_splits(labels, 4, seed=2), strict=True))


def test_study_config__unknown() -> None:
    with pytest.raises(ConfigError, match="study 'mnist': unknown; there are cifar10, digits"):
        study_config("mnist")


def test_report__says_when_it_does_not_fall() -> None:
    split = NoiseSplit(noise=0, count=1, accuracy=1, mean=0, std=0, quantiles=(0, 0, 0, 0, 0), harmful=0, values=(0.0,))
    report = StudyReport(config=study_config("digits"), test_accuracy=0.9, falls=False, splits=(split,))
    assert "does NOT fall" in report.table()
    assert json.loads(report.model_dump_json())["falls"] is False
