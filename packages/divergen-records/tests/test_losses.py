import json

import click
import pytest
from click.testing import CliRunner
from divergen_records import NothingLeft
from divergen_records.command import Group
from divergen_records.losses import Losses, finish, finishing, losses_file, losses_options


@click.group(cls=Group)
def main():
    pass


@main.command()
@click.argument("out", type=click.Path())
@click.argument("came", type=int)
@click.argument("names", nargs=-1)
@losses_options
def work(out, came, names):
    from pathlib import Path

    losses = Losses((name, "the picture is empty (0 bytes)") for name in names)
    finish(losses, came=came, went=came - len(names), out=Path(out))


def invoke(*words):
    return CliRunner().invoke(main, ["work", *map(str, words)])


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_finish__nothing_lost_is_status_0_and_silence(tmp_path):
    result = invoke(tmp_path / "out", 3)
    assert (result.exit_code, result.output) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_finish__something_lost_is_status_3_counts_names_and_a_file(tmp_path):
    result = invoke(tmp_path / "out", 9, *"abcdefg")
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "pictures: 9 in, 2 out, 7 lost",
        "  a: the picture is empty (0 bytes)",
        "    and 6 more alike: b, c, d, e, …",
        f"  all in {tmp_path / 'out'}.losses.jsonl",
    ]
    assert [row["name"] for row in rows(losses_file(tmp_path / "out"))] == list("abcdefg")


def test_finish__allowed_losses_are_told_with_status_0(tmp_path):
    result = invoke(tmp_path / "out", 9, "a", "--allow-losses")
    assert result.exit_code == 0
    assert "1 lost" in result.stderr


@pytest.mark.parametrize("allowed", [[], ["--allow-losses"]])
def test_finish__nothing_left_is_status_1_allowed_or_not(tmp_path, allowed):
    assert invoke(tmp_path / "out", 1, "a", *allowed).exit_code == 1


def test_finish__what_nobody_named_is_a_loss_too():
    with pytest.raises(click.exceptions.Exit) as caught:
        finish(Losses(), came=3, went=2)
    assert caught.value.exit_code == 3


def test_finish__the_file_of_an_earlier_call_goes(tmp_path):
    invoke(tmp_path / "out", 2, "a")
    invoke(tmp_path / "out", 2)
    assert list(tmp_path.iterdir()) == []


def test_finish__the_file_can_be_named(tmp_path):
    invoke(tmp_path / "out", 2, "a", "--losses", tmp_path / "lost.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["lost.jsonl"]


@pytest.mark.parametrize("names", ["", "a"])
def test_finish__a_file_of_anything_else_is_neither_replaced_nor_removed(tmp_path, names):
    mine = tmp_path / "annotations.json"
    mine.write_text('{"images": []}')
    result = invoke(tmp_path / "out", 3, *names, "--losses", mine)
    assert (result.exit_code, "is no file of losses; choose another name" in result.output) == (2, True)
    assert mine.read_text() == '{"images": []}'


def test_finish__a_name_does_nothing_to_the_terminal_and_is_whole_in_the_file(tmp_path):
    result = invoke(tmp_path / "out", 2, "\x1b]0;owned\x07.jpg")
    assert "\x1b" not in result.output
    assert "\\x1b]0;owned\\x07.jpg" in result.stderr
    assert rows(losses_file(tmp_path / "out"))[0]["name"] == "\x1b]0;owned\x07.jpg"


def test_finish__a_name_that_is_no_utf8(tmp_path):
    losses = Losses([("a\udcff.jpg", "cannot be read")])
    with pytest.raises(click.exceptions.Exit):
        finish(losses, came=2, went=1, out=tmp_path / "out")
    assert rows(losses_file(tmp_path / "out")) == [{"name": "a\\udcff.jpg", "reason": "cannot be read"}]


def test_losses__sentences_without_names():
    losses = Losses()
    losses.extend(["x.json: image 3: no such picture", ("a.jpg", "empty")])
    assert list(losses) == [("", "x.json: image 3: no such picture"), ("a.jpg", "empty")]


def test_finishing__nothing_left_is_told_like_any_loss(tmp_path, capsys):
    losses = Losses([("a.jpg", "the picture is empty (0 bytes)")])
    with pytest.raises(click.exceptions.Exit) as caught, finishing(losses, out=tmp_path / "out"):
        raise NothingLeft("x: no picture can be read")
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err.splitlines()[:3] == [
        "Error: x: no picture can be read",
        "pictures: 1 in, 0 out, 1 lost",
        "  a.jpg: the picture is empty (0 bytes)",
    ]


def test_finishing__nothing_came_in_is_the_error_alone(tmp_path):
    with pytest.raises(NothingLeft, match="0 pictures"), finishing(Losses(), out=tmp_path / "out"):
        raise NothingLeft("0 pictures")
