import json
import pickle
import shutil
from pathlib import Path
from unittest.mock import Mock

import lance
import pyarrow as pa
import pytest
from divergen_records import (
    Columns,
    CommitError,
    InstanceRecord,
    InstanceTable,
    Int32,
    SchemaTooNew,
    TableError,
    Vector,
    append,
    fill,
    storage,
)
from divergen_records.schema import COLUMNS, VERSION_KEY, arrow_schema, find_marker, to_arrow, writer_in
from divergen_records.testing import FakeSource, FakeStage, plan_instances


class Looks(Columns):
    writer = "looks-and-more"

    parts: Int32 | None = None
    """How many there are."""
    noted: str | None = None
    direction: Vector | None = None


@pytest.fixture
def table(tmp_path: Path) -> InstanceTable:
    return InstanceTable.create(tmp_path / "table.lance")


def _made(count: int) -> list[InstanceRecord]:
    return FakeSource()(list(plan_instances(count)))


def test_create__refuses_what_is_there(table):
    with pytest.raises(TableError, match="exists already"):
        InstanceTable.create(table.path)
    assert InstanceTable.create(table.path, exist_ok=True).count() == 0


def test_create__refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(TableError, match="exists already"):
        InstanceTable.create(tmp_path)
    with pytest.raises(TableError, match="not an instance table"):
        InstanceTable.create(tmp_path, exist_ok=True)


def test_create__where_nothing_can_be_written_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "make_dataset", Mock(side_effect=OSError("Read-only file system (os error 30)")))
    for exist_ok in (False, True):
        with pytest.raises(CommitError, match=r"t\.lance: the new table was not committed: Read-only"):
            InstanceTable.create(tmp_path / "t.lance", exist_ok=exist_ok)


def test_open__no_table(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        InstanceTable.open(tmp_path / "nothing")
    (tmp_path / "_versions").mkdir()
    (tmp_path / "_versions" / "1.manifest").write_bytes(b"not a manifest")
    with pytest.raises(TableError, match="opening the table"):
        InstanceTable.open(tmp_path)


def test_open__another_lance_dataset(tmp_path):
    lance.write_dataset(pa.table({"a": [1]}), tmp_path / "other.lance")
    with pytest.raises(TableError, match="not an instance table"):
        InstanceTable.open(tmp_path / "other.lance")


def test_open__newer_schema(tmp_path):
    schema = arrow_schema().with_metadata({VERSION_KEY: "99"})
    lance.write_dataset(schema.empty_table(), tmp_path / "new.lance")
    with pytest.raises(SchemaTooNew, match=r"new\.lance was written with schema version 99.*upgrade"):
        InstanceTable.open(tmp_path / "new.lance")


def test_open__older_schema_gets_columns(tmp_path):
    fields = [field for field in arrow_schema() if field.name not in {"reject_reason", "bbox"}]
    schema = pa.schema(fields, metadata={VERSION_KEY: "1"})
    lance.write_dataset(to_arrow(_made(3), schema), tmp_path / "old.lance")
    table = InstanceTable.open(tmp_path / "old.lance")
    assert set(COLUMNS) == set(table.columns)
    assert table.count("bbox IS NULL") == 3
    assert lance.dataset(table.path).schema.metadata[VERSION_KEY] == str(InstanceRecord.SCHEMA_VERSION).encode()
    assert {record.id for record in table.records()} == {record.id for record in _made(3)}


def test_append__skips_ids_that_are_there(table):
    records = _made(5)
    assert table.append(records[:3]) == 3
    assert table.append([*records, *records]) == 2
    assert table.append([]) == 0
    assert InstanceTable.open(table.path).append(records) == 0
    assert table.count() == 5


def test_records__round_trip(table):
    table.ensure_columns(Looks)
    full = _made(1)[0].model_copy(
        update={
            "mask": "abc", "bbox": (1.0, 2.0, 3.5, 4.0), "area_fraction": 0.25, "parts": 2, "kept": False,
            "alpha": b"\x00\xff", "reject_reason": "small",
        }
    )  # fmt: skip
    other = _made(2)[1]
    table.append([full, other])
    back = {record.id: record for record in table.records()}
    assert back == {full.id: full, other.id: other}


def test_take__in_order(table):
    records = _made(600)
    table.append(records)
    ids = [records[at].id for at in (555, 3, 111)]
    taken = table.take(ids, ["id", "image"])
    assert taken["id"].to_pylist() == ids
    assert taken["image"].to_pylist() == [records[at].image for at in (555, 3, 111)]
    with pytest.raises(TableError, match="no row 'ffff'"):
        table.take(["ffff"], ["id"])


def test_take__an_id_twice(table):
    records = _made(3)
    table.append(records)
    ids = [records[2].id, records[0].id, records[2].id]
    assert table.take(ids, ["id"])["id"].to_pylist() == ids
    assert table.take([], ["id", "image"]).num_rows == 0


def test_table__pickles_as_its_path(table):
    table.append(_made(3))
    assert pickle.loads(pickle.dumps(table)).ids() == table.ids()


def test_take__after_compaction_and_removal(table):
    records = _made(60)
    for at in range(0, 60, 20):
        table.append(records[at : at + 20])
    table.take([records[0].id], ["id"])
    other = InstanceTable.open(table.path)
    other.compact()
    assert len(other.snapshot().get_fragments()) == 1
    assert table.take([records[59].id, records[0].id], ["id"])["id"].to_pylist() == [records[59].id, records[0].id]


def test_select__where_columns_limit(table):
    table.append(_made(9))
    assert table.select(["id"], "frequency = 'r'").num_rows == 3
    assert table.select({"short": "category_id"}, limit=2).column_names == ["short"]
    assert [len(batch) for batch in table.batches(["id"], batch_size=4)] == [4, 4, 1]


@pytest.mark.parametrize("where", ["nope = 1", "id =", "category_id = 'x' AND"])
def test_select__bad_where(table, where):
    with pytest.raises(TableError, match="where") as caught:
        table.select(["id"], where)
    assert ".rs:" not in str(caught.value)


def test_select__bad_column(table):
    with pytest.raises(TableError, match="nope"):
        table.select(["nope"])


def test_group_counts__values_and_expressions(table):
    table.append(_made(8))
    assert table.group_counts(["frequency"]) == [
        {"frequency": "c", "count": 3},
        {"frequency": "r", "count": 3},
        {"frequency": "f", "count": 2},
    ]
    assert table.group_counts({"masked": "mask IS NOT NULL"}) == [{"masked": False, "count": 8}]


def test_clear__makes_pending(table):
    table.append(_made(6))
    fill(table, FakeStage(), progress=False)
    assert table.clear(["area_fraction", "mask"], "frequency = 'r'") == 2
    assert table.count("area_fraction IS NULL AND mask IS NULL") == 2
    assert table.count("bbox IS NULL") == 0
    with pytest.raises(TableError, match="'prompt' cannot be cleared"):
        table.clear(["prompt"])
    assert table.clear(["embedding"]) == 6


def test_retry_errors__fill_rows_become_pending_and_failed_generation_is_planned_again(table):
    ids = [record.id for record in plan_instances(6)]
    append(table, FakeSource(fail=ids[:1]), plan_instances(6), progress=False)
    fill(table, FakeStage(fail=ids[1:3]), progress=False)
    assert table.errors() == [
        {"error_stage": "annotate", "error": "annotate was asked to fail", "count": 2},
        {"error_stage": "fake", "error": "it was asked to fail", "count": 1},
    ]
    assert table.retry_errors("nobody's") == 0
    assert table.retry_errors("fake") == 1
    assert table.count() == 5
    assert table.retry_errors() == 2
    assert table.errors() == []
    assert append(table, FakeSource(), plan_instances(6), progress=False).done == 1
    assert fill(table, FakeStage(), progress=False).done == 3


def test_keep__only_these_with_all_that_was_filled(table):
    append(table, FakeSource(), plan_instances(6), progress=False)
    fill(table, FakeStage(), progress=False)
    ids = [record.id for record in plan_instances(6)]
    before = {row["id"]: row for row in table.select().to_pylist()}
    assert table.keep({ids[1], ids[4], "of another table"}) == 4
    assert {row["id"]: row for row in table.select().to_pylist()} == {name: before[name] for name in (ids[1], ids[4])}
    assert append(table, FakeSource(), plan_instances(6), progress=False).done == 4
    assert fill(table, FakeStage(), progress=False).done == 4
    assert table.keep(ids) == 0


def test_ensure_vector__another_width(table):
    table.ensure_vector(Looks, "direction", 2)
    table.append([_made(1)[0].model_copy(update={"direction": (1.0, 2.0)})])
    with pytest.raises(TableError, match="vectors of 2 numbers, these have 3"):
        table.ensure_vector(Looks, "direction", 3)
    with pytest.raises(TableError, match="does not fit"):
        table.append([_made(2)[1].model_copy(update={"direction": (1.0, 2.0, 3.0)})])
    assert table.count() == 1
    table.clear(["direction"])
    table.ensure_vector(Looks, "direction", 3)  # none is left, so that another model may make them anew
    table.append([_made(2)[1].model_copy(update={"direction": (1.0, 2.0, 3.0)})])
    assert table.select(["direction"])["direction"].to_pylist() == [None, [1.0, 2.0, 3.0]]


def test_append__too_large_for_the_disk(table, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lance, "write_dataset", full)
    with pytest.raises(CommitError, match=r"No space left.*as it was before"):
        table.append(_made(2))
    monkeypatch.undo()
    assert table.append(_made(2)) == 2


def test_schema__is_that_of_the_record():
    kinds = {field.name: str(field.type) for field in arrow_schema()}
    assert tuple(kinds) == COLUMNS == tuple(InstanceRecord.model_fields)
    assert kinds["id"] == "string" and kinds["seed"] == "int64" and kinds["width"] == "int32"
    assert kinds["image"] == "binary" and kinds["kept"] == "bool" and kinds["area_fraction"] == "float"
    assert json.loads(arrow_schema().metadata[VERSION_KEY]) == InstanceRecord.SCHEMA_VERSION


def test_ensure_columns__says_who_declares_them(table):
    table.ensure_columns(Looks, ["parts", "noted"])
    version = table.snapshot().version
    table.ensure_columns(Looks, ["parts"])
    assert table.snapshot().version == version
    assert [name for name in table.columns if name not in COLUMNS] == ["parts", "noted"]
    assert writer_in(table.schema.field("parts")) == "looks-and-more"
    assert writer_in(table.schema.field("prompt")) is None


def test_ensure_columns__two_types_of_one_column(table):
    class Others(Columns):
        writer = "others"
        parts: str | None = None

    class Own(Columns):
        writer = "own"
        width: float | None = None

    class Flat(Columns):
        direction: float | None = None

    table.ensure_columns(Looks)
    with pytest.raises(TableError, match=r"'parts'.*int32 by looks-and-more, string by others"):
        table.ensure_columns(Others)
    with pytest.raises(TableError, match=r"'width'.*int32 by InstanceRecord, double by own"):
        table.ensure_columns(Own)
    table.ensure_vector(Looks, "direction", 2)
    with pytest.raises(TableError, match=r"'direction'.*by looks-and-more, double"):
        table.ensure_columns(Flat)


def test_append__a_column_that_nobody_declared(table):
    with pytest.raises(TableError, match="'colour', which the table lacks; it has id, category_id"):
        table.append([_made(1)[0].model_copy(update={"colour": "red"})])
    assert table.count() == 0


@pytest.fixture
def second(tmp_path: Path) -> InstanceTable:
    """A table as schema version 2 wrote it: one row failed in generation, one in embedding, two are scored."""
    shutil.copytree(Path(__file__).parent / "data" / "schema2.lance", tmp_path / "second.lance")
    return InstanceTable.open(tmp_path / "second.lance")


def test_open__schema_2_keeps_its_columns(second):
    assert second.schema.metadata[VERSION_KEY] == b"3"
    assert {"embedding", "mask_score", "contribution"} < set(second.columns)
    scores = [(record.model_extra or {}).get("inter_similarity") for record in second.records()]
    assert [score is not None for score in scores] == [True, True, False, False]
    assert InstanceTable.open(second.path).snapshot().version == second.snapshot().version


def test_open__schema_2_is_carried_on(second):
    second.retry_errors()
    append(second, FakeSource(), plan_instances(6), progress=False)
    old = second.count("embedding IS NOT NULL")
    fill(second, FakeStage(), progress=False)
    assert fill(second, FakeStage("embed", ("image",), ("embedder", "embedding")), progress=False).done == 6 - old
    assert fill(second, FakeStage("score", ("embedding",), ("inter_similarity",)), progress=False).done == 6 - old
    field = second.schema.field("embedding")
    assert writer_in(field).startswith("divergen-records ") and find_marker(second.schema, "embedding") == "embedder"
    assert writer_in(second.schema.field("sharpness")) is None
    assert second.count("inter_similarity IS NOT NULL AND mask IS NOT NULL") == 6


@pytest.mark.parametrize("name", ["~", "x:y", "s3", "memory:x"])
def test_create__a_relative_path_means_a_folder_and_nothing_else(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    table = InstanceTable.create(Path(name) / "table.lance")
    table.append(list(plan_instances(1)))
    assert InstanceTable.open(tmp_path / name / "table.lance").count() == 1
