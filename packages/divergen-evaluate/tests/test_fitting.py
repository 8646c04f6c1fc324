"""Results as other tools write them, at the command: each says the same as the plain file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen_evaluate.cli import main
from divergen_evaluate.testing import lvis_case
from divergen_records.masks import decode_rle

Rows = list[dict[str, Any]]


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def plain_counts(row: dict[str, Any]) -> dict[str, Any]:
    runs, last = [0], False
    for value in decode_rle(row["segmentation"]).flatten(order="F").tolist():
        if value != last:
            runs.append(0)
            last = value
        runs[-1] += 1
    return {**row, "segmentation": {"size": row["segmentation"]["size"], "counts": runs}}


def with_mask(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**row, "segmentation": {**row["segmentation"], **changes}}


WORDS: dict[str, tuple[Callable[[Rows], Any], str]] = {
    "file names": (lambda rows: [{**row, "image_id": f"{row['image_id']}.jpg"} for row in rows], "by their files"),
    "stems, as Ultralytics": (
        lambda rows: [{**row, "image_id": str(row["image_id"])} for row in rows],
        "by their files",
    ),
    "scores as text": (lambda rows: [{**row, "score": str(row["score"])} for row in rows], "score written as text"),
    "categories as text": (
        lambda rows: [{**row, "category_id": str(row["category_id"])} for row in rows],
        "category_id written as text",
    ),
    "images by another machine's paths": (
        lambda rows: [{**row, "image_id": f"C:\\val\\{row['image_id']}.jpg"} for row in rows],
        "by their files",
    ),
    "an image's file beside": (
        lambda rows: [
            {key: value for key, value in row.items() if key != "image_id"} | {"file_name": f"{row['image_id']}.jpg"}
            for row in rows
        ],
        "by their files",
    ),
    "categories by a label in capitals": (
        lambda rows: [
            {key: value for key, value in row.items() if key != "category_id"} | {"label": f"C{row['category_id']}"}
            for row in rows
        ],
        "categories are named, not by id",
    ),
    "categories by name": (
        lambda rows: [{**row, "category_id": f"c{row['category_id']}"} for row in rows],
        "categories are named, not by id",
    ),
    "a category's name beside": (
        lambda rows: [
            {key: value for key, value in row.items() if key != "category_id"}
            | {"category_name": f"c{row['category_id']}"}
            for row in rows
        ],
        "categories are named, not by id",
    ),
    "uncompressed": (lambda rows: [plain_counts(row) for row in rows], "read as compressed RLE"),
    "boxes as text": (lambda rows: [{**row, "bbox": [*map(str, row["bbox"])]} for row in rows], "bbox written as text"),
    "Python's bytes as text": (
        lambda rows: [with_mask(row, counts=str(row["segmentation"]["counts"].encode())) for row in rows],
        "size or code is spelled otherwise",
    ),
    "no sizes": (lambda rows: [with_mask(row, size=None) for row in rows], "size or code is spelled otherwise"),
    "sizes as text": (
        lambda rows: [with_mask(row, size=[*map(str, row["segmentation"]["size"])]) for row in rows],
        "size or code is spelled otherwise",
    ),
    "sizes as floats": (
        lambda rows: [with_mask(row, size=[*map(float, row["segmentation"]["size"])]) for row in rows],
        "",
    ),
    "under a key": (lambda rows: {"predictions": rows}, ""),
    "whole numbers as scores": (lambda rows: [{**row, "score": int(row["score"] * 10)} for row in rows], ""),
}


@pytest.mark.parametrize("words", WORDS)
def test_ap__in_other_words(tmp_path: Path, words: str) -> None:
    (say, sentence), (truth, rows) = WORDS[words], lvis_case(3)
    for name, content in (("truth", truth), ("plain", rows), ("other", say(rows))):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    tables = []
    for name in ("plain", "other"):
        out = tmp_path / f"{name}.metrics.json"
        status, output = run("ap", tmp_path / f"{name}.json", "--gt", tmp_path / "truth.json", "--json", out)
        assert status == 0, output
        tables.append(json.loads(out.read_text()))
    assert tables[0] == tables[1]
    assert sentence in output


def test_ap__json_lines_and_polygons(tmp_path: Path) -> None:
    truth, rows = lvis_case(3)
    square = [[20, 20, 60, 20, 60, 60, 20, 60]]
    rows = [{**row, "segmentation": square, "bbox": [20, 20, 40, 40]} for row in rows]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, rows)))
    status, output = run("ap", tmp_path / "lines.json", "--gt", tmp_path / "truth.json")
    assert status == 0, output
    assert f"read as compressed RLE ({len(rows)} results)" in output


def test_ap__json_lines_with_nan_name_the_result(tmp_path: Path) -> None:
    truth, rows = lvis_case(3)
    rows[1]["score"] = float("nan")
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, rows)))
    status, output = run("ap", tmp_path / "lines.json", "--gt", tmp_path / "truth.json")
    assert status == 2
    assert "result 1: its score is nan" in output


def test_ap__a_result_that_is_no_object_is_named(tmp_path: Path) -> None:
    truth, rows = lvis_case(3)
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "rows.json").write_text(json.dumps([rows[0], None]))
    status, output = run("ap", tmp_path / "rows.json", "--gt", tmp_path / "truth.json")
    assert status == 2
    assert "result 1 is None, no object" in output


def test_ap__objects_that_lvis_does_not_see_are_told(tmp_path: Path) -> None:
    truth, rows = lvis_case(3)
    truth["annotations"][0]["area"] = 0
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    arguments = ["ap", tmp_path / "rows.json", "--gt", tmp_path / "truth.json"]
    assert f"1 of {len(truth['annotations'])} objects declare an area of 0" in run(*arguments, "--federated")[1]
    assert "declare an area" not in run(*arguments, "--exhaustive")[1]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an image that was left out": ({"image_id": 99}, "image_id 99"),
    "a class number": ({"category_id": 0}, "class numbers"),
    "no score": ({"score": None}, "its score is None"),
    "a box of NaN": ({"bbox": [float("nan"), 1, 2, 3]}, "its bbox is [nan"),
    "a box beyond any picture": ({"bbox": [1, 2, 1e300, 3]}, "its bbox is [1, 2, 1e+300"),
    "a mask of another picture": ({"segmentation": {"size": [4, 4], "counts": "0"}}, "size [4, 4]"),
    "a mask whose code is none": ({"segmentation": {"size": [240, 240], "counts": "zz!!"}}, "its mask cannot be read"),
    "a mask whose size is none": ({"segmentation": {"size": 240, "counts": "0"}}, "size is [height, width]"),
    "no mask": ({"segmentation": []}, "has no 'segmentation'"),
    "a mask that is none": ({"segmentation": [[1, 2]]}, "a polygon has 1 points"),
}


@pytest.mark.parametrize("case", BAD)
def test_ap__what_fits_nothing_stops_or_is_left_out(tmp_path: Path, case: str) -> None:
    change, reason = BAD[case]
    truth, rows = lvis_case(3)
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps([{**rows[0], **change}, *rows[1:]]))
    status, output = run("ap", tmp_path / "results.json", "--gt", tmp_path / "truth.json")
    assert status == 2, output
    assert reason in output
    assert "--on-problem skip" in output
    status, output = run("ap", tmp_path / "results.json", "--gt", tmp_path / "truth.json", "--on-problem", "skip")
    assert status == 3, output
    assert "1 lost" in output
    assert reason in output


def test_export__masks_of_float_sizes_and_no_boxes(tmp_path: Path) -> None:
    """What `ap` judges, `export` takes; COCO's files of test pictures have no annotations."""
    truth, rows = lvis_case(3)
    rows = [{**with_mask(row, size=[*map(float, row["segmentation"]["size"])]), "bbox": []} for row in rows]
    truth.pop("annotations")
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    out = tmp_path / "out.json"
    status, output = run("export", tmp_path / "rows.json", "--gt", tmp_path / "truth.json", "--out", out)
    assert status == 0, output
    assert all(type(side) is int for row in json.loads(out.read_text()) for side in row["segmentation"]["size"])


@pytest.mark.parametrize("change", [{"image_id": 99}, {"score": None}, {"category_id": 77}])
def test_export__skip_leaves_out_what_does_not_fit(tmp_path: Path, change: dict[str, Any]) -> None:
    truth, rows = lvis_case(3)
    rows[1] |= change
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    export = ["export", tmp_path / "rows.json", "--gt", tmp_path / "truth.json", "--out", tmp_path / "out.json"]
    status, output = run(*export)
    assert status == 2
    assert "--on-problem skip" in output
    status, output = run(*export, "--on-problem", "skip")
    assert status == 3, output
    assert f"results: {len(rows)} in, {len(rows) - 1} out, 1 lost" in output
