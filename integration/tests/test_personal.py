"""Personalised models in a run: trained on the training set's objects in a step of their own, then used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen import Run, load_config, run_pipeline
from divergen.check import check_run
from divergen.cli import main
from divergen.executors import _look
from divergen.personal import PersonalStatus, personal_status, trained_generators
from divergen.pipeline import Pipeline
from divergen.steps import _plan_personal
from divergen_records import ConfigError, Shard
from divergen_records.coco import Dataset

pytest.importorskip("diffusers")

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture
def run(tmp_path: Path, drawn: tuple[str, ...], tiny: Callable[[str], Path]) -> Run:
    """A personalised generator beside a plain one; a teapot has no real object."""
    plain = {"kind": "diffusers", "model": str(tiny("sd")), "size": 32, "steps": 2, "dtype": "float32", "device": "cpu"}
    own = {**plain, "name": "own", "personal": {"method": "perfusion", "steps": 2, "crops": "train"}}
    changes = (f"generators={json.dumps([{**plain, 'name': 'plain'}, own])}", "extra_categories=[teapot]")
    changes += ("counts={per_category: 2}", "prompts={kind: template, template: xpaste}")
    return Run(tmp_path / "run", load_config("quickstart", [*drawn, *changes]))


def test_run__trains_what_is_missing_from_the_training_sets_own_crops(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from divergen_gen.personalize import run as training

    seen: list[tuple[str, set[int]]] = []
    original = training._train_one

    def train_one(job: Any, category: Any, path: Path) -> Any:
        if len(seen) == 1:
            seen.append(("killed", set()))
            raise KeyboardInterrupt
        data: Dataset = job.dataset
        seen.append((category.name, {image.id for image in data.images}))
        return original(job, category, path)

    monkeypatch.setattr(training, "_train_one", train_one)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(run, until="gen")
    small = "category 'cup' has no object of at least 32 pixels to learn from"
    without = {"cup": small, "teapot": "an extra category has no real object"}
    assert personal_status(run) == (PersonalStatus("own", 2, 1, without),)
    run_pipeline(run, until="gen")
    names = [name for name, _ in seen if name != "killed"]
    assert sorted(names) == ["apple", "banana"]  # each once, the first not again
    splits = Pipeline(run).splits
    trained_on = set.union(*(ids for _, ids in seen))
    assert trained_on == {image.id for image in splits.train.images}
    assert personal_status(run)[0].trained == 2
    rows = run.table.select(["category", "generator", "error"]).to_pylist()
    assert {(row["category"], row["generator"]) for row in rows} == {
        (name, generator) for name in ("apple", "banana", "cup", "teapot") for generator in ("plain", "own")
    }
    assert {row["error"] for row in rows} == {None}
    assert "own: 2 categories have no object to learn from" in capsys.readouterr().err
    lost = [[name, f"own draws it as it is: {reason}"] for name, reason in without.items()]
    assert (run.note("personal") or {})["lost"] == lost
    shown = CliRunner().invoke(main, ["status", str(run.folder)]).output
    assert "Personal weights" in shown
    assert "own, teapot: an extra category" in shown
    with pytest.raises(ConfigError, match="never thrown away"):
        run_pipeline(run, redo="personal")


def test_run__ids_are_known_before_the_weights_and_survive_a_category_more(run: Run) -> None:
    before = [config.revision for config in run.config.generators]
    (own,) = trained_generators(run)
    assert own.personal.folder == run.personal / "own"
    assert own.revision == before[1] != before[0]


def test_check_run__says_what_is_trained_and_refuses_other_models(run: Run, tiny: Callable[[str], Path]) -> None:
    said = {entry.place: entry.finding for entry in check_run(run)}
    text = said["generators.1.personal"].text
    assert text.startswith("weights of 2 categories take 2 steps each; 1 category has no object to learn from")
    assert text.endswith("as it is: cup")
    other = load_config(str(_saved(run)), [f"generators.1.model={tiny('if') / 'stage1'}"])
    problems = [str(entry) for entry in check_run(Run(run.folder, other)) if entry.finding.problem]
    assert len(problems) == 1
    assert "generators.1: " in problems[0]
    assert "is a IFPipeline; weights of single categories are trained for Stable Diffusion" in problems[0]


def _saved(run: Run) -> Path:
    run.prepare()
    run.save_config()
    return run.config_path


def test_run__the_first_shard_trains_what_the_others_draw_with(run: Run) -> None:
    config = load_config(str(_saved(run)), ["extra_categories=null"])
    for index in (0, 1):
        run_pipeline(Run(run.folder, config), shard=Shard(index, 2), until="gen")
        assert personal_status(run)[0].trained == 2  # no shard draws before all are there
    assert run.table.count("generator = 'own' AND error IS NULL") == 3


def test_look__sees_the_files_of_weights_come(run: Run) -> None:
    run_pipeline(run, until="prompts")
    _plan_personal(Pipeline(run))
    with _look(run, "personal") as look:
        assert not look()
        folder = run.personal / "own"
        folder.mkdir(parents=True)
        (folder / "apple.safetensors").touch()
        assert look()
        assert not look()


@pytest.mark.slow
@pytest.mark.skipif("DIVERGEN_RAY" not in os.environ, reason="DIVERGEN_RAY=1 asks for it: it wants two free cores")
@pytest.mark.filterwarnings("ignore")
def test_run__workers_of_ray_share_the_categories(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """Each category is trained once, by whichever worker takes it, and all draw with the weights of all."""
    ray = pytest.importorskip("ray")
    config = load_config(str(_saved(run)), ["executor={kind: ray, workers: 2, parts: 1}", "extra_categories=null"])
    try:
        run_pipeline(Run(run.folder, config), until="gen")
    finally:
        ray.shutdown()
    assert personal_status(run)[0].trained == 2
    assert run.table.count("generator = 'own' AND error IS NULL") == 3
    assert "is gone" not in capfd.readouterr().err
