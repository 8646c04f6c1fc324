from click.testing import CliRunner
from divergen_minilvis.cli import main
from divergen_records.coco import read_dataset


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_make__makes_a_dataset(tmp_path):
    out = tmp_path / "mini"
    arguments = ("--train-images", 10, "--val-images", 10, "--size", 64, "--categories", "cup,apple,lemon")
    output = call("make", "--out", out, "--workers", 1, *arguments)
    assert f"{out / 'train.json'}\n{out / 'val.json'}\n" in output
    assert f"data={out}" in output.splitlines()[-1]  # the next step
    assert [c.name for c in read_dataset(out / "train.json").categories] == ["apple", "cup", "lemon"]
    assert "is there already" in call("make", "--out", out, status=2)


def test_categories__are_listed():
    assert {"cup", "teapot"} <= set(call("categories").split())
