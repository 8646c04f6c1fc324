from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen_evaluate.cli import main
from divergen_evaluate.testing import lvis_case

Case = Callable[[], tuple[Path, Path]]


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path]:
    """A results file and its ground truth."""
    truth, results = lvis_case(3)
    for name, content in (("truth", truth), ("results", results)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path / "results.json", tmp_path / "truth.json"


def test_ap__prints_and_writes(case: tuple[Path, Path], tmp_path: Path) -> None:
    results, truth = case
    metrics = tmp_path / "metrics.json"
    status, output = run("ap", results, "--gt", truth, "--json", metrics, "--categories")
    assert status == 0, output
    assert "APr" in output
    assert set(json.loads(metrics.read_text())) >= {"box", "mask", "categories"}


def test_ap__coco_style_has_twelve_numbers(case: tuple[Path, Path]) -> None:
    results, truth = case
    status, output = run("ap", results, "--gt", truth, "--style", "coco")
    assert status == 0, output
    head = next(line.split() for line in output.splitlines() if "AR100" in line)
    assert head == ["AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
    assert "note:" not in output


def test_ap__exhaustive_judgement_is_said_once(case: tuple[Path, Path]) -> None:
    results, truth = case
    content = json.loads(truth.read_text())
    content["images"] = [{k: row[k] for k in ("id", "width", "height", "file_name")} for row in content["images"]]
    truth.write_text(json.dumps(content))
    assert run("ap", results, "--gt", truth)[1].count("judged exhaustively") == 1
    assert "judged exhaustively" in run("ap", results, results, "--gt", truth, "--resamples", 40)[1]
    for options in (["--exhaustive"], ["--federated"], ["--style", "coco"]):
        assert "judged exhaustively" not in run("ap", results, "--gt", truth, *options)[1]


def test_ap__boxes_alone_are_said(case: tuple[Path, Path]) -> None:
    results, truth = case
    content = json.loads(truth.read_text())
    content["annotations"][0].pop("segmentation")
    truth.write_text(json.dumps(content))
    status, output = run("ap", results, "--gt", truth, "--intervals", "--resamples", 40, "--fixed")
    assert status == 0, output
    assert f"1 of {len(content['annotations'])} objects have a box and no mask" in output
    assert not any(line.startswith("mask") for line in output.splitlines())
    results.write_text(json.dumps([{**row, "segmentation": []} for row in json.loads(results.read_text())]))
    assert "the results have no masks" in run("ap", results, "--gt", results.with_name("truth.json"))[1]


def test_ap__objects_left_out_of_the_ground_truth_show_in_the_status(case: tuple[Path, Path]) -> None:
    results, truth = case
    content = json.loads(truth.read_text())
    content["annotations"][0]["segmentation"] = [[1, 2, 3]]
    truth.write_text(json.dumps(content))
    assert run("ap", results, "--gt", truth)[0] == 2
    status, output = run("ap", results, "--gt", truth, "--on-problem", "skip")
    assert (status, "1 lost" in output, "APr" in output) == (3, True, True)
    assert run("ap", results, "--gt", truth, "--on-problem", "skip", "--allow-losses")[0] == 0


def test_ap__ground_truth_of_any_format(case: tuple[Path, Path], tmp_path: Path) -> None:
    from divergen_records.coco import read_dataset
    from divergen_records.formats import get_format
    from PIL import Image

    (tmp_path / "images").mkdir()
    dataset = read_dataset(case[1])
    for image in dataset.images:
        Image.new("RGB", (image.width, image.height)).save(tmp_path / "images" / image.file_name)
    yolo = get_format("yolo").write(read_dataset(case[1], image_dir=tmp_path / "images"), tmp_path / "yolo").parent
    (tmp_path / "none.json").write_text("[]")
    status, output = run("ap", tmp_path / "none.json", "--gt", yolo)
    assert status == 0, output
    assert "AR@300" in output


def test_ap__two_files_are_compared(case: tuple[Path, Path]) -> None:
    results, truth = case
    status, output = run("ap", results, results, "--gt", truth, "--resamples", 40)
    assert status == 0, output
    assert "not told apart" in output


def corners(row: dict[str, Any]) -> list[float]:
    x, y, width, height = row["bbox"]
    return [x, y, x + width, y + height]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [{**row, "bbox": corners(row)} for row in rows], "of the boxes leave their picture by far"),
        (lambda rows: [{**row, "bbox": [0.1, 0.2, 0.5, 1]} for row in rows], "look like shares of the picture's sides"),
        (
            lambda rows: [*rows, *(row for row in rows if row["image_id"] == 1)],
            "every result stands twice or more on images: 1;",
        ),
        (lambda rows: [], "there are no results, so that every AP is 0"),
    ],
)
def test_ap__what_looks_wrong_is_said(case: tuple[Path, Path], tmp_path: Path, change: Any, said: str) -> None:
    rows = list({json.dumps(row): row for row in json.loads(case[0].read_text())}.values())
    for some, expected in ((rows, False), (change(rows), True)):
        (tmp_path / "some.json").write_text(json.dumps(some))
        status, output = run("ap", tmp_path / "some.json", "--gt", case[1])
        assert status == 0, output
        assert (said in output) == expected, output


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "the file is empty (0 bytes)"), (b"\x80\x04]\x94.", "this is a pickle"), (b"PK\x03\x04", "an archive")],
)
def test_ap__files_that_are_no_json(case: tuple[Path, Path], tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "results").write_bytes(content)
    status, output = run("ap", tmp_path / "results", "--gt", case[1])
    assert status == 2
    assert said in output


def test_ap__bad_results(case: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[")
    status, output = run("ap", tmp_path / "bad.json", "--gt", case[1])
    assert status == 2
    assert "not a list of COCO results" in output


def test_export__writes_once(case: tuple[Path, Path], tmp_path: Path) -> None:
    results, truth = case
    out = tmp_path / "submission.json"
    assert run("export", results, "--gt", truth, "--out", out, "--only", "mask")[0] == 0
    assert all("bbox" not in row for row in json.loads(out.read_text()))
    status, output = run("export", results, "--gt", truth, "--out", out)
    assert status == 2
    assert "--overwrite" in output


def test_export__class_numbers_are_named_with_the_file(case: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [{**row, "category_id": 0} for row in json.loads(case[0].read_text())]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    export = ["export", tmp_path / "rows.json", "--gt", case[1], "--out", tmp_path / "out.json"]
    status, output = run(*export)
    assert status == 2
    assert "rows.json: result 0: category_id 0 is not in " in output
    assert "class numbers" in output
    assert run(*export, "--drop-unknown")[0] == 0


@pytest.mark.parametrize("command", [[], ["ap"], ["export"]])
def test_help__has_an_example(command: list[str]) -> None:
    status, output = run(*command, "--help")
    assert status == 0
    assert "divergen-evaluate " in output.partition("\n")[2]
