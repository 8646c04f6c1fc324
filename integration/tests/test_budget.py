"""What a run will make and cost: per step, from rates that are said, measured or published, less what is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen import Run, load_config
from divergen.budget import describe_plan
from divergen.cli import main
from divergen.loading import dump_config
from divergen.rates import (
    Rate,
    on_gpu,
    published_detector_rate,
    published_rate,
    published_token_rate,
    published_training_rate,
    rate_of,
)
from divergen_annotate.config import GrabCutConfig
from divergen_gen.config import DiffusersConfig, IFCascadeConfig
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


def test_dry_run__says_problems_first_then_the_price_and_ends_with_an_error(
    tmp_path: Path, small: tuple[str, ...]
) -> None:
    absent = "generators=[{kind: diffusers, name: a, model: /no/a}, {kind: diffusers, name: b, model: /no/b}]"
    changed = load_config("quickstart", [*small, absent])
    (tmp_path / "absent.yaml").write_text(dump_config(changed))
    answer = CliRunner().invoke(main, ["run", str(tmp_path / "absent.yaml"), "--out", str(tmp_path / "x"), "--dry-run"])
    assert answer.exit_code == 2
    problem, price = answer.output.index("/no/a"), answer.output.index("hours of one GPU")
    assert answer.output.index("2 problems to mend") < problem < price < answer.output.index("Error: 2 problems")
    assert not (tmp_path / "x").exists()


def test_describe_plan__sums_the_hours_of_gpus(tmp_path: Path, small: tuple[str, ...]) -> None:
    changes = [
        "generators=[{kind: diffusers, model: stable-diffusion-v1-5/x, size: 512, steps: 50}]",
        "counts.per_category=624",
        "train={preset: quickstart, iterations: 100, device: cuda}",
    ]
    said = describe_plan(Run(tmp_path / "run", load_config("quickstart", [*small, *changes])), gpu_price=2)
    unpriced = describe_plan(Run(tmp_path / "run", load_config("quickstart", [*small, *changes])))
    assert "say what one costs: --gpu-price" in unpriced and "--gpu-price" not in said
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


@pytest.fixture
def lvis(tmp_path: Path) -> Path:
    """Three categories in the layout of LVIS, of which one has prompts of a language model in `divergen-lvis`."""
    rows = [{"id": n, "name": name, "image_count": 5} for n, name in enumerate(("ambulance", "cup", "zebra"), 1)]
    content = {"images": [], "annotations": [], "categories": rows}
    for split in ("train", "val"):
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize("name", ["divergen-lvis", "bsgal-lvis", "xpaste-lvis"])
def test_describe_plan__the_papers_have_a_rate_for_each_step(tmp_path: Path, lvis: Path, name: str) -> None:
    config = load_config(name, [f"data={lvis}", "counts.per_category=4"])
    said = describe_plan(Run(tmp_path / "run", config), gpu_price=2)
    assert "nobody knows how fast" not in said
    table = rows(said)
    steps = {"sd15", "annotate", "embed", "train", *(["prompts", "if"] if name == "divergen-lvis" else [])}
    assert all(f"rate of {step}: " in said for step in steps)
    assert [step for step in steps if "?" in table[step]] == [step for step in steps if step == "prompts"]
    assert float(table["train"][-1].replace(",", "")) > 1000


def test_describe_plan__counts_what_tokens_cost(tmp_path: Path, lvis: Path) -> None:
    priced = ["prompts.1.price_in=0.5", "prompts.1.price_out=1.5", "counts.per_category=4"]
    config = load_config("divergen-lvis", [f"data={lvis}", *priced])
    said = describe_plan(Run(tmp_path / "run", config), gpu_price=0)
    line = rows(said)["prompts"]
    assert line[5:7] == ["128", "0"]
    assert 0 < float(line[-1]) == float(rows(said)["hours"][-1]) < 0.1
    assert "no price was said" not in said


def test_published_rate__of_one_with_parts_is_that_of_all_in_turn(lvis: Path) -> None:
    whole = published_rate(IFCascadeConfig())
    assert whole is not None
    assert 1 / whole.per_second == pytest.approx(100 / 9.05 + 50 / 10.2)
    assert "stage I XL" in whole.source
    assert "stage II L" in whole.source
    assert published_rate(IFCascadeConfig(stage1="somebody/else")) is None
    best = load_config("bsgal-lvis", [f"data={lvis}"]).annotator
    assert published_rate(best).per_second == pytest.approx(1 / (1 / 30 + 1 / 2256 + 1 / 140 + 1 / 508 + 4 / 360))


def test_published_detector_rate__scales_with_batch_and_size(lvis: Path) -> None:
    (big, small) = (
        load_config("xpaste-lvis", [f"data={lvis}", *more]).train
        for more in ([], ["train.batch_size=32", "train.image_size=448"])
    )
    assert published_detector_rate(big).per_second == pytest.approx(2.62 / 16)
    assert published_detector_rate(small).per_second == pytest.approx(2.62 * 4 / 32)
    assert "what judges" in published_detector_rate(load_config("bsgal-lvis", [f"data={lvis}"]).train).source
    assert published_detector_rate(load_config("quickstart").train) is None
    assert published_token_rate("gpt-3.5-turbo-0125", 8).per_second == pytest.approx(8 * 67.8)
    assert published_token_rate("my-own", 8) is None


def test_on_gpu__is_what_has_a_device_to_set() -> None:
    assert on_gpu(DiffusersConfig(**SD))
    assert not on_gpu(DiffusersConfig(**SD, device="cpu"))
    assert not on_gpu(GrabCutConfig())
