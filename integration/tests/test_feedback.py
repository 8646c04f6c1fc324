from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest
from divergen.feedback import group_feedback, write_feedback
from divergen.loading import load_config
from divergen.run import Run
from divergen.runner import run_pipeline
from divergen.trainers.own import DivergenTrainer
from divergen.trainers.protocol import TrainTask
from divergen_records import ConfigError, InstanceTable
from divergen_records.coco import Dataset
from divergen_records.testing import plan_instances
from divergen_train import TrainConfig
from divergen_train.bsgal.config import BeliefConfig
from divergen_train.bsgal.ledger import Contribution

if TYPE_CHECKING:
    from divergen_train.bsgal import Draws


def judged(source: str, n: int, accepted: int, mean: float | None) -> Contribution:
    return Contribution(source, 1, "apple", "r", n, mean, accepted)


@pytest.fixture
def table(tmp_path: Path) -> InstanceTable:
    table = InstanceTable.create(tmp_path / "table.lance")
    table.append(plan_instances(6))
    return table


def test_write_feedback__columns(table: InstanceTable) -> None:
    first, second, *others = sorted(table.ids())
    assert write_feedback(table, [judged(first, 4, 3, 0.5), judged(second, 2, 0, None)]) == 2
    rows = table.take([first, second, others[0]], ["judged", "acceptance", "contribution"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [(4, 0.75, 0.5), (2, 0.0, None), (0, None, None)]


def test_write_feedback__another_training_takes_the_place_of_the_first(table: InstanceTable) -> None:
    first, second, *_ = sorted(table.ids())
    write_feedback(table, [judged(first, 4, 3, 0.5)])
    assert write_feedback(table, [judged(second, 1, 1, 0.1)]) == 1
    assert table.take([first], ["judged"])["judged"].to_pylist() == [0]


def test_group_feedback__weighs_by_judgements(table: InstanceTable) -> None:
    first, second, *_ = sorted(table.ids())
    assert group_feedback(table) == []
    write_feedback(table, [judged(first, 3, 3, 1.0), judged(second, 1, 0, -1.0)])
    (group,) = group_feedback(table, ["generator"])
    assert (group.instances, group.acceptance, group.contribution) == (2, 0.75, 0.0)


def test_group_feedback__of_a_training_that_rejects_nothing(table: InstanceTable) -> None:
    first, second, *_ = sorted(table.ids())
    rows = [
        Contribution(name, 1, "apple", "r", 2, 0.5, belief=b, weight=w)
        for name, b, w in ((first, 1, 1.8), (second, -1, 0.2))
    ]
    write_feedback(table, rows)
    (group,) = group_feedback(table, ["generator"])
    assert (group.instances, group.acceptance, group.drawn) == (2, None, pytest.approx(1.0))
    assert table.take([second], ["belief", "draw_weight"]).to_pylist() == [
        {"belief": -1, "draw_weight": pytest.approx(0.2)}
    ]


@pytest.mark.slow
def test_run_pipeline__bsgal_writes_back_what_it_chose(tmp_path: Path, small: tuple[str, ...]) -> None:
    tiny = (
        "train={preset: quickstart, iterations: 5, warmup: 1, batch_size: 4, image_size: 64, bsgal: {kind: published}}"
    )
    run = Run(tmp_path / "run", load_config("quickstart", [*small[:-1], tiny, "baseline=false", "rules={rules: []}"]))
    run_pipeline(run)
    lines = (run.training("generated") / "contributions.jsonl").read_text().splitlines()
    counts = {row["source"]: row["n"] for row in map(json.loads, lines)}
    assert counts
    rows = run.table.select(["id", "judged"]).to_pylist()
    assert {row["id"]: row["judged"] for row in rows if row["judged"]} == {k: n for k, n in counts.items() if n}
    assert "What the training chose" in run.report.read_text()


def test_load_config__bsgal_needs_pasting_while_training() -> None:
    with pytest.raises(ConfigError, match=r"bake and train.bsgal exclude each other"):
        load_config("quickstart", ["train={preset: quickstart, bsgal: {kind: belief}}", "bake={copies: 1}"])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (["baseline=false"], "train.bsgal.judge needs the baseline"),
        (["from_baseline=true"], "exclude each other: .*start=0"),
    ],
)
def test_load_config__the_baseline_judges_where_there_is_one(changes: list[str], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        load_config("quickstart", ["train.bsgal={kind: belief, judge: baseline}", *changes])


def test_trainer__the_judge_is_the_runs_own_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(dataset: Dataset, *, config: TrainConfig, **_: Any) -> NoReturn:
        raise InterruptedError(config.model_dump_json(include={"bsgal"}))

    monkeypatch.setattr("divergen_train.fit", fit)
    config = TrainConfig(bsgal=BeliefConfig(judge="baseline"))
    nothing = Dataset(tmp_path / "none.json", tmp_path, [], [], ())
    draws = cast("Draws", object())
    task = TrainTask("train", nothing, nothing, tmp_path, seed=0, draws=draws, baseline=tmp_path / "real")
    with pytest.raises(InterruptedError) as given:
        DivergenTrainer(config).train(task)
    assert json.loads(str(given.value))["bsgal"]["judge"] == str(tmp_path / "real" / "checkpoint.pt")


def test_group_feedback__a_table_of_before_the_later_columns(tmp_path):
    from divergen.columns import FeedbackColumns
    from divergen_records import InstanceTable
    from divergen_records.testing import FakeSource, plan_instances

    table = InstanceTable.create(tmp_path / "old.lance")
    table.ensure_columns(FeedbackColumns, ["judged", "acceptance", "contribution"])
    made = FakeSource()(list(plan_instances(3)))
    table.append([row.model_copy(update={"judged": 2, "acceptance": 0.5, "contribution": 0.1}) for row in made])
    assert [(group.acceptance, group.drawn) for group in group_feedback(table, ["generator"])] == [(0.5, None)]
