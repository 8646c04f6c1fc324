from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen_records import ConfigError, InstanceTable
from divergen_records.cli import main
from divergen_records.files import write_text
from divergen_records.formats.registry import read_any
from divergen_records.stores import refuse_store


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s3://bucket/run", "s3://bucket/run: object stores"),
        (Path("gs://bucket/run"), "gs://bucket/run: object stores"),
        ("abfss://me@store.dfs.core.windows.net/run", "abfss://me@store.dfs.core.windows.net/run: object"),
        ("somewhere/hdfs:/cluster/run", "hdfs://cluster/run: object"),
        ("file:///data/run", "give the path alone: /data/run"),
    ],
)
def test_refuse_store__addresses(path: str | Path, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        refuse_store(path)
    assert told in str(error.value)


@pytest.mark.parametrize(
    "path",
    ["runs/a", "/data/s3/run", "C:/data/run", "http://localhost:8000", "https://s3.com/x", "my-s3:/x", "hf://x", "s3:"],
)
def test_refuse_store__anything_else(path: str) -> None:
    refuse_store(path)


@pytest.mark.parametrize("arguments", [["stats", "s3://b/train.json"], ["convert", "in.json", "--format=s3://b/x"]])
def test_commands__address_of_a_store_is_refused(arguments: list[str]) -> None:
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert "object stores are not supported" in found.output


def test_table__address_of_a_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (InstanceTable.create, InstanceTable.open, read_any, lambda path: write_text(f"{path}/a.txt", "")):
        with pytest.raises(ConfigError, match="object stores are not supported"):
            call("s3://bucket/x")
    assert not [*tmp_path.iterdir()]
