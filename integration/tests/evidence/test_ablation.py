from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.config import RunConfig
from divergen.evidence.ablation import (
    Ablation,
    configs,
    findings,
    load_ablation,
    run_ablation,
    run_until_told_apart,
    shipped_ablations,
)
from divergen.evidence.comparison import NOT_TOLD_APART
from divergen.evidence.outcomes import CONTROL, REAL, outcome_of, print_outcomes
from divergen.trainers.config import DivergenTrainConfig
from divergen.trainers.protocol import Trained, TrainTask
from divergen_records import ConfigError
from divergen_records.files import write_text
from rich.console import Console


@pytest.mark.parametrize("name", shipped_ablations())
def test_load_ablation__shipped_ones_are_valid(name: str) -> None:
    ablation = load_ablation(name)
    found = configs(ablation, ("data={kind: minilvis}",) if name == "photos" else (), range(2))
    assert len(found) == 2 * len(ablation.arms)
    settings = {config.model_copy(update={"name": "", "baseline": True}).model_dump_json() for config in found.values()}
    assert len(settings) == len(found), "two arms are the same"
    uses = [config.from_baseline or judge_of(config) == "baseline" for config in found.values()]
    alone = [config for config, use in zip(found.values(), uses, strict=True) if not use]
    assert sum(config.baseline for config in alone) == (2 if alone else 0)  # one arm's baseline is that of all
    assert all(config.baseline for config, use in zip(found.values(), uses, strict=True) if use)


def judge_of(config: RunConfig) -> object:
    return getattr(getattr(config.train, "bsgal", None), "judge", None)


def test_load_ablation__unknown() -> None:
    with pytest.raises(ConfigError, match="'modles' is neither a YAML file nor one of annotators, "):
        load_ablation("modles")


def test_load_ablation__names_every_wrong_key(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("qeustion: q\narm: {}")
    with pytest.raises(ConfigError, match=r"a\.yaml: question: is missing") as caught:
        load_ablation(str(tmp_path / "a.yaml"))
    assert "qeustion: there is no such key" in str(caught.value) and "arm: there is no" in str(caught.value)


@pytest.mark.parametrize("name", ["copy-paste", "prompts", "models", "annotators", "categories", "filter", "scale"])
def test_asked__the_same_questions_of_the_box_in_which_the_premises_hold(name: str) -> None:
    ablation = load_ablation(name).asked(base="proof")
    assert all(config.data.box == "proof" for config in configs(ablation, (), [0]).values())  # type: ignore[union-attr]


def test_asked__some_arms_alone() -> None:
    ablation = load_ablation("filter").asked(arms=["and rival share", "everything"])
    assert list(ablation.arms) == ["everything", "and rival share"], (
        "in the order of the file: the first has the baseline"
    )
    run = CliRunner().invoke(main, ["ablate", "filter", "--arm", "rival share", "--dry-run"])
    assert run.exit_code == 2
    assert "filter has no arm 'rival share'; there are 'everything', 'area and components'" in run.output


def test_scale__each_part_of_the_pictures_holds_the_smaller_ones() -> None:
    parts = [arm["where"].removeprefix("id < ").strip("'") for arm in load_ablation("scale").arms.values() if arm]
    shares = [int(part, 16) / 16**4 for part in parts]
    assert shares == pytest.approx([0.01, 0.1, 0.4, 0.7], abs=1e-4)


def test_configs__wrong_arm_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("question: q\narms: {good: {}, bad: {rule: 1}}")
    with pytest.raises(ConfigError, match="rule: there is no such key"):
        configs(load_ablation(str(tmp_path / "a.yaml")), (), [0])


def test_print_outcomes__says_what_is_not_told_apart() -> None:
    def metrics(*values: float) -> dict[int, dict[str, Any] | None]:
        groups = ("AP", "APr", "APc", "APf")
        return {seed: {"mask": dict.fromkeys(groups, v), "box": {"AP": v}} for seed, v in enumerate(values)}

    real, control, arm = metrics(0.1, 0.2, 0.3), metrics(0.12, 0.23, 0.31), metrics(0.15, 0.21, 0.38)
    found = [outcome_of(name, what, real, control) for name, what in ((REAL, real), (CONTROL, control), ("a", arm))]
    console = Console(width=200, record=True, file=io.StringIO())
    print_outcomes(found, console)
    text = console.export_text()
    assert "+2.0 ± 2.5 ?" in text  # copy-paste over real: 2, 3 and 1 points
    assert "+2.7 ± 11.2 ?" in text  # generated over copy-paste: 3, -2 and 7 points
    assert "not told apart" in text


class Lucky:
    """A trainer that finds more with more pasted instances, and some by luck."""

    pastes = True

    def __init__(self) -> None:
        self.done: list[str] = []

    def train(self, task: TrainTask) -> Trained:
        self.done.append(f"{task.out.parents[2].name}/{task.name}")
        most = getattr(getattr(task.paste, "pasters", [None])[0], "max_instances", 0)
        rng = np.random.default_rng([task.seed, most])
        rows = [
            {"image_id": one.image_id, "category_id": one.category_id, "bbox": list(one.bbox), "score": 0.5,
             "segmentation": one.segmentation}
            for one in task.val.annotations if rng.random() < 0.4 + 0.06 * most
        ]  # fmt: skip
        write_text(task.results, json.dumps(rows), overwrite=True)
        return Trained()


@pytest.fixture
def lucky(monkeypatch: pytest.MonkeyPatch) -> Lucky:
    trainer = Lucky()
    monkeypatch.setattr(DivergenTrainConfig, "build", lambda _: trainer)
    return trainer


@pytest.fixture
def pasting(tmp_path: Path) -> Ablation:
    """Arms that generate nothing, so that they are quick."""
    (tmp_path / "pasting.yaml").write_text(
        "question: How many?\nsettings: {pastes: real}\narms: {none: {paste.max_instances: 1}, "
        "many: {paste.max_instances: 9}, "
        "more: {paste.max_instances: 9, paste.flip: 0.4}}"
    )
    return load_ablation(str(tmp_path / "pasting.yaml"))


def test_run_until_told_apart__two_seeds_first_then_as_many_as_it_takes(
    tmp_path: Path, drawn: tuple[str, ...], lucky: Lucky, pasting: Ablation
) -> None:
    settings = [*drawn[:-1], "train=quickstart"]
    out = tmp_path / "ablations" / "pasting"
    found = run_until_told_apart(pasting, out, resolution=0.002, most=3, overrides=settings)
    assert found.plan is not None
    assert found.plan.seeds == 3 < found.plan.needed, "stopped by `most`"
    assert [len(outcome.values["mask AP"]) for outcome in found.outcomes] == [3, 0, 3, 3, 3]
    assert lucky.done.count("none/train real") == 3
    pairs = {(pair.second, pair.first): pair for pair in found.comparisons if pair.metric == "mask AP"}
    assert pairs["more", "many"].difference == 0
    assert pairs["more", "many"].verdict == NOT_TOLD_APART
    assert pairs["many", "none"].images is not None
    assert pairs["many", "none"].difference > 0.1

    trained = len(lucky.done)
    assert run_ablation(pasting, out, seeds=range(3), overrides=settings).comparisons == found.comparisons
    beside = pasting.model_copy(update={"arms": {"other": {"paste.max_instances": 9}}})
    again = run_ablation(beside, tmp_path / "ablations" / "beside", seeds=[0], overrides=settings)
    assert len(lucky.done) == trained, "equal trainings are taken over from the ablation beside it"
    assert again.outcomes[2].values["mask AP"][0] == found.outcomes[3].values["mask AP"][0]
    saved = json.loads((out / "ablation.json").read_text())
    assert (saved["name"], saved["plan"]["needed"]) == ("pasting", found.plan.needed)
    assert saved["cost"]["cpu"] > 0


def test_ablate__the_command_says_what_is_not_told_apart_and_what_more_seeds_cost(
    tmp_path: Path, drawn: tuple[str, ...], lucky: Lucky, pasting: Ablation
) -> None:
    call = ["ablate", str(tmp_path / "pasting.yaml"), "--out", str(tmp_path / "out"), "--resolution", "0.2"]
    run = CliRunner().invoke(main, [*call, "--seeds", "2", *drawn[:-1], "train=quickstart"])
    assert run.exit_code == 0, run.output
    assert "not told apart by mask AP: " in run.output
    assert "more / many" in run.output
    assert re.search(r"2 paired seeds tell \d+\.\d points of mask AP apart", run.output)
    assert re.search(r"0\.2 points take \d+ seeds: \d+\.\d CPU hours more", run.output)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds", "many"], "'many' is neither a number from 1 on nor auto"),
        (["--seeds", "0"], "'0' is neither a number from 1 on nor auto"),
        (["--seeds", "auto", "--shard", "0/2"], "so it takes no --shard"),
    ],
)
def test_ablate__seeds_that_cannot_be(options: list[str], said: str) -> None:
    run = CliRunner().invoke(main, ["ablate", "models", *options])
    assert run.exit_code == 2
    assert said in re.sub(r"[\s│]+", " ", run.output)


@pytest.mark.slow
def test_run_ablation__arms_beside_the_real_images(tmp_path: Path, small: tuple[str, ...]) -> None:
    (tmp_path / "a.yaml").write_text(
        "question: Does a filter pay?\narms: {all of it: {rules: {rules: []}}, more at once: {paste.max_instances: 9}}"
    )
    ablation, out = load_ablation(str(tmp_path / "a.yaml")), tmp_path / "out"
    tiny = "train={preset: quickstart, iterations: 2, warmup: 1, batch_size: 2, image_size: 64}"
    done = run_ablation(ablation, out, seeds=[0], overrides=[*small[:-1], tiny]).outcomes
    assert [outcome.arm for outcome in done] == [REAL, CONTROL, "all of it", "more at once"]
    assert all(0 <= outcome.values["mask AP"][0] <= 1 for outcome in done)
    assert done[2].beyond["box AP"][0] == pytest.approx(done[2].values["box AP"][0] - done[1].values["box AP"][0])
    assert done[1].gains["box AP"][0] == pytest.approx(done[1].values["box AP"][0] - done[0].values["box AP"][0])
    assert (out / "ablation.png").exists()
    assert json.loads((out / "ablation.json").read_text())["question"] == "Does a filter pay?"
    trainings = {path.name for path in (out / "more-at-once" / "seed-0" / "train").iterdir()}
    assert trainings == {"generated"}
    assert findings(ablation, out, [0]).outcomes == done
