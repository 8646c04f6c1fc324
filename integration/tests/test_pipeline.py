from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
from divergen.budget import describe_plan
from divergen.loading import load_config
from divergen.run import Run
from divergen.runner import finish_run, run_pipeline
from divergen.status import run_status
from divergen_filter.config import VlmConfig
from divergen_filter.vlm import VlmStage
from divergen_records import ConfigError, InstanceTable, RunLocked, Shard
from divergen_records.coco import read_dataset


def rows(run: Run) -> list[dict[str, object]]:
    return sorted(InstanceTable.open(run.folder / "instances.lance").select().to_pylist(), key=lambda row: row["id"])


def test_run_pipeline__fills_every_stage(finished: Run) -> None:
    status = run_status(finished)
    assert [(stage.stage, stage.pending, stage.failed) for stage in status.stages] == [
        (name, 0, 0) for name in ("gen", "annotate", "embed", "score", "decide")
    ]
    assert status.frequencies[-1].planned == status.frequencies[-1].generated == 12


def test_run_pipeline__leaves_pictures_to_look_at(finished: Run) -> None:
    assert {path.name for path in finished.previews.iterdir()} == {"real.jpg", "generated.jpg", "pasted.jpg"}
    assert finished.report.exists()


def test_run_pipeline__again_changes_nothing(finished: Run) -> None:
    before = rows(finished)
    run_pipeline(Run(finished.folder, finished.config))
    assert rows(finished) == before


def test_run_pipeline__another_generator_costs_only_its_rows(tmp_path: Path, small: tuple[str, ...]) -> None:
    one = [*small, "generators=[{kind: procedural, name: a, size: 96}]", "counts={per_category: 2}"]
    both = "generators=[{kind: procedural, name: a, size: 96}, {kind: procedural, name: b, style: cgi, size: 96}]"
    run = Run(tmp_path / "run", load_config("quickstart", one))
    run_pipeline(run, until="gen")
    before = rows(run)
    more = Run(tmp_path / "run", load_config("quickstart", [*one, both, "counts={per_category: 4}"]))
    run_pipeline(more, until="gen")
    after = rows(more)
    assert [row for row in after if row["generator"] == "a"] == before
    assert len(after) == 2 * len(before)


def test_run_pipeline__changed_rules_are_decided_again(tmp_path: Path, finished: Run, small: tuple[str, ...]) -> None:
    kept = run_status(finished).frequencies[-1].kept
    strict = "rules={rules: [{score: area_fraction, op: '>=', threshold: 0.99}]}"
    run_pipeline(Run(finished.folder, load_config("quickstart", [*small, strict])), until="decide")
    assert run_status(finished).frequencies[-1].kept == 0
    run_pipeline(Run(finished.folder, finished.config))
    assert run_status(finished).frequencies[-1].kept == kept


def test_run_pipeline__rules_of_further_scores(tmp_path: Path, finished: Run, small: tuple[str, ...]) -> None:
    rules = (
        "rules={rules: [{score: sharpness, op: '>=', threshold: 0}, {score: rival_margin, op: '>=', threshold: -1}, "
        "{score: duplicate_similarity, op: '<=', threshold: 1}, {score: solidity, op: '>=', threshold: {best: 1}}]}"
    )
    shutil.copytree(finished.folder, tmp_path / "run")
    run = Run(tmp_path / "run", load_config("quickstart", [*small, rules]))
    run_pipeline(run, until="decide")
    assert sorted(row["category"] for row in rows(run) if row["kept"]) == ["apple", "banana", "cup"]


@pytest.mark.parametrize(
    "more",
    [
        "generators.1={kind: diffusers, model: /nowhere}",
        "scores=[{kind: vlm, model: m, base_url: 'http://127.0.0.1:9'}]",
    ],
)
def test_run_pipeline__what_is_added_to_a_finished_run_is_looked_at_first(
    more: str, tmp_path: Path, finished: Run, small: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    run = Run(tmp_path / "run", load_config("quickstart", [*small, more]))
    with pytest.raises(ConfigError, match=r"generators\.1: /nowhere|scores\.0: "):
        run_pipeline(run)
    assert "[1/13]" not in capsys.readouterr().err


def test_run_pipeline__a_judge_without_answers_shows_in_the_status(
    tmp_path: Path, finished: Run, small: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(self: VlmStage, batch: dict[str, list[Any]]) -> dict[str, list[float]]:
        silent = batch["id"][:2]
        self.unanswered.update(dict.fromkeys(silent, "I cannot say"))
        return {name: [math.nan if one in silent else 1.0 for one in batch["id"]] for name in self.writes}

    monkeypatch.setattr(VlmStage, "__call__", judge)
    monkeypatch.setattr(VlmConfig, "requirements", lambda _: [])
    shutil.copytree(finished.folder, tmp_path / "run")
    rule = "rules={rules: [{score: vlm_whole, op: '>=', threshold: 1}]}"
    run = Run(tmp_path / "run", load_config("quickstart", [*small, "scores=[{kind: vlm, model: m}]", rule]))
    run_pipeline(run, until="decide")
    without = {str(row["id"]) for row in rows(run) if not row["kept"]}
    assert len(without) == 2
    with pytest.raises(click.exceptions.Exit) as ended:
        finish_run(run)
    assert ended.value.exit_code == 3
    noted: Any = run.note("decide")
    assert dict(noted["lost"]) == dict.fromkeys(without, "vlm: I cannot say")


def test_run_pipeline__changed_annotator_is_refused(finished: Run, small: tuple[str, ...]) -> None:
    changed = load_config("quickstart", [*small, "annotator={kind: true-alpha}"])
    with pytest.raises(ConfigError, match="annotator changed since `annotate` was done"):
        run_pipeline(Run(finished.folder, changed))


def test_run_pipeline__a_key_of_a_later_release_changes_nothing_at_its_default(
    tmp_path: Path, finished: Run, small: tuple[str, ...]
) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    run = Run(tmp_path / "run", finished.config)
    note: Any = run.note("annotate")
    del note["settings"]["repair"]["likeness"]  # as a release without it noted its settings
    run.write_note("annotate", note)
    run_pipeline(run)
    changed = Run(run.folder, load_config("quickstart", [*small, "repair.likeness=3"]))
    with pytest.raises(ConfigError, match="repair changed since `annotate` was done"):
        run_pipeline(changed)


def test_note_scores__a_key_of_a_later_release_changes_nothing_at_its_default(
    tmp_path: Path, small: tuple[str, ...]
) -> None:
    def noted(**settings: Any) -> None:
        run.note_scores([VlmConfig(model="m", answers=tmp_path / "answers.jsonl", **settings)])

    run = Run(tmp_path, load_config("quickstart", small))
    noted()
    file = tmp_path / "scores.json"
    notes = json.loads(file.read_text())
    del notes["vlm"]["settings"]["side"]  # as a release without it noted its settings
    file.write_text(json.dumps(notes))
    noted()
    with pytest.raises(ConfigError, match="settings of the score 'vlm' changed"):
        noted(side=64)


def test_run_pipeline__redo_gen_is_refused(finished: Run) -> None:
    with pytest.raises(ConfigError, match="pictures are never thrown away"):
        run_pipeline(Run(finished.folder, finished.config), redo="gen")


def test_run_pipeline__unknown_step(finished: Run) -> None:
    with pytest.raises(ConfigError, match="'annotat' is not a step; the steps are data, extra, prompts, personal, gen"):
        run_pipeline(Run(finished.folder, finished.config), until="annotat")


def test_run_pipeline__foreign_folder_is_left_alone(tmp_path: Path, small: tuple[str, ...]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and not the folder of a run"):
        run_pipeline(Run(tmp_path, load_config("quickstart", small)))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_run_pipeline__two_at_once_are_refused(finished: Run) -> None:
    with finished.lock(Shard()), pytest.raises(RunLocked, match="another process works on"):
        run_pipeline(Run(finished.folder, finished.config))


def test_run_pipeline__shards_give_the_same_table(tmp_path: Path, finished: Run) -> None:
    run = Run(tmp_path / "shards", finished.config)
    for index in range(2):
        run_pipeline(Run(run.folder, run.config), shard=Shard(index, 2))
    run_pipeline(Run(run.folder, run.config))
    assert rows(run) == rows(finished)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Tip. In future versions of Ray:FutureWarning")
def test_run_pipeline__ray_gives_the_same_table(tmp_path: Path, finished: Run, small: tuple[str, ...]) -> None:
    ray = pytest.importorskip("ray")
    run = Run(tmp_path / "ray", load_config("quickstart", [*small, "executor={kind: ray, workers: 2, parts: 2}"]))
    try:
        run_pipeline(run, until="decide")
    finally:
        ray.shutdown()
    assert rows(run) == rows(finished)
    with pytest.raises(ConfigError, match="leave --shard out"):
        run_pipeline(run, shard=Shard(0, 2))


def test_run_pipeline__category_that_the_dataset_lacks(tmp_path: Path, small: tuple[str, ...]) -> None:
    run = Run(tmp_path / "run", load_config("quickstart", [*small, "categories=[aple]"]))
    with pytest.raises(ConfigError, match="has no category 'aple'; did you mean 'apple'"):
        run_pipeline(run)


def test_run_pipeline__extra_categories(tmp_path: Path, small: tuple[str, ...]) -> None:
    from divergen.export import export_run
    from divergen.pipeline import Pipeline

    extra = tmp_path / "extra.json"
    extra.write_text(json.dumps([{"id": 1, "name": "umbrella"}, {"id": 2, "name": "teapot"}]))
    run = Run(tmp_path / "run", load_config("quickstart", [*small, f"extra_categories={extra}", "bake={copies: 1}"]))
    run_pipeline(run)
    assert {row["category"] for row in rows(run)} == {"apple", "cup", "banana", "umbrella", "teapot"}
    assert len({row["category_id"] for row in rows(run)}) == 5
    baked = read_dataset(run.baked / "annotations.json", image_dir=run.baked / "images")
    assert {"umbrella", "teapot"} < {category.name for category in baked.categories}
    assert Pipeline(run).splits.val.categories == baked.categories[:3]
    exported = export_run(run, tmp_path / "out", kind="coco", where="category = 'teapot'")
    assert exported.written == run.table.count("category = 'teapot' AND mask IS NOT NULL")


@pytest.mark.slow
def test_run_pipeline__extra_categories_are_cut_off_before_the_evaluation(
    tmp_path: Path, small: tuple[str, ...]
) -> None:
    from divergen_train.training.checkpoint import load_checkpoint

    tiny = "train={preset: quickstart, iterations: 2, warmup: 1, batch_size: 2, image_size: 64}"
    settings = [*small[:-1], tiny, "extra_categories=[umbrella, teapot]", "baseline=false"]
    run = Run(tmp_path / "run", load_config("quickstart", settings))
    run_pipeline(run)
    folder = run.training("generated")
    trained, kept = (load_checkpoint(folder / name).categories for name in ("checkpoint.pt", "evaluated.pt"))
    assert [category.name for category in trained[-2:]] == ["umbrella", "teapot"]
    assert kept == trained[:3]
    results = json.loads((folder / "results.json").read_text())
    assert {result["category_id"] for result in results} <= {category.id for category in kept}
    assert not run.training("real").exists()


def test_run_pipeline__extra_category_that_the_dataset_has(tmp_path: Path, small: tuple[str, ...]) -> None:
    (tmp_path / "extra.txt").write_text("Apple")
    run = Run(tmp_path / "run", load_config("quickstart", [*small, f"extra_categories={tmp_path / 'extra.txt'}"]))
    with pytest.raises(ConfigError, match=r"train\.json has 'Apple' already"):
        run_pipeline(run)


def test_describe_plan__writes_nothing(tmp_path: Path, small: tuple[str, ...]) -> None:
    text = describe_plan(Run(tmp_path / "run", load_config("quickstart", small)))
    assert "12 pictures of 3 categories" in text
    assert not (tmp_path / "run").exists()


def test_run_pipeline__unknown_to_the_renderer_is_a_row_error(tmp_path: Path, coco100: Path) -> None:
    content = json.loads((coco100 / "annotations.json").read_text())
    person = next(category for category in content["categories"] if category["name"] == "person")
    person |= {"name": "flux_capacitor", "synonyms": ["flux_capacitor"]}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(coco100 / "images")
    (tmp_path / "data" / "annotations.json").write_text(json.dumps(content))
    overrides = [f"data={tmp_path / 'data'}", "categories=[apple, flux_capacitor]", "counts={per_category: 2}"]
    run = Run(tmp_path / "run", load_config("coco100", overrides))
    run_pipeline(run, until="annotate")
    status = run_status(run)
    ((stage, reason),) = status.errors
    assert stage == "gen"
    assert "flux_capacitor" in reason
    assert status.errors[stage, reason] == 2


@pytest.mark.slow
def test_run_pipeline__killed_at_random_moments_ends_the_same(tmp_path: Path, finished: Run) -> None:
    """`benchmarks/campaign.py` does this to every command that writes."""
    whole, chance = rows(finished), random.Random(0)
    folder = tmp_path / "killed"
    config = tmp_path / "run.yaml"
    config.write_text(finished.config_path.read_text())
    command = [sys.executable, "-m", "divergen", "run", str(config), "--out", str(folder)]
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(1.5, 7.0))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert rows(Run(folder)) == whole


def test_export__reads_back(tmp_path: Path, finished: Run) -> None:
    from divergen.export import export_run

    report = export_run(finished, tmp_path / "out", kind="lvis", where="mask IS NOT NULL")
    dataset = read_dataset(tmp_path / "out" / "annotations.json")
    assert len(dataset.annotations) == report.written == 12
    assert {category.name for category in dataset.categories} >= {"apple", "cup", "banana"}


def test_report__is_one_file_without_links(finished: Run) -> None:
    page = finished.report.read_text()
    assert "Accepted" in page
    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert page.count("data:image/jpeg;base64,") >= 4


def test_status__json_and_tables_agree(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from divergen.status import print_status
    from rich.console import Console

    status = run_status(finished)
    print_status(status, Console(width=100))
    assert "annotate" in capsys.readouterr().out
    assert status.values()["frequencies"][-1]["planned"] == 12
