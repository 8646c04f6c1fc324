import json
import subprocess
import sys

import divergen_paste
import pytest
from click.testing import CliRunner
from divergen_paste.cli import main
from divergen_records.coco import write_lvis


@pytest.fixture
def annotations(dataset):
    return str(write_lvis(dataset.path, dataset.images, dataset.annotations, dataset.categories))


def run(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_all_commands(annotations, tmp_path):
    pool, out = tmp_path / "pool", tmp_path / "out"
    assert "6 instances of 2 categories" in run("pool", annotations, "--out", pool)
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
