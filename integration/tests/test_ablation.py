from __future__ import annotations

import io
import json
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
from divergen.ablation import (
    REAL,
    configs,
    load_ablation,
    outcomes,
    run_ablation,
    shipped_ablations,
)
from divergen.outcomes import CONTROL, mean_and_interval, outcome_of, print_outcomes
from divergen_records import ConfigError
from rich.console import Console


@pytest.mark.parametrize("name", shipped_ablations())
def test_load_ablation__shipped_ones_are_valid(name: str) -> None:
    ablation = load_ablation(name)
    found = configs(ablation, (), range(2))
    assert len(found) == 2 * len(ablation.arms) >= 4
    settings = {config.model_copy(update={"name": "", "baseline": True}).model_dump_json() for config in found.values()}
    assert len(settings) == len(found), "two arms are the same"
    assert sum(config.baseline for config in found.values() if not config.from_baseline) == 2


def test_load_ablation__unknown() -> None:
    with pytest.raises(ConfigError, match="'modles' is neither a YAML file nor one of annotators, "):
        load_ablation("modles")


def test_configs__wrong_arm_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("question: q\narms: {good: {}, bad: {rule: 1}}")
    with pytest.raises(ConfigError, match="rule: there is no such key"):
        configs(load_ablation(str(tmp_path / "a.yaml")), (), [0])


@pytest.mark.parametrize(("seeds", "quantile"), [(3, 4.3027), (10, 2.2622), (11, 2.2281), (30, 2.0452)])
def test_mean_and_interval__of_student_at_any_number_of_seeds(seeds: int, quantile: float) -> None:
    values = [float(value) for value in range(seeds)]
    mean, half = mean_and_interval(values)
    assert mean == pytest.approx((seeds - 1) / 2)
    assert half == pytest.approx(quantile * stdev(values) / seeds**0.5, rel=1e-4)


def test_mean_and_interval__one_seed_has_none() -> None:
    assert mean_and_interval([1.0]) == (1.0, None)


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


@pytest.mark.slow
def test_run_ablation__arms_beside_the_real_images(tmp_path: Path, small: tuple[str, ...]) -> None:
    (tmp_path / "a.yaml").write_text(
        "question: Does a filter pay?\narms: {all of it: {rules: {rules: []}}, more at once: {paste.max_instances: 9}}"
    )
    ablation, out = load_ablation(str(tmp_path / "a.yaml")), tmp_path / "out"
    tiny = "train={preset: quickstart, iterations: 2, warmup: 1, batch_size: 2, image_size: 64}"
    done = run_ablation(ablation, out, seeds=[0], overrides=[*small[:-1], tiny])
    assert [outcome.arm for outcome in done] == [REAL, CONTROL, "all of it", "more at once"]
    assert all(0 <= outcome.values["mask AP"][0] <= 1 for outcome in done)
    assert done[2].beyond["box AP"][0] == pytest.approx(done[2].values["box AP"][0] - done[1].values["box AP"][0])
    assert done[1].gains["box AP"][0] == pytest.approx(done[1].values["box AP"][0] - done[0].values["box AP"][0])
    assert (out / "ablation.png").exists()
    assert json.loads((out / "ablation.json").read_text())["question"] == "Does a filter pay?"
    trainings = {path.name for path in (out / "more-at-once" / "seed-0" / "train").iterdir()}
    assert trainings == {"generated"}
    assert outcomes(ablation, out, [0]) == done
