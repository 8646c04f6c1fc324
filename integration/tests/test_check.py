"""What would stop a run is found before anything is made."""

from __future__ import annotations

import json
import re
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from divergen import Run, load_config, run_pipeline
from divergen.budget import describe_plan
from divergen.check import Entry, check_run, refuse_problems
from divergen.cli import main
from divergen.data import load_splits
from divergen.loading import shipped_text
from divergen_records import ConfigError, DatasetError
from divergen_records.images import encode_image
from divergen_records.requirements import Finding


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four pictures with an apple each."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    picture = encode_image(np.full((40, 60, 3), 200, np.uint8), "jpeg", 90)
    for number in range(1, 5):
        (folder / "images" / f"{number}.jpg").write_bytes(picture)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 60, "height": 40} for n in range(1, 5)]
    square = [[10, 10, 30, 10, 30, 30, 10, 30]]
    row = {"category_id": 1, "segmentation": square, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0}
    annotations = [{"id": n, "image_id": n, **row} for n in range(1, 5)]
    content: dict[str, Any] = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "apple"}]}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of its own, and nobody to ask."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def problems(tmp_path: Path, *overrides: str) -> list[Entry]:
    """What would stop a run of the quickstart with these changes."""
    found = check_run(Run(tmp_path / "run", load_config("quickstart", overrides)))
    return [entry for entry in found if entry.finding.problem]


def test_check_run__nothing_stands_in_the_way(data: Path, tmp_path: Path) -> None:
    assert not problems(tmp_path, f"data={data}", "counts={per_category: 1}")
    assert not (tmp_path / "run").exists()


def test_check_run__data_without_an_object(data: Path, tmp_path: Path) -> None:
    content = json.loads((data / "annotations.json").read_text())
    content["annotations"][0]["segmentation"] = []
    (data / "annotations.json").write_text(json.dumps(content | {"annotations": content["annotations"][:1]}))
    (found,) = problems(tmp_path, f"data={{kind: lvis, train: {data}, on_problem: skip}}", "counts={per_category: 1}")
    assert "none of the 1 categories of annotations.json has an object (1 with a problem" in str(found)


def test_check_run__validation_pictures_that_are_training_pictures_are_told(data: Path, tmp_path: Path) -> None:
    overrides = (f"data={{kind: lvis, train: {data}, val: {data}}}", "counts={per_category: 1}")
    found = check_run(Run(tmp_path / "run", load_config("quickstart", overrides)))
    assert Entry("data.val", Finding("4 of 4 validation pictures are training pictures too")) in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"categories": [{"id": 1, "name": "pear"}]}, "1 of 1 categories are not those of"),
        ({"categories": [{"id": 1, "name": "apple"}, {"id": 2, "name": "pear"}]}, "which has no 2 ('pear')"),
        ({"annotations": []}, "no object to evaluate on"),
        ({}, ""),
    ],
)
def test_check_run__validation_data_that_say_nothing_of_the_detector(
    data: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    file = data / "val.json"
    file.write_text(json.dumps(json.loads((data / "annotations.json").read_text()) | change))
    given = (f"data={{kind: lvis, train: {data / 'annotations.json'}, val: {file}}}", "counts={per_category: 1}")
    assert [said in str(found) for found in problems(tmp_path, *given)] == [True] * bool(said)
    assert not problems(tmp_path, *given, "train=null")
    run = Run(tmp_path / "run", load_config("quickstart", given))
    with pytest.raises(DatasetError, match=re.escape(said)) if said else nullcontext():
        load_splits(run)


@pytest.mark.usefixtures("hub")
def test_check_run__planted_faults_in_one_call(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "images" / "3.jpg").write_bytes((data / "images" / "1.jpg").read_bytes()[:60])
    monkeypatch.setattr("divergen_records.requirements.find_spec", lambda name: None if name == "onnxruntime" else 1)
    faults = (
        f"data={data}",
        "generators=[{kind: diffusers, name: sd, model: nobody/no-such-model}]",
        "annotator={kind: saliency, model: /nowhere/u2net.onnx, card: u2net}",
        "rules={rules: [{score: clip_score, op: '>=', threshold: 0.2}]}",
        "counts={per_category: 1000000000}",
        "extra_categories=/nowhere/extra.json",
        "prompts={kind: llm, model: m, base_url: 'http://127.0.0.1:9/v1'}",
        "train={detector: {kind: torchvision, weights: /nowhere/lite0.pth}}",
    )
    begun = time.monotonic()
    told = [str(entry) for entry in problems(tmp_path, *faults)]
    assert time.monotonic() - begun < 10
    assert len(told) == 9
    for part in (
        "data.train: 1 of 4 pictures looked at cannot be read",
        "extra_categories: /nowhere/extra.json",
        "rules: a rule names clip_score",
        "generators.0: nobody/no-such-model is not in the hub's cache",
        "annotator: /nowhere/u2net.onnx is not there",
        "annotator: onnxruntime is not installed; pip install 'divergen-annotate[onnx]'",
        "prompts: http://127.0.0.1:9/v1 does not answer",
        "counts: 1,000,000,000 pictures take about",
        "train.detector: /nowhere/lite0.pth is not there",
    ):
        assert sum(part in line for line in told) == 1, part


@pytest.mark.usefixtures("hub")
def test_check_run__other_planted_faults_in_one_call(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, page = tmp_path / "sam", tmp_path / "lite0.pth"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"1" * 1000)
    page.write_text("<!DOCTYPE html><html>Sign in to download")
    (tmp_path / "extra.json").write_text("[]")
    (tmp_path / "out").write_text("a file where the run is to be")
    monkeypatch.setattr("divergen.gpu_memory.gpu_memory", lambda: 2**34)
    monkeypatch.setattr("divergen.gpu_memory.gpu_count", lambda: 1)
    faults = (
        f"data={data}",
        f"generators=[{{kind: diffusers, name: sd, model: {model}, image: {{from: /nowhere/crops}}}}]",
        f"annotator={{kind: sam-background, checkpoint: {tmp_path}, device: 'cuda:7'}}",
        f"embedder.weights={page}",
        f"extra_categories={tmp_path / 'extra.json'}",
        "counts={per_category: 1}",
        "train={kind: transformers, model: nobody/no-such-model}",
    )
    run = Run(tmp_path / "out" / "run", load_config("quickstart", faults))
    told = [str(entry) for entry in check_run(run) if entry.finding.problem]
    for part in (
        f"generators.0: {model} is not a pipeline of diffusers",
        "generators.0.image: /nowhere/crops is not there; image.from names",
        f"annotator: {tmp_path} is not a model of transformers",
        "annotator: there is no GPU cuda:7 here, only cuda:0; set annotator.device",
        f"embedder: {page} is a web page, not the file",
        f"extra_categories: {tmp_path / 'extra.json'}: holds no categories",
        f"out: {tmp_path / 'out'} cannot be written (Not a directory); give another folder with --out",
        "train: nobody/no-such-model is not in the hub's cache",
    ):
        assert sum(part in line for line in told) == 1, (part, told)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("train={kind: command, command: 'nothing {results}'}", "train: nothing is not a program here; install it"),
        ("train={kind: command, command: 'python no.py {results}'}", "train: no.py is not there ("),
        ("executor={kind: ray, gpus: 1}", "executor: each worker takes 1 GPU, and there is none here; set executor"),
        ("extra_categories=/", "extra_categories: /: cannot be read as categories (Is a directory); give a file"),
        ("extra_categories={from: /dev/null}", "extra_categories: /dev/null"),
        ("extra_categories={from: imagenet, wordnet: /tmp}", "extra_categories: /tmp: holds no WordNet"),
        ("scores=[{kind: vlm, model: m, base_url: 'http://127.0.0.1:9'}]", "scores.0: http://127.0.0.1:9 does not ans"),
    ],
)
def test_check_run__one_fault(
    fault: str, said: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("divergen.gpu_memory.gpu_memory", lambda: None)
    monkeypatch.setattr("divergen_records.requirements.find_spec", lambda name: 1)
    (found,) = problems(tmp_path, f"data={data}", "counts={per_category: 1}", fault)
    assert str(found).startswith(said)


def test_check_run__models_that_do_not_fit_the_caches_disk(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Finding("a model", download=2**60)
    monkeypatch.setattr("divergen.check.look", lambda need: answer)
    settings = [f"data={data}", "counts={per_category: 1}"]
    (found,) = problems(tmp_path, *settings)
    assert "GB of models, which will be downloaded; lower counts, or give a folder" in found.finding.text
    monkeypatch.setattr("divergen.check.cache_folder", lambda model: Path("/proc/cache/model"))
    (found,) = problems(tmp_path, *settings)
    assert str(found).endswith("downloaded to /proc, where 0.0 GB are free; set HF_HOME to a folder on a larger disk")


def test_check_run__too_little_disk(data: Path, tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"data={data}", "counts={per_category: 1000000000}")
    assert found.place == "counts"
    assert "are free; lower counts" in found.finding.text


def test_run_pipeline__a_problem_stops_it_before_anything_is_made(tmp_path: Path, small: tuple[str, ...]) -> None:
    run = Run(
        tmp_path / "run", load_config("quickstart", (*small, "annotator={kind: sam-background, checkpoint: a.pth}"))
    )
    with pytest.raises(ConfigError, match=r"annotator: a\.pth is not there; SAM's checkpoints are published"):
        run_pipeline(run)
    assert not run.data.exists()


def test_refuse_problems__all_in_one_error(data: Path, tmp_path: Path) -> None:
    found = problems(tmp_path, f"data={data}", "embedder.weights=/nowhere/a", "train.init=/nowhere/b")
    with pytest.raises(
        ConfigError, match=r"(?s)2 problems, nothing was made:\nembedder: /nowhere/a .*\ntrain: /nowhere/b "
    ):
        refuse_problems(found)


@pytest.mark.parametrize(("change", "status"), [("seed=1", 0), ("embedder.weights=/nowhere/a", 1)])
def test_check__status(change: str, status: int) -> None:
    answer = CliRunner().invoke(main, ["check", "quickstart", change])
    assert answer.exit_code == status, answer.output
    assert ("1 problem\n" in answer.output) == bool(status)


def test_describe_plan__draws_nothing(tmp_path: Path) -> None:
    begun = time.monotonic()
    said = describe_plan(Run(tmp_path / "run", load_config("quickstart")))
    assert time.monotonic() - begun < 10  # to draw the data takes minutes
    assert "1,152 pictures of 40 categories" in said
    assert not (tmp_path / "run").exists()


def test_configs__prints_one_as_its_file_says_it() -> None:
    answer = CliRunner().invoke(main, ["configs", "divergen-lvis"])
    assert answer.output == shipped_text("divergen-lvis")
    assert CliRunner().invoke(main, ["configs", "nothing"]).exit_code == 2
