from __future__ import annotations

import errno
import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen import Run, load_config, run_pipeline
from divergen.cli import main
from divergen.feedback import write_feedback
from divergen.growth import grow, plan_evenly, plan_growth
from divergen_records import ConfigError
from divergen_records.files import write_text
from divergen_train.bsgal.ledger import Contribution

NAMES = ("apple", "banana", "cup")


def trained(run: Run, before: tuple[float, ...], now: tuple[float, ...]) -> None:
    """As if both trainings had been done, on 200 objects of each category."""
    for name, values in (("real", before), ("generated", now)):
        rows = [
            {"id": i, "name": category, "frequency": "r", "instances": 200, "mask": value}
            for i, (category, value) in enumerate(zip(NAMES, values, strict=True))
        ]
        write_text(run.training(name) / "metrics.json", json.dumps({"categories": rows}))


@pytest.fixture
def run(finished: Run, small: tuple[str, ...], tmp_path: Path) -> Run:
    shutil.copytree(finished.folder, tmp_path / "run")
    two = "generators=[{kind: procedural, size: 128}, {kind: procedural, name: other}]"
    return Run(tmp_path / "run", load_config("quickstart", [*small, two]))


def judged(run: Run, weight: float) -> None:
    rows = run.table.select(["id", "category_id", "category"]).to_pylist()
    found = [
        Contribution(row["id"], row["category_id"], row["category"], "r", 3, 0.5, belief=0.0, weight=weight)
        for row in rows
    ]
    write_feedback(run.table, found)


def test_plan_growth__what_gains_and_what_helps_gets_more(run: Run) -> None:
    trained(run, (0.2, 0.2, 0.5), (0.6, 0.2, 0.1))
    judged(run, 0.25)
    plan = plan_growth(run, 100)
    pictures = {one.category: one.pictures for one in plan.categories}
    assert sum(pictures.values()) == sum(one.pictures for one in plan.generators) == 100
    assert pictures["apple"] > pictures.get("banana", 0) >= pictures.get("cup", 0)
    made = {one.generator: one.pictures for one in plan.generators}
    assert made["procedural"] < 0.3 * made["other"], "what was never judged counts as average"
    assert sum(sum(own.values()) for own in plan.extra.values()) == 100


def test_plan_evenly__divides_alike(run: Run) -> None:
    trained(run, (0.2, 0.2, 0.5), (0.6, 0.2, 0.1))
    plan = plan_evenly(run, 60)  # asks for no judgement
    assert [one.pictures for one in plan.categories] == [20] * 3
    assert [one.pictures for one in plan.generators] == [30] * 2


def test_plan_growth__without_a_training_or_a_judgement(run: Run) -> None:
    with pytest.raises(ConfigError, match="has not trained both"):
        plan_growth(run, 10)
    trained(run, (0.2, 0.2, 0.5), (0.6, 0.2, 0.1))
    with pytest.raises(ConfigError, match="this one judged none; run it again with --redo train"):
        plan_growth(run, 10)


def test_command__a_run_without_training_is_one_sentence(run: Run) -> None:
    run.save_config()
    result = CliRunner().invoke(main, ["grow", str(run.folder), "--budget", "30"])
    assert result.exit_code == 2
    assert "has not trained both" in result.output
    assert not run.folder.with_name("run-grown").exists()


def test_benchmark__compares_what_grew_with_what_was_divided_alike(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("grow_benchmark", root / "integration" / "benchmarks" / "grow.py")
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    asked, done = [], []

    def grown(run: Run, out: Path, budget: int, rounds: int = 1, evenly: bool = False) -> list[Run]:
        asked.append((run.folder.parent.name, out.name, budget, rounds, evenly))
        return [run, Run(out, run.config)]

    ap = {"begun": 0.1, "even": 0.2, "grown": 0.25}
    monkeypatch.setattr(benchmark, "run_pipeline", lambda run, until: done.append((run.config.seed, until)))
    monkeypatch.setattr(benchmark, "grow", grown)
    monkeypatch.setattr(benchmark, "metrics_of", lambda run, name: {"mask": {"AP": ap[run.folder.name], "APr": None}})
    call = ["--seeds", "2", "--budget", "8", "--rounds", "2", "--out", str(tmp_path)]
    result = CliRunner().invoke(benchmark.main, call, catch_exceptions=False)
    assert done == [(0, "train"), (1, "train")]
    assert asked == [
        (f"seed-{seed}", *arm) for seed in (0, 1) for arm in (("grown", 8, 2, False), ("even", 8, 1, True))
    ]
    assert "mask AP: before 10.0, even 20.0, grown 25.0; grown over even +5.0" in result.output.splitlines()[-2]
    assert json.loads((tmp_path / "grow.json").read_text())[1] == {
        "before": {"AP": 10.0}, "grown": {"AP": 25.0}, "even": {"AP": 20.0}
    }  # fmt: skip


def test_command__dry_run_says_what_and_why(run: Run) -> None:
    run.save_config()
    trained(run, (0.2, 0.2, 0.5), (0.6, 0.2, 0.1))
    judged(run, 1.5)
    result = CliRunner().invoke(main, ["grow", str(run.folder), "--budget", "30", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "apple (r)" in result.output
    assert "1.50 x" in result.output
    assert not run.folder.with_name("run-grown").exists()


def test_grow__a_round_is_begun_whole_or_not_at_all(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    shutil.copytree(finished.folder, tmp_path / "run")
    run = Run(tmp_path / "run")
    trained(run, (0.1, 0.1, 0.1), (0.2, 0.1, 0.1))
    judged(run, 1.0)
    monkeypatch.setattr("divergen.growth.write_text", full)
    with pytest.raises(OSError, match="No space"):
        grow(run, tmp_path / "grown", 5)
    assert list((tmp_path / "grown").iterdir()) == []


def test_grow__a_round_of_another_plan_is_not_taken_for_this_one(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    run = Run(tmp_path / "run")
    trained(run, (0.2, 0.2, 0.5), (0.6, 0.2, 0.1))
    judged(run, 1.0)
    monkeypatch.setattr("divergen.growth.run_pipeline", lambda run: None)
    (_, first) = grow(run, tmp_path / "grown", 30)
    assert [one.folder for one in grow(run, tmp_path / "grown", 30)] == [run.folder, first.folder]
    for budget, rounds, evenly in ((40, 1, False), (30, 2, False), (30, 1, True)):
        with pytest.raises(ConfigError, match="round-1 was planned otherwise: by another budget"):
            grow(run, tmp_path / "grown", budget, rounds, evenly=evenly)
    assert sorted(path.name for path in (tmp_path / "grown").iterdir()) == ["round-1"]


@pytest.mark.slow
def test_grow__rounds_add_to_what_there_is(small: tuple[str, ...], tmp_path: Path) -> None:
    training = (
        "train={preset: quickstart, iterations: 4, warmup: 1, batch_size: 2, image_size: 64, "
        "bsgal: {kind: belief, start: 0, every: 1}}"
    )
    two = "generators=[{kind: procedural, size: 128}, {kind: procedural, name: other, style: cgi, size: 128}]"
    source = Run(tmp_path / "run", load_config("quickstart", [*small[:-1], two, training, "rules={rules: []}"]))
    run_pipeline(source)
    ids = set(source.table.ids())
    found = grow(source, tmp_path / "grown", 5, rounds=2)
    assert [len(set(one.table.ids())) - len(ids) for one in found] == [0, 2, 5]
    assert ids < set(found[1].table.ids()) < set(found[2].table.ids())
    for one in found:
        assert (one.training("generated") / "metrics.json").exists()
    assert set(source.table.ids()) == ids, "the run itself stays as it was"
    assert json.loads((found[1].folder / "grow.json").read_text(encoding="utf-8"))
