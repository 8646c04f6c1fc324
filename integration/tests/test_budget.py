"""What a run will make and cost: per step, from rates that are said, measured or published, less what is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen import Run, load_config
from divergen.budget import describe_plan
from divergen.cli import main
from divergen.loading import dump_config
from divergen.rates import Rate, on_gpu, published_rate, published_training_rate, rate_of
from divergen_annotate.config import GrabCutConfig
from divergen_gen.config import DiffusersConfig
from divergen_records import ConfigError
from divergen_records.executor import StageReport

SD = {"model": "stable-diffusion-v1-5/stable-diffusion-v1-5", "size": 512, "steps": 50}


def rows(text: str) -> dict[str, list[str]]:
    """The table's lines by the name of the step or generator."""
    lines = [line.split() for line in text.splitlines()]
    return {line[1].rstrip(","): line for line in lines if len(line) > 5}


def test_dry_run__counts_what_is_done_and_prices_what_is_left(tmp_path: Path, finished: Run) -> None:
    more = finished.config.model_copy(update={"counts": finished.config.counts.model_copy(update={"per_category": 8})})
    (tmp_path / "more.yaml").write_text(dump_config(more))
    arguments = ["run", str(tmp_path / "more.yaml"), "--out", str(finished.folder), "--dry-run", "--gpu-price", "3"]
    answer = CliRunner().invoke(main, [*arguments, "--rate", "annotate=0.001"])
    assert answer.exit_code == 0, answer.output
    assert rows(answer.output)["procedural"][:5] == ["gen", "procedural,", "pictures", "12", "12"]
    assert "rate of procedural: measured in this run" in answer.output
    assert rows(answer.output)["annotate"][3:7] == ["12", "12", "0.001", "3.3"]
    assert rows(answer.output)["annotate"][-2:] == ["no", "GPU"]
    assert rows(answer.output)["hours"][-1] == "0.00"  # nothing here works on a GPU


def test_describe_plan__sums_the_hours_of_gpus(tmp_path: Path, small: tuple[str, ...]) -> None:
    changes = [
        "generators=[{kind: diffusers, model: stable-diffusion-v1-5/x, size: 512, steps: 50}]",
        "counts.per_category=624",
        "train={preset: quickstart, iterations: 100, device: cuda}",
    ]
    said = describe_plan(Run(tmp_path / "run", load_config("quickstart", [*small, *changes])), gpu_price=2)
    assert rows(said)["diffusers"][3:] == ["1,872", "0", "0.624", "0.8", "0.2", "1.67"]
    assert rows(said)["train"][1:7] == ["train,", "steps,", "3", "detectors", "300", "0"]
    assert rows(said)["hours"][-1] == "1.67"
    assert "not in the sums, for nobody knows how fast: annotate, embed, train; say it" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("rate", "said"), [("sd=1", "one of procedural"), ("train=x", "not a number"), ("train=0", "above 0")]
)
def test_describe_plan__refuses_a_rate_of_nothing(tmp_path: Path, small: tuple[str, ...], rate: str, said: str) -> None:
    config = load_config("quickstart", [*small, "train={preset: quickstart, iterations: 100}"])
    with pytest.raises(ConfigError, match=said):
        describe_plan(Run(tmp_path / "run", config), rates=[rate])


def test_rate_of__what_is_said_comes_before_what_was_measured_and_published(tmp_path: Path, finished: Run) -> None:
    run, published = Run(tmp_path, finished.config), Rate(1.0, "a paper")
    assert rate_of("gen", run, {}) is None
    assert rate_of("gen", run, {}, published) == published
    run.note_rate(StageReport("gen", 10, 0, 0, 5.0))
    run.note_rate(StageReport("gen", 0, 0, 10, 5.0))  # did nothing: says nothing
    assert rate_of("gen", run, {}, published) == Rate(2.0, "measured in this run")
    assert rate_of("gen", run, {"gen": 7.0}, published) == Rate(7.0, "as you say")


def test_published_rate__scales_with_steps_and_size() -> None:
    rate = published_rate(DiffusersConfig(**SD))
    assert rate is not None
    assert rate.per_second == pytest.approx(31.2 / 50)
    smaller = published_rate(DiffusersConfig(**{**SD, "size": 256, "steps": 25}))
    assert smaller is not None
    assert smaller.per_second == pytest.approx(31.2 / 25 * 4)
    taught = published_training_rate(DiffusersConfig(**SD, personal={"method": "perfusion"}))
    assert taught is not None
    assert taught.per_second == pytest.approx(31.2 / 6)
    assert published_rate(DiffusersConfig(model="of/others")) is None


def test_on_gpu__is_what_has_a_device_to_set() -> None:
    assert on_gpu(DiffusersConfig(**SD))
    assert not on_gpu(DiffusersConfig(**SD, device="cpu"))
    assert not on_gpu(GrabCutConfig())
