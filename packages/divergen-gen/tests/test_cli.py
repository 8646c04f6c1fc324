import pytest
from click.testing import CliRunner
from divergen_gen.cli import main
from divergen_records import InstanceTable, PromptRecord
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
    output = call("plan", prompts, "--per-category", 6, "-g", "fake,size=32", "--dry-run", "--rate", 2)
    assert "18 pictures of 3 prompts" in output
    assert "fake: 18 pictures at 2.0/s: 9 s" in output


def test_run__fills_a_table_and_continues(prompts, tmp_path):
    table = tmp_path / "t.lance"
    arguments = ("run", prompts, "--table", table, "--per-category", 2, "-g", "fake,fails_on=dragon")
    output = call(*arguments, status=3)
    assert "4 made, 2 failed" in output
    assert "rows: 6 in, 4 out, 2 lost" in output and "(dragon): the fake generator does not make 'dragon'" in output
    assert "0 made, 0 failed, 6 were there" in call(*arguments, "--allow-losses")
    assert InstanceTable.open(table).count("image IS NOT NULL") == 4


def test_preview__writes_a_sheet_and_does_not_overwrite(prompts, tmp_path):
    sheet = tmp_path / "sheet.png"
    generators = ("-g", "fake,fails_on=dragon", "-g", "fake,size=64,name=b")
    call("preview", prompts, "--out", sheet, "--each", 2, "-c", "cup", "-c", "dragon", *generators, status=3)
    assert read_image(sheet).shape == (3 * 18 + 2 * 128, 2 * 2 * 128, 3)
    assert "--overwrite" in call("preview", prompts, "--out", sheet, *generators, status=2)
    assert "ends in .jpg" in call("preview", prompts, "--out", tmp_path / "sheet.gif", *generators, status=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-g", "magic"), "generator 'magic': kind"),
        (("-g", "fake,size=big"), "size: "),
        (("-g", "fake,size"), "'size': expected key=value"),
        (("-g", "fake", "--per-category", 1, "--total", 3), "give exactly one"),
        (("-g", "fake", "--per-frequency", "r=2"), "has no frequency group"),
        (("-g", "fake", "--weight", "x=2"), "no generator is called 'x'"),
    ],
)
def test_plan__says_what_is_wrong(prompts, arguments, message):
    assert message in call("plan", prompts, *arguments, status=2)
