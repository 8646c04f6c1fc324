import errno

import click
import pytest
from click.testing import CliRunner
from divergen_records import DatasetError
from divergen_records.command import Group


@click.group(cls=Group)
def main():
    pass


@main.command()
def refuse():
    raise DatasetError("x.json: no images; add some")


@main.command()
def fill_disk():
    raise OSError(errno.ENOSPC, "No space left on device", "run/report.html")


@main.command()
def fail():
    raise ValueError("a bug")


def test_group__an_error_is_one_sentence():
    result = CliRunner().invoke(main, ["refuse"])
    assert result.exit_code == 2
    assert result.output == "Error: x.json: no images; add some\n"


def test_group__a_full_disk_is_no_bug():
    result = CliRunner().invoke(main, ["fill-disk"])
    assert result.exit_code == 2
    assert result.output.startswith("Error: run/report.html: No space left on device; free some room")


def test_group__a_bug_keeps_its_trace():
    with pytest.raises(ValueError, match="a bug"):
        CliRunner().invoke(main, ["fail"], catch_exceptions=False)
