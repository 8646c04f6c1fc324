"""A run lies on a disk: an address of a store is refused by every command that works in one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from divergen.cli import main

RUN = "s3://bucket/run"


@pytest.mark.parametrize(
    "line",
    [
        ["run", "quickstart", "--out", RUN],
        ["quickstart", "--out", RUN],
        ["ablate", "filter", "--out", RUN],
        ["grow", RUN, "--budget", "3"],
        *(["status", RUN], ["report", RUN], ["review", RUN], ["correct", RUN, "folder"]),
    ],
    ids=lambda line: line[0],
)
def test_main__a_run_on_a_store_is_refused(line: list[str]) -> None:
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 2, result.output
    assert f"{RUN} is on an object store, and this needs a path of this machine" in result.output
