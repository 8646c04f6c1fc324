import json
import shutil

import pytest
from click.testing import CliRunner
from divergen_records import InstanceRecord
from divergen_records.cli import main
from divergen_records.coco import read_dataset
from divergen_records.columns import declared_columns
from divergen_records.formats import read_any


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", [[], ["schema"], ["check"], ["convert"], ["table"]])
def test_help__teaches(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_schema__of_each_record():
    found = json.loads(run("schema").output)["properties"]
    assert set(found) == {*InstanceRecord.model_fields, *declared_columns()}
    assert all("x-writer" in found[name] for name in declared_columns())
    assert "text" in json.loads(run("schema", "prompt").output)["required"]
    assert json.loads(run("schema", "category").output)["title"] == "Category"


def test_check__sound(content, write):
    path = write(content)
    result = run("check", path, "--images", path.parent / "images", "--decode")
    assert result.exit_code == 0
    assert "no problems" in result.output
    assert "categories   2 (rare 2, common 0, frequent 0)" in result.output


def test_check__prints_all_problems(content, write):
    content["annotations"] = [{"id": key} for key in range(12)]
    result = run("check", write(content))
    assert result.exit_code == 1
    assert result.stdout.count("missing required field") == 12
    assert "12 problems" in result.stderr


def test_check__objects_that_stand_twice_are_told(content, write):
    content["annotations"].append(content["annotations"][0] | {"id": 9})
    result = run("check", write(content))
    assert "note: 1 objects stand twice, as annotations 1 and 9: one mask of one category" in result.output


def test_check__pictures_of_another_size_than_declared_are_told(content, write):
    content["images"][0] |= {"width": 12, "height": 9}
    result = run("check", path := write(content))
    assert "size: 1 of 2 pictures have another than declared, as 'a.png': 10 wide and 8 high" in result.output
    shutil.rmtree(path.parent / "images")
    assert "size: " not in run("check", path).output


def test_check__unreadable_picture(content, write):
    path = write(content)
    (path.parent / "images" / "b.png").write_bytes(b"")
    assert run("check", path).exit_code == 0
    result = run("check", path, "--decode")
    assert result.exit_code == 1
    assert "empty (0 bytes)" in result.output


def test_check__no_file(tmp_path):
    result = run("check", tmp_path / "gone.json")
    assert result.exit_code == 2
    assert "there is no such file" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("kind", ["coco", "lvis"])
def test_convert__file(content, write, tmp_path, kind):
    path = write(content)
    result = run("convert", path, tmp_path / "x.json", "--format", kind)
    assert "2 images, 3 annotations" in result.output
    assert read_dataset(tmp_path / "x.json").annotations == read_dataset(path).annotations
    again = run("convert", path, tmp_path / "x.json", "--format", kind)
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert run("convert", path, tmp_path / "x.json", "--format", kind, "--overwrite").exit_code == 0


@pytest.mark.parametrize(("masks", "file"), [("instance", "b/3.png"), ("label", "b.png")])
def test_convert__png(content, write, tmp_path, masks, file):
    result = run("convert", write(content), tmp_path / "out", "--format", "png", "--masks", masks)
    assert result.exit_code == 0
    assert (tmp_path / "out" / file).is_file()


def test_convert__skip_leaves_a_missing_picture_out(content, write, tmp_path):
    path = write(content)
    (path.parent / "images" / "a.png").unlink()
    stopped = run("convert", path, tmp_path / "x", "--format", "coco")
    assert (stopped.exit_code, "'a.png' is not in the folder" in stopped.output) == (2, True)
    result = run("convert", path, tmp_path / "x", "--format", "coco", "--on-problem", "skip")
    assert result.exit_code == 3, result.output
    assert [image["id"] for image in json.loads((tmp_path / "x/annotations.json").read_text())["images"]] == [2]
    assert run("convert", path, tmp_path / "x.json", "--format", "coco").exit_code == 0


@pytest.mark.parametrize("kind", ["labelme", "fiftyone", "webdataset", "xpaste-pool", "yolo"])
def test_convert__pictures_that_are_missing_or_others_are_left_out(content, write, tmp_path, kind):
    content["images"].append({"id": 3, "width": 10, "height": 8, "file_name": "c.png"})
    content["images"][1] |= {"width": 8, "height": 10}
    path = write(content)
    result = run("convert", path, tmp_path / "x", "--format", kind, "--on-problem", "skip")
    assert result.exit_code == 3, result.output
    assert "file_name 'c.png' is not in the folder" in result.output
    assert "image 2: b.png: the picture is 10 wide and 8 high, the data set says 8 and 10" in result.output
    assert "annotation 2 of image 2: its picture is left out" in result.output
    assert (tmp_path / "x").is_dir()


def test_convert__a_file_alone_needs_no_pictures(content, write, tmp_path):
    """Copies of the pictures elsewhere below are nobody's business."""
    path = write(content)
    shutil.copytree(path.parent / "images", path.parent / "y")
    (path.parent / "images").rename(path.parent / "x")
    assert run("convert", path, tmp_path / "x.json", "--format", "coco").exit_code == 0
    result = run("convert", path, tmp_path / "x", "--format", "coco")
    assert (result.exit_code, "are there more than once" in result.output) == (2, True)


def test_convert__the_file_of_the_folder_that_is_read_is_not_replaced(content, write):
    path = write(content)
    before = path.read_bytes()
    result = run("convert", path.parent, path, "--format", "coco", "--overwrite")
    assert (result.exit_code, "is not replaced: this command reads" in result.output) == (2, True)
    assert path.read_bytes() == before
    assert run("convert", path.parent, path.parent / "x.json", "--format", "coco", "--overwrite").exit_code == 0


@pytest.mark.parametrize("name", ["fiftyone", "labelme", "xpaste-pool", "yolo", "coco"])
def test_convert__a_folder_that_is_none_of_the_format_said_is_refused(tmp_path, name):
    (tmp_path / "data").mkdir()
    result = run("convert", tmp_path / "data", tmp_path / "x.json", "--format", "coco", "--from", name)
    assert (result.exit_code, (tmp_path / "x.json").exists()) == (2, False)


def test_convert__a_picture_that_is_cut_off_has_no_cutouts(content, write, tmp_path):
    path = write(content)
    picture = path.parent / "images" / "a.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    result = run("convert", path, tmp_path / "x", "--format", "xpaste-pool")
    assert result.exit_code == 3, result.output
    assert "image 1: " in result.output


def test_convert__objects_that_yolo_cannot_hold_are_told(content, write, tmp_path):
    content["annotations"][0]["segmentation"] = {"size": [8, 10], "counts": [80]}
    result = run("convert", write(content), tmp_path / "x", "--format", "yolo")
    assert result.exit_code == 3, result.output
    assert "its mask covers no pixel" in result.output
    assert "note: 1 regions of many objects (iscrowd) are no objects of yolo" in result.output


@pytest.mark.parametrize("name", ["yolo", "labelme", "xpaste-pool"])
def test_convert__crowds_are_neither_written_nor_counted_where_there_are_none(content, write, tmp_path, name):
    result = run("convert", write(content), tmp_path / "x", "--format", name)
    assert "2 images, 2 annotations" in result.output
    assert len(read_any(tmp_path / "x").annotations) == 2


def test_convert__a_file_without_pictures_is_told(content, write, tmp_path):
    path = write({**content, "images": [], "annotations": []})
    result = run("convert", path, tmp_path / "x.json", "--format", "coco")
    assert (result.exit_code, f"note: {path} has no pictures" in result.output) == (0, True)


def test_check__a_box_alone_is_no_problem(content, write):
    content["annotations"][0]["segmentation"] = []
    result = run("check", write(content), "--decode")
    assert (result.exit_code, "1 of 3 objects have a box alone" in result.output) == (0, True)


def test_convert__skip_problems(content, write, tmp_path):
    content["annotations"][0]["image_id"] = 9
    path = write(content)
    assert run("convert", path, tmp_path / "x.json", "--format", "coco").exit_code == 2
    result = run("convert", path, tmp_path / "x.json", "--format", "coco", "--on-problem", "skip")
    assert result.exit_code == 3
    assert "left out: annotations[0].image_id" in result.stderr
    assert len(read_dataset(tmp_path / "x.json").annotations) == 2


def test_check__compares_what_is_declared(content, write):
    content["annotations"][0] |= {"area": 400, "bbox": [2, 1, 6, 5]}
    content["annotations"][1]["area"] = 0
    content["categories"].append({"id": 3, "name": "spare"})
    output = run("check", write(content)).output
    assert "note: area: 1 of 3 differ from their mask's, by a factor of 25" in output
    assert "note: bbox: 1 of 3 differ from their mask's (1 are corners [x0, y0, x1, y1]" not in output
    assert "note: 1 of 3 categories have no object: spare" in output


def test_check__says_what_repair_mends(content, write):
    content["images"][0]["width"] = str(content["images"][0]["width"])
    path = write(content)
    assert "--on-problem repair mends 1 at least" in run("check", path).stderr
    assert run("check", path, "--on-problem", "repair").exit_code == 0


def test_check__one_file_under_two_ids(content, write):
    content["images"].append(content["images"][0] | {"id": 9})
    assert "1 files are pictures of more than one image id, as 'a.png'" in run("check", write(content)).output


def test_check__outlines_in_shares(content, write):
    content["annotations"] = content["annotations"][:1]
    path = write(content)
    assert "shares of" not in run("check", path).output
    content["annotations"][0]["segmentation"] = [[0.1, 0.1, 0.9, 0.1, 0.9, 1.0]]
    assert "they are shares of width and height" in run("check", write(content)).output


def test_check__corners_for_a_box(content, write):
    for image in content["images"]:
        image |= {"width": 100, "height": 80}
    square = [[20, 10, 60, 10, 60, 50, 20, 50]]
    content["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 10, 60, 50], "area": 1600, "segmentation": square}
    ]
    assert (
        "bbox: 1 of 1 differ from their mask's (1 are corners [x0, y0, x1, y1]" in run("check", write(content)).output
    )
