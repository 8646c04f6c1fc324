"""Small files of others: a sentence for whatever else they are."""

from __future__ import annotations

import os

import pytest
from divergen_records.errors import ConfigError, DatasetError
from divergen_records.files import parse_json, read_json, read_text, refuse_pipe


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty"), (" \n", "empty"), ("{", "not JSON"), ("[" * 200_000, "too deep"), ('{"a":' * 200_000, "too deep")],
    ids=["empty", "blank", "cut", "lists", "objects"],
)
def test_json__trouble_is_one_sentence(tmp_path, text, says):
    with pytest.raises(DatasetError, match=rf"where: .*{says}"):
        parse_json(text, "where")
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(DatasetError, match=rf"plan\.json: damaged \(.*{says}.*\); make it again"):
        read_json(tmp_path / "plan.json", "make it again")


def test_parse_json__numbers_that_are_none_and_the_callers_error():
    assert parse_json('{"a": [1, Infinity]}', "x") == {"a": [1, float("inf")]}
    with pytest.raises(ConfigError):
        parse_json("x", "x", error=ConfigError)


def test_read_text__a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(DatasetError, match=rf"{name}: a pipe or a device"):
            read_text(tmp_path / name)


def test_read_text__what_a_shell_writes_is_read():
    read, write = os.pipe()
    os.write(write, b"cup\n")
    os.close(write)
    try:
        assert read_text(f"/dev/fd/{read}") == "cup\n"
    finally:
        os.close(read)


def test_refuse_pipe__is_silent_about_files_folders_and_nothing(tmp_path):
    refuse_pipe(tmp_path)
    refuse_pipe(tmp_path / "nothing")
