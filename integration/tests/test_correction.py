"""Masks out to another tool, corrected there, and back; what depends on them is made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.loading import load_config
from divergen.run import Run
from divergen_annotate.columns import MaskColumns
from divergen_filter.columns import SimilarityColumns
from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path
from divergen_records.export import export_instances
from divergen_records.formats.fiftyone.arrays import pack_mask
from divergen_records.images import encode_image
from divergen_records.masks import decode_counts, encode_rle
from divergen_records.testing import plan_instances

COUNT, SIZE = 4, 32


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of four scored instances, about one of which a person has said that its mask is wrong."""
    made = Run(tmp_path / "run", load_config("quickstart"))
    made.folder.mkdir()
    made.save_config()
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[8:24, 6:26] = True
    changes = {
        "image": encode_image(np.full((SIZE, SIZE, 3), 200, dtype=np.uint8), "png"), "image_format": "png",
        "width": SIZE, "height": SIZE, "mask": encode_rle(mask)["counts"], "bbox": (6.0, 8.0, 20.0, 16.0),
        "area_fraction": float(mask.mean()), "annotator": "grabcut", "kept": True, "inter_similarity": 0.7,
        "components": 1,
    }  # fmt: skip
    made.table.ensure_columns(MaskColumns)
    made.table.ensure_columns(SimilarityColumns, ["inter_similarity"])
    made.table.append([record.model_copy(update=changes) for record in plan_instances(COUNT)])
    first = min(made.table.ids())
    VerdictLog(log_path(made.table.path)).append([Verdict(first, "mask", "anna", "2026-01-01T00:00:00+00:00")])
    return made


def correct(run: Run, folder: Path, *more: str) -> Any:
    return CliRunner().invoke(main, ["correct", str(run.folder), str(folder), "--who", "bob", *more])


def redraw_labelme(folder: Path, name: str) -> None:
    path = folder / f"{name}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["shapes"][0]["points"] = [[0, 0], [16, 0], [16, 16], [0, 16]]
    path.write_text(json.dumps(content), encoding="utf-8")


def redraw_coco(folder: Path, name: str) -> None:
    path = folder / "annotations.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    number = next(image["id"] for image in content["images"] if image["file_name"].startswith(name))
    row = next(row for row in content["annotations"] if row["image_id"] == number)
    row |= {"segmentation": [[0, 0, 16, 0, 16, 16, 0, 16]], "bbox": [0, 0, 16, 16], "area": 256}
    path.write_text(json.dumps(content), encoding="utf-8")


def redraw_fiftyone(folder: Path, name: str) -> None:
    path = folder / "samples.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    sample = next(sample for sample in content["samples"] if sample["instance_id"] == name)
    assert sample["tags"] == ["mask"] or sample["tags"] == []
    mask = pack_mask(np.ones((16, 16), dtype=bool))
    sample["ground_truth"]["detections"][0] |= {"bounding_box": [0, 0, 0.5, 0.5], "mask": mask}
    path.write_text(json.dumps(content), encoding="utf-8")


REDRAW = {"labelme": redraw_labelme, "coco": redraw_coco, "fiftyone": redraw_fiftyone}


@pytest.mark.parametrize(("kind", "redraw"), REDRAW.items())
def test_correct__takes_over_what_changed_and_clears_what_was_made_of_it(
    run: Run, tmp_path: Path, kind: str, redraw: Any
) -> None:
    out, first = tmp_path / "fix", min(run.table.ids())
    export_instances(run.table.records(), out, kind)
    untouched = correct(run, out)
    assert f"0 masks corrected, {COUNT} as they were" in untouched.output, untouched.output
    redraw(out, first)
    done = correct(run, out)
    assert done.exit_code == 0 and f"1 masks corrected, {COUNT - 1} as they were" in done.output, done.output
    row = run.table.select(where=f"id = '{first}'").to_pylist()[0]
    assert decode_counts(row["mask"], SIZE, SIZE)[:16, :16].all() and row["bbox"] == [0, 0, 16, 16]
    assert row["annotator"] == f"{kind} (bob)" and row["area_fraction"] == 0.25 and row["border_contact"] > 0.2
    assert row["kept"] is row["inter_similarity"] is row["review"] is None
    assert run.table.count("kept AND inter_similarity > 0.5 AND annotator = 'grabcut'") == COUNT - 1


def test_correct__tells_what_does_not_belong(run: Run, tmp_path: Path) -> None:
    out, first = tmp_path / "fix", min(run.table.ids())
    export_instances(run.table.records(), out, "labelme")
    content = json.loads((out / f"{first}.json").read_text(encoding="utf-8"))
    content["shapes"][0]["label"] = "unicorn"
    (out / f"{first}.json").write_text(json.dumps(content), encoding="utf-8")
    other = next(path for path in out.glob("*.png") if path.stem != first)
    for suffix in (".json", ".png"):
        other.with_suffix(suffix).rename(out / f"stranger{suffix}")
    strange = json.loads((out / "stranger.json").read_text(encoding="utf-8"))
    (out / "stranger.json").write_text(json.dumps(strange | {"imagePath": "stranger.png"}), encoding="utf-8")
    done = correct(run, out)
    assert done.exit_code == 3 and "0 masks corrected, 2 as they were" in done.output, done.output
    assert "is labelled unicorn" in done.output and "no instance of this run has this name" in done.output
    assert run.table.count("annotator = 'grabcut'") == COUNT


def test_correct__what_is_no_mask_of_the_instance_is_a_loss(run: Run, tmp_path: Path) -> None:
    """Of another size, with several pictures (as augmentation makes them), erased; a name in capitals is that name."""
    out, (first, second, third, _) = tmp_path / "fix", sorted(run.table.ids())
    export_instances(list(run.table.records()), out, "coco")
    content = json.loads((out / "annotations.json").read_text(encoding="utf-8"))
    images = {Path(image["file_name"]).stem: image for image in content["images"]}
    objects = {one["image_id"]: one for one in content["annotations"]}
    images[first] |= {"width": 2 * SIZE, "height": 2 * SIZE}
    objects[images[first]["id"]]["segmentation"] = [[0, 0, 32, 0, 32, 32, 0, 32]]
    content["images"].append(images[second] | {"id": 99, "file_name": f"{second}_png.rf.00.png"})
    content["annotations"].append(
        objects[images[second]["id"]] | {"id": 99, "image_id": 99, "segmentation": [[0, 0, 9, 0, 9, 9]]}
    )
    objects[images[third]["id"]]["segmentation"] = {"size": [SIZE, SIZE], "counts": [SIZE * SIZE]}
    for category in content["categories"]:
        category["name"] = category["name"].upper()
    (out / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    done = correct(run, out)
    assert done.exit_code == 3 and "0 masks corrected, 1 as they were" in done.output, done.output
    assert f"{first}: its picture is 64 wide and 64 high there, and 32 wide and 32 high in the run" in done.output
    assert f"{second}: is there as 2 pictures" in done.output and f"{third}: its mask covers no pixel" in done.output
    assert run.table.count("annotator = 'grabcut'") == COUNT


def test_correct__tags_are_verdicts_and_a_deleted_object_is_told(run: Run, tmp_path: Path) -> None:
    out, (_, second, third, _) = tmp_path / "fix", sorted(run.table.ids())
    export_instances(run.table.records(), out, "fiftyone")
    content = json.loads((out / "samples.json").read_text(encoding="utf-8"))
    rows = {sample["instance_id"]: sample for sample in content["samples"]}
    rows[second]["tags"] = ["reject"]
    rows[third]["ground_truth"]["detections"] = []
    (out / "samples.json").write_text(json.dumps(content), encoding="utf-8")
    done = correct(run, out)
    assert done.exit_code == 3 and f"{third}: has no object any more" in done.output, done.output
    assert "tags: 1 verdicts: 1 reject" in done.output and "--redo decide" in done.output
    assert run.table.count(f"id = '{second}' AND review = 'reject' AND reviewer = 'bob'") == 1


@pytest.mark.parametrize("renamed", ["images/1f2e3d4c-{}.png", "{}_png.rf.0123456789abcdef0123456789abcdef.png"])
def test_correct__names_that_label_studio_and_roboflow_lengthen(run: Run, tmp_path: Path, renamed: str) -> None:
    export_instances(list(run.table.records()), tmp_path / "out", "coco")
    first = min(run.table.ids())
    redraw_coco(tmp_path / "out", first)
    file = tmp_path / "out" / "annotations.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    for image in content["images"]:
        old, image["file_name"] = image["file_name"], renamed.format(Path(image["file_name"]).stem)
        (tmp_path / "out/images" / old).rename(tmp_path / "out/images" / Path(image["file_name"]).name)
    file.write_text(json.dumps(content), encoding="utf-8")
    result = correct(run, tmp_path / "out")
    assert (result.exit_code, "1 masks corrected, 3 as they were" in result.output) == (0, True), result.output
