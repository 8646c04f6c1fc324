import pytest
from click.testing import CliRunner
from divergen_gen.cli import main
from divergen_records import InstanceTable, PromptRecord
from divergen_records.coco import read_dataset
from divergen_records.images import read_image


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    rows = [
        PromptRecord(text=f"a {name}, in a white background", category_id=i, category=name, source="template")
        for i, name in enumerate(("cup", "apple", "dragon"))
    ]
    path.write_text("\n".join(row.model_dump_json() for row in rows))
    return str(path)


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_plan__prints_counts_and_estimates(prompts):
    output = call("plan", prompts, "--per-category", 6, "-g", "procedural,size=32", "--dry-run", "--rate", 2)
    assert "18 pictures of 3 prompts" in output
    assert "procedural: 18 pictures at 2.0/s: 9 s" in output


def test_run__fills_a_table_and_continues(prompts, tmp_path):
    table = tmp_path / "t.lance"
    arguments = ("run", prompts, "--table", table, "--per-category", 2, "-g", "procedural,size=32")
    output = call(*arguments)
    assert "4 made, 2 failed" in output
    assert "2 x the procedural renderer has no program for category 'dragon'" in output
    assert "0 made, 0 failed, 6 were there" in call(*arguments)
    assert InstanceTable.open(table).count("image IS NOT NULL") == 4


def test_preview__writes_a_sheet_and_does_not_overwrite(prompts, tmp_path):
    sheet = tmp_path / "sheet.png"
    generators = ("-g", "procedural,size=32", "-g", "procedural,size=32,name=cgi,style=cgi")
    call("preview", prompts, "--out", sheet, "--each", 2, "-c", "cup", "-c", "dragon", *generators)
    assert read_image(sheet).shape == (3 * 18 + 2 * 128, 2 * 2 * 128, 3)
    assert "--overwrite" in call("preview", prompts, "--out", sheet, *generators, status=2)
    assert "ends in .jpg" in call("preview", prompts, "--out", tmp_path / "sheet.gif", *generators, status=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-g", "magic"), "generator 'magic': kind"),
        (("-g", "procedural,style=oil"), "style: 'oil' is not a style"),
        (("-g", "procedural,style"), "'style' is not KEY=VALUE"),
        (("--per-category", 1, "--total", 3), "give exactly one"),
        (("--per-frequency", "r=2"), "has no frequency group"),
        (("--weight", "x=2"), "no generator is called 'x'"),
    ],
)
def test_plan__says_what_is_wrong(prompts, arguments, message):
    assert message in call("plan", prompts, *arguments, status=2)


def test_minilvis__makes_a_dataset(tmp_path):
    out = tmp_path / "mini"
    arguments = ("--train-images", 10, "--val-images", 10, "--size", 64, "--categories", "cup,apple,lemon")
    output = call("minilvis", "--out", out, "--workers", 1, *arguments)
    assert output.split()[-2:] == [str(out / "train.json"), str(out / "val.json")]
    assert [c.name for c in read_dataset(out / "train.json").categories] == ["apple", "cup", "lemon"]
    assert "is there already" in call("minilvis", "--out", out, status=2)
