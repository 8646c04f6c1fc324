"""Files in the manner of real tools, through the commands of every package that reads data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from divergen.cli import main as divergen
from divergen_evaluate.cli import main as evaluate
from divergen_filter.cli import main as embed
from divergen_paste.cli import main as paste
from divergen_records.cli import main as records
from divergen_train.cli import main as train
from PIL import Image


def _cases() -> Path | None:
    found = (parent / "shared" / "cases" / "coco" for parent in Path(__file__).resolve().parents)
    return next((folder for folder in found if (folder / "expected.json").is_file()), None)


CASES = _cases()
NAMES = sorted(json.loads((CASES / "expected.json").read_text(encoding="utf-8"))) if CASES else []
WHOLE = {
    "annotation_id_zero",
    "area_is_the_boxs",
    "bbox_zero",
    "byte_order_mark",
    "cvat_date_captured_number",
    "extra_keys_survive",
    "fiftyone_null_license",
    "labelme_null_dates",
    "names_with_backslash",
    "names_with_images_prefix",
    "null_lists",
    "root_category_unused",
    "same_category_name_twice",
    "sizes_as_floats",
    "stray_point_part",
    "taco_mixed_nulls",
}
"""Cases that every command reads whole without being asked to mend."""

MENDED = {"polygon_5px_outside", "flat_polygon_string_ids", "area_nan"}
"""Cases that are read whole where the user asks to mend."""

pytestmark = pytest.mark.skipif(CASES is None, reason="shared/cases/coco is not beside the checkout")


def run(command: Any, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "on_problem=" not in result.output
    return result


def lay_out(name: str, folder: Path) -> Path:
    """The case's file beside its pictures."""
    assert CASES is not None
    shutil.copytree(CASES / "images", folder / "images")
    shutil.copy(CASES / name / "annotations.json", folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder / "annotations.json"


@pytest.fixture
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return lay_out(request.param, tmp_path / "data")


def cases(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", names or NAMES, indirect=True, ids=names or NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_case_is_accounted_for(name: str) -> None:
    assert name in WHOLE | MENDED | {"box_only_objects"}


@cases(*WHOLE)
def test_whole__by_every_reader(file: Path, tmp_path: Path) -> None:
    """Nothing is lost: records, filter, paste, evaluate, and the plan of a run."""
    checked = run(records, "check", file, "--decode")
    assert checked.exit_code == 0
    assert "images       2\nannotations  3" in checked.output
    assert run(records, "convert", file, tmp_path / "x.json", "--format", "coco").exit_code == 0
    assert run(records, "convert", file, tmp_path / "yolo", "--format", "yolo").exit_code == 0
    assert len(list((tmp_path / "yolo").rglob("labels/**/*.txt"))) == 2
    assert run(paste, "stats", file, "--out", tmp_path / "stats.json").exit_code == 0
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    assert run(evaluate, "ap", tmp_path / "results.json", "--gt", file).exit_code == 0


@cases(*MENDED, "box_only_objects")
def test_trouble__stops_with_the_item_and_the_option(file: Path, tmp_path: Path) -> None:
    for command in (
        (records, "convert", file, tmp_path / "x", "--format", "yolo"),
        (embed, "embed-real", file, "--out", tmp_path / "r.npz"),
        (paste, "stats", file, "--out", tmp_path / "stats.json"),
        (train, "fit", file, "--out", tmp_path / "run"),
        (divergen, "run", "quickstart", "--dry-run", "--out", tmp_path / "d", f"data={file.parent}"),
    ):
        result = run(*command)
        assert result.exit_code == 2
        assert "annotations[0]" in result.output
        assert "--on-problem" in result.output
        assert "damaged" not in result.output


@cases(*MENDED)
def test_trouble__mended_on_the_users_word(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.json"
    result = run(records, "convert", file, out, "--format", "coco", "--on-problem", "repair")
    assert result.exit_code == 0
    assert "mended: annotations[0]" in result.output
    assert len(json.loads(out.read_text(encoding="utf-8"))["annotations"]) == 3


@cases("box_only_objects")
def test_box_only__kept_where_boxes_are_enough(file: Path, tmp_path: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    results = [{**row, "score": 1.0} for row in content["annotations"]]
    results = [{key: row[key] for key in ("image_id", "category_id", "bbox", "score")} for row in results]
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    judged = run(
        evaluate, "ap", tmp_path / "results.json", "--gt", file, "--style", "coco", "--json", tmp_path / "m.json"
    )
    assert judged.exit_code == 0
    assert json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))["box"]["AP"] == 1.0
    told = run(records, "convert", file, tmp_path / "yolo", "--format", "yolo", "--on-problem", "skip")
    assert told.exit_code == 3
    assert "1 lost" in told.output


@cases("area_is_the_boxs", "bbox_zero", "stray_point_part", "root_category_unused", "same_category_name_twice")
def test_check__tells(file: Path, request: pytest.FixtureRequest) -> None:
    words = {
        "area_is_the_boxs": "area: 1 of 3 differ from their mask's (1 have the box's)",
        "bbox_zero": "3 of 3 annotations declare a box without width or height; the mask's is taken",
        "stray_point_part": "annotations[0] (id 1): a stray part",
        "root_category_unused": "'objects' (id 0) only heads the other categories",
        "same_category_name_twice": "2 categories have the name 'cup' (ids 1, 2)",
    }
    assert words[request.node.callspec.id] in run(records, "check", file).output


@cases("annotation_id_zero")
def test_evaluate__tells_what_pycocotools_makes_of_id_0(file: Path, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    told = run(evaluate, "ap", tmp_path / "results.json", "--gt", file, "--style", "coco").output
    assert "annotation id 0, which pycocotools takes for no match" in told


@cases("extra_keys_survive")
def test_convert__loses_no_key(file: Path, tmp_path: Path) -> None:
    assert run(records, "convert", file, tmp_path / "x.json", "--format", "coco").exit_code == 0
    before = json.loads(file.read_text(encoding="utf-8"))
    after = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert _lost(before, after) == []


def _lost(before: Any, after: Any, at: str = "$") -> list[str]:
    """Paths of values that are missing or others."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [line for key in before for line in _lost(before[key], after.get(key, "missing"), f"{at}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [line for i, (b, a) in enumerate(zip(before, after, strict=True)) for line in _lost(b, a, f"{at}[{i}]")]
    return [] if before == after else [f"{at}: {before!r} -> {after!r}"]


@cases("root_category_unused", "names_with_images_prefix", "same_category_name_twice")
def test_run__plans_for_what_it_will_make(file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Two categories are planned for: not the root, and both of one name, each with pictures of its own."""
    result = run(divergen, "run", "quickstart", "--dry-run", "--out", tmp_path / "run", f"data={file.parent}")
    assert result.exit_code == 0
    assert " pictures of 2 categories" in result.output


@cases("root_category_unused")
def test_root__is_no_class_of_yolo(file: Path, tmp_path: Path) -> None:
    run(records, "convert", file, tmp_path / "yolo", "--format", "yolo")
    assert 'names:\n  0: "cup"\n  1: "dog"\n' in (tmp_path / "yolo" / "data.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RGBA cut-outs in folders named as the cases' categories."""
    folder = tmp_path_factory.mktemp("cutouts")
    pixels = np.full((40, 40, 4), 120, dtype=np.uint8)
    pixels[..., 3] = 0
    pixels[8:32, 8:32, 3] = 255
    for name in ("cup", "dog"):
        (folder / name).mkdir()
        Image.fromarray(pixels).save(folder / name / "a.png")
    return folder


@cases("taco_mixed_nulls", "names_with_images_prefix", "root_category_unused", "extra_keys_survive", *sorted(MENDED))
def test_paste__pool_preview_and_bake(file: Path, cutouts: Path, tmp_path: Path) -> None:
    """Pasted into, with every key kept, and a label for every picture by Ultralytics' own rule."""
    pool, out = tmp_path / "pool", tmp_path / "baked"
    assert run(paste, "pool", cutouts, "--categories", file, "--out", pool, "--on-problem", "repair").exit_code == 0
    made = run(paste, "preview", file, pool, "--out", tmp_path / "sheet.jpg", "--on-problem", "repair")
    assert made.exit_code == 0
    assert run(paste, "bake", file, pool, "--out", out, "--yolo", "--on-problem", "repair").exit_code == 0
    pictures = sorted((out / "images").rglob("*.jpg"))
    assert len(pictures) == 4
    for picture in pictures:
        assert Path("/labels/".join(str(picture).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt").is_file()
    before = json.loads(file.read_text(encoding="utf-8-sig"))
    after = json.loads((out / "annotations.json").read_text(encoding="utf-8"))
    for key in ("info", "licenses", "categories"):
        assert _lost(before.get(key), after.get(key)) == [] or not before.get(key)
    assert 'names:\n  0: "cup"\n  1: "dog"\n' in (out / "data.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
@cases()
def test_embed_real__every_case(file: Path, tmp_path: Path) -> None:
    result = run(embed, "embed-real", file, "--out", tmp_path / "r.npz", "--on-problem", "repair")
    assert result.exit_code in (0, 3)
    assert " real crops of " in result.output
