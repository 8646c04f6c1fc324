import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen_records import Columns, InstanceRecord, InstanceTable, append, fill
from divergen_records.table_cli import table as command
from divergen_records.testing import FakeSource, FakeStage, plan_instances


@pytest.fixture
def table(tmp_path: Path) -> InstanceTable:
    ids = [record.id for record in plan_instances(6)]
    table = InstanceTable.create(tmp_path / "table.lance")
    append(table, FakeSource(fail=ids[:1]), plan_instances(6), progress=False)
    fill(table, FakeStage(fail=ids[1:2]), progress=False)
    return table


def _run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_status__counts_by_frequency(table):
    lines = [line.split() for line in _run("status", table.path).splitlines()]
    assert lines == [
        ["frequency", "rows", "generated", "masked", "embedded", "scored", "decided", "kept", "failed"],
        ["r", "2", "1", "1", "0", "0", "0", "0", "1"],
        ["c", "2", "2", "1", "0", "0", "0", "0", "1"],
        ["f", "2", "2", "2", "0", "0", "0", "0", "0"],
        ["all", "6", "5", "4", "0", "0", "0", "0", "2"],
    ]


def test_errors__and_retry(table):
    assert "annotate  annotate was asked to fail" in _run("errors", table.path)
    assert _run("retry", table.path, "--stage", "annotate") == "1 row is pending again\n"
    assert _run("retry", table.path) == "1 row is pending again\n"
    assert _run("errors", table.path) == "no row failed\n"


def test_head__is_light(table):
    rows = [json.loads(line) for line in _run("head", table.path, "-n", 2, "--where", "mask IS NOT NULL").splitlines()]
    assert len(rows) == 2
    assert all("image" not in row and row["width"] == 8 for row in rows)


def test_export_records__are_records(table):
    lines = _run("export-records", table.path, "--images").splitlines()
    records = {record.id: record for record in map(InstanceRecord.model_validate_json, lines)}
    assert records == {record.id: record for record in table.records()}
    assert "image" not in json.loads(_run("export-records", table.path).splitlines()[-1])


def test_compact__keeps_rows(table):
    before = sorted(table.records(), key=lambda record: record.id)
    _run("compact", table.path)
    assert sorted(table.records(), key=lambda record: record.id) == before


def test_errors_of_use__are_one_sentence(table, tmp_path):
    assert "does not exist" in _run("status", tmp_path / "none", status=2)
    assert "No field named nope" in _run("head", table.path, "--where", "nope = 1", status=2)


def test_columns__who_declares_them_and_what_is_unknown(table):
    class Beauty(Columns):
        writer = "beauty-pack"
        beauty: float | None = None

    table.ensure_columns(Beauty)
    lines = {line.split()[0]: line.split()[1:] for line in _run("columns", table.path).splitlines()}
    assert lines["area_fraction"] == ["float", "4", "InstanceRecord"]
    assert lines["beauty"][:3] == ["double", "0", "beauty-pack"]
    assert "no installed package declares" in " ".join(lines["beauty"])
    assert "no installed package declares: beauty" in _run("status", table.path)
