import json
import subprocess
import sys
from pathlib import Path

import divergen_paste
import numpy as np
import pytest
from click.testing import CliRunner
from divergen_paste.cli import main
from divergen_records.coco import write_lvis
from divergen_records.images import encode_image


@pytest.fixture
def annotations(dataset):
    return str(write_lvis(dataset.path, dataset.images, dataset.annotations, dataset.categories))


def run(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_all_commands(annotations, tmp_path):
    pool, out = tmp_path / "pool", tmp_path / "out"
    output = run("pool", annotations, "--out", pool)
    assert "6 instances of 2 categories" in output
    assert f"next: divergen-paste bake {annotations} {pool} --out augmented" in output
    assert "0 problems" in run("verify", pool)
    run("stats", annotations, "--out", tmp_path / "s.json")
    assert set(json.loads((tmp_path / "s.json").read_text())) == {"1", "7"}
    run("preview", annotations, pool, "--out", tmp_path / "sheet.jpg", "--count", 2)
    run("bake", annotations, pool, "--out", out, "--yolo", "-s", "max_instances=3")
    assert (out / "annotations.json").is_file()
    assert (out / "data.yaml").is_file()


def test_nothing_is_overwritten_unasked(annotations, tmp_path):
    run("pool", annotations, "--out", tmp_path / "pool")
    run("pool", annotations, "--out", tmp_path / "pool", status=2)
    (tmp_path / "there").write_text("mine")
    run("stats", annotations, "--out", tmp_path / "there", status=2)
    run("preview", annotations, tmp_path / "pool", "--out", tmp_path / "there", status=2)
    assert (tmp_path / "there").read_text() == "mine"


def test_pool__says_what_it_left_out_and_lost(annotations, dataset, tmp_path):
    dataset.image_path(dataset.images[1]).unlink()
    out = tmp_path / "pool"
    output = run("pool", annotations, "--out", out, "--min-area", 1600, status=1)
    assert "gives no instance (1 x DatasetError" in output or "gives no instance (1 x ImageError" in output
    output = run("pool", annotations, "--out", out, "--whole-only", "--min-area", 1600 - 50, status=3)
    assert "instances: 5 in, 4 out, 1 lost" in output
    assert "1.png" in (tmp_path / "pool.losses.jsonl").read_text()
    run("pool", annotations, "--out", out, "--overwrite", "--allow-losses")
    assert "--overwrite" in run("pool", annotations, "--out", out, status=2)


@pytest.mark.parametrize("kind", ["missing", "truncated", "wrong size"])
def test_bake__losses(annotations, dataset, tmp_path, kind):
    run("pool", annotations, "--out", tmp_path / "pool")
    path = dataset.image_path(dataset.images[1])
    data = {"missing": None, "truncated": path.read_bytes()[:2000], "wrong size": picture(10, 10)}[kind]
    path.unlink() if data is None else path.write_bytes(data)
    bake = ["bake", annotations, tmp_path / "pool", "--out", tmp_path / "out", "--overwrite"]
    output = run(*bake, status=3)
    assert "pictures: 3 in, 2 out, 1 lost" in output
    assert "1.png" in output
    assert "2 of the pool's 2 categories are in the data set, by name" in output
    run(*bake, "--allow-losses")
    for info in dataset.images:
        dataset.image_path(info).unlink(missing_ok=True)
    for more in ([], ["--images", dataset.image_dir, "--on-problem", "skip"]):
        output = run(*bake[:-2], tmp_path / "empty", *more, status=1)
        assert "0 out" in output
        assert "1.png" in (tmp_path / "empty.losses.jsonl").read_text()
        assert not (tmp_path / "empty").exists()


def picture(height, width):
    return encode_image(np.zeros((height, width, 3), np.uint8), "png")


def test_bake__formats_and_validation(annotations, tmp_path):
    run("pool", annotations, "--out", tmp_path / "pool")
    out = tmp_path / "out"
    output = run("bake", annotations, tmp_path / "pool", "--out", out, "--format", "png", "--yolo")
    assert "data.yaml must name validation pictures" in output
    assert f"next: yolo segment train model=yolo11n-seg.pt data={out / 'data.yaml'}" in output
    assert (out / "png" / "instances.jsonl").is_file()
    assert "val: images" in (out / "data.yaml").read_text()
    output = run("bake", annotations, tmp_path / "pool", "--out", out, "--yolo", "--val", annotations, "--overwrite")
    assert "data.yaml must name" not in output
    assert "3 of 3 validation pictures are training pictures too" in output
    assert "val: val/images" in (out / "data.yaml").read_text()
    assert not (out / "png").exists()


def test_bake__one_folder_of_several_splits(annotations, tmp_path):
    run("pool", annotations, "--out", tmp_path / "pool")
    run("bake", annotations, tmp_path / "pool", "--out", tmp_path / "yolo", "--yolo", "--val", annotations)
    baked = ["bake", tmp_path / "yolo", tmp_path / "pool", "--out", tmp_path / "out", "--copies", "0"]
    output = run(*baked, "--yolo", "--val", tmp_path / "yolo")
    assert "train is read" in output
    assert "val is read" in output
    assert "training pictures too" not in output
    count = len(list((tmp_path / "yolo" / "images").iterdir()))
    assert len(list((tmp_path / "out" / "images").iterdir())) == count
    assert len(list((tmp_path / "out" / "val" / "images").iterdir())) == 3


def test_bake__an_object_that_covers_no_pixel_gets_no_label_and_is_told(annotations, tmp_path):
    run("pool", annotations, "--out", tmp_path / "pool")
    content = json.loads(Path(annotations).read_text())
    content["annotations"][0]["segmentation"] = [[1, 1, 1, 1, 1, 1]]
    Path(annotations).write_text(json.dumps(content))
    bake = ["bake", annotations, tmp_path / "pool", "--out", tmp_path / "out", "--yolo"]
    assert "its mask covers no pixel" in run(*bake, status=3)


@pytest.mark.parametrize("name", ["yolo", "labelme"])
def test_bake__crowds_that_a_format_has_no_place_for_are_told(annotations, tmp_path, name):
    content = json.loads(Path(annotations).read_text())
    content["annotations"][0]["iscrowd"] = 1
    Path(annotations).write_text(json.dumps(content))
    run("pool", annotations, "--out", tmp_path / "pool")
    output = run("bake", annotations, tmp_path / "pool", "--out", tmp_path / "out", "--format", name)
    assert f"note: 1 regions of many objects (iscrowd) are no objects of {name}; not written" in output


def test_categories__unmatched(annotations, dataset, tmp_path):
    """A pool of extra categories, and the same ids for other things."""
    run("pool", annotations, "--out", tmp_path / "pool")
    names = {1: "gazebo", 3: "cup", 7: "apple"}
    categories = [category.model_copy(update={"name": names[category.id]}) for category in dataset.categories]
    other = str(write_lvis(tmp_path / "data" / "other.json", dataset.images, dataset.annotations[1::2], categories))
    for command, out in (("bake", "baked"), ("preview", "sheet.jpg")):
        arguments = [command, other, tmp_path / "pool", "--out", tmp_path / out]
        run(*arguments)
    pasted = json.loads((tmp_path / "baked" / "annotations.json").read_text())["annotations"]
    sources = {row["source"]: row["category_id"] for row in pasted if "source" in row}
    assert all(key == 3 for source, key in sources.items() if int(source.split(":")[1]) % 2)
    lacking = [category for category in categories if category.name != "cup"]
    other = str(write_lvis(tmp_path / "data" / "lacking.json", dataset.images, dataset.annotations[1::2], lacking))
    for command, out in (("bake", "less"), ("preview", "less.jpg")):
        arguments = [command, other, tmp_path / "pool", "--out", tmp_path / out]
        assert "cup (no category has this name)" in run(*arguments, status=2)
        output = run(*arguments, "--unmatched", "leave-out")
        assert "1 of the pool's 2 categories are in the data set, by name; left out: cup" in output


def test_errors_are_a_sentence(annotations, tmp_path):
    assert "does not exist" in run("pool", tmp_path / "none", "--out", tmp_path / "p", status=2)
    assert "has no pool.json" in run("bake", annotations, tmp_path, "--out", tmp_path / "o", status=2)
    run("pool", annotations, "--out", tmp_path / "pool")
    output = run("bake", annotations, tmp_path / "pool", "--out", tmp_path / "o", "-s", "blen=1", status=2)
    assert "blen: there is no such key; did you mean 'blend'?" in output


@pytest.mark.parametrize("command", [None, "pool", "verify", "stats", "preview", "bake"])
def test_help__shows_an_example(command):
    assert "divergen-paste " in run(*([command] if command else []), "--help")


def test_import__is_light():
    code = "import divergen_paste.cli, sys; print([m for m in ('torch', 'cv2', 'lance', 'numpy') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"


def test_exports__sorted_and_there():
    assert divergen_paste.__all__ == sorted(divergen_paste.__all__)
    assert all(hasattr(divergen_paste, name) for name in divergen_paste.__all__)
    assert callable(divergen_paste.bake)
    assert callable(divergen_paste.paste)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["preview", "{data}", "{pool}", "--out", "sheet.gif"], "sheet.gif: a sheet is a .jpg or .png file"),
        (["preview", "{data}", "{pool}", "--out", "sheet.jpg", "--start", "50"], "has 3 images, none at 50"),
        (["bake", "{data}", "{pool}", "--out", "out", "--copies", "0", "--no-originals"], "nothing would be written"),
        (["bake", "{data}", "{pool}", "--out", "out", "--copies", "-1"], "not in the range"),
        (["bake", "{data}", "{data}", "--out", "out"], "is not an instance pool"),
        (["bake", "{data}", "{pool}", "--out", "{pool}", "--overwrite"], "is not replaced: this command reads"),
        (
            ["pool", "{data}", "--out", "out", "--where", "kept AND rank < 5"],
            "is a dataset, of which nothing is chosen",
        ),
        (["pool", "{data}", "--out", "out", "--categories", "{data}"], "nothing is chosen by categories; leave it out"),
    ],
)
def test_commands__refuse_what_has_no_meaning(annotations, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    run("pool", annotations, "--out", "pool")
    assert said in run(*(word.format(data=annotations, pool="pool") for word in words), status=2)
    assert Path("pool/pool.json").exists()
    assert not Path("out").exists()
