from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, WeightsError
from divergen_train import TrainConfig, fit
from divergen_train.bsgal.config import BeliefConfig
from divergen_train.bsgal.ledger import read_contributions
from divergen_train.training.checkpoint import load_checkpoint

from .test_steps import PowerCut, Stamp, Weights, judging


def model_of(folder: Path) -> dict[str, Any]:
    return load_checkpoint(folder / "checkpoint.pt").model


@pytest.fixture(scope="module")
def judge(shapes: Dataset, tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(shapes, out=tmp_path_factory.mktemp("judge"), config=tiny).checkpoint


def test_fit__a_trained_detector_judges_before_the_first_step_and_teaches_nothing(
    shapes: Dataset, tiny: TrainConfig, judge: Path, tmp_path: Path
) -> None:
    draws = {"alone": Weights(), "judged": Weights()}
    for name, config in (("alone", BeliefConfig(start=0.9)), ("judged", BeliefConfig(start=0.9, judge=judge))):
        train = judging(tiny, config, iterations=6)
        fit(shapes, out=tmp_path / name, config=train, paste=Stamp(), draws=draws[name])
    first, second = (model_of(tmp_path / name) for name in draws)
    assert all(torch.equal(first[key], second[key]) for key in first)  # its weights were put aside, not learned from
    assert draws["alone"].changes == 0
    assert draws["judged"].changes == 1
    assert np.ptp(draws["judged"].now) > 0
    judged = read_contributions(tmp_path / "judged" / "contributions.jsonl")
    assert {row.source.split("-")[0] for row in judged} == {"good", "bad"}


def test_fit__killed_while_the_judge_looks_and_after_equals_uninterrupted(
    shapes: Dataset, tiny: TrainConfig, judge: Path, tmp_path: Path
) -> None:
    train = judging(tiny, BeliefConfig(judge=judge, looks=0.5), iterations=6, checkpoint_every=3)
    draws = [Weights(), Weights()]
    fit(shapes, out=tmp_path / "whole", config=train, paste=Stamp(), draws=draws[0])
    for left in (5, 3 * 4 + 14):  # while it looks; then in the fourth step
        with pytest.raises(PowerCut):
            fit(shapes, out=tmp_path / "killed", config=train, paste=Stamp(left=left), draws=Weights())
    assert load_checkpoint(tmp_path / "killed" / "checkpoint.pt").iteration == 3
    fit(shapes, out=tmp_path / "killed", config=train, paste=Stamp(), draws=draws[1])
    first, second = (model_of(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert np.array_equal(draws[0].now, draws[1].now)


def test_fit__goes_on_where_its_judge_was_moved_and_not_by_another(
    shapes: Dataset, tiny: TrainConfig, judge: Path, tmp_path: Path
) -> None:
    def go(path: Path, pastes: int) -> None:
        train = judging(tiny, BeliefConfig(judge=path), iterations=6, checkpoint_every=1)
        fit(shapes, out=tmp_path / "out", config=train, paste=Stamp(left=pastes), draws=Weights())

    first, other, moved = (Path(shutil.copy(judge, tmp_path / name)) for name in ("first.pt", "other.pt", "moved.pt"))
    with pytest.raises(PowerCut):
        go(first, 9)
    with pytest.raises(ConfigError, match="other settings \\(bsgal\\)"):
        go(other, 99)
    first.unlink()  # the whole run lies elsewhere by now
    go(moved, 99)
    assert load_checkpoint(tmp_path / "out" / "checkpoint.pt").iteration == 6


def test_fit__a_judge_that_cannot_be_meant_is_refused(
    shapes: Dataset, tiny: TrainConfig, judge: Path, tmp_path: Path
) -> None:
    for config, error, match in (
        (BeliefConfig(judge="baseline"), ConfigError, "give the path of a checkpoint"),
        (BeliefConfig(judge=tmp_path / "no.pt"), WeightsError, "no such checkpoint"),
    ):
        with pytest.raises(error, match=match):
            fit(shapes, out=tmp_path / "out", config=judging(tiny, config), paste=Stamp(), draws=Weights())
    wider = tiny.detector.model_copy(update={"classifier": "sigmoid"})
    with pytest.raises(WeightsError, match="weights of another detector"):
        train = judging(tiny, BeliefConfig(judge=judge), detector=wider)
        fit(shapes, out=tmp_path / "other", config=train, paste=Stamp(), draws=Weights())
