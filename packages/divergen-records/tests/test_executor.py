from pathlib import Path

import numpy as np
import pytest
from divergen_records import (
    Columns,
    CommitError,
    InstanceTable,
    Shard,
    Stage,
    TableError,
    Vector,
    append,
    fill,
    results,
)
from divergen_records.errors import SourceEnded
from divergen_records.testing import FakeSource, FakeStage, plan_instances
from hypothesis import given, settings
from hypothesis import strategies as st


class Measured(Columns):
    wide: bool | None = None
    label: str | None = None
    direction: Vector | None = None
    unused: int | None = None


@pytest.fixture
def table(tmp_path: Path) -> InstanceTable:
    table = InstanceTable.create(tmp_path / "table.lance")
    append(table, FakeSource(), plan_instances(20), commit_rows=8, progress=False)
    return table


def _rows(table: InstanceTable) -> list[dict]:
    return sorted((record.model_dump() for record in table.records()), key=lambda row: row["id"])


def test_append__only_what_is_lacking(table):
    source = FakeSource()
    report = append(table, source, plan_instances(23), progress=False)
    assert (report.name, report.done, report.failed, report.skipped) == ("fake", 3, 0, 20)
    assert sum(map(len, source.calls)) == 3
    assert len(table.snapshot().get_fragments()) == 4


def test_append__a_planned_id_twice_is_made_once(table):
    plan = [*plan_instances(22), *plan_instances(22)]
    assert append(table, FakeSource(), plan, progress=False).done == 2


def test_append__source_without_result(table):
    def blank(records):
        return records

    blank.name = "blank"
    report = append(table, blank, plan_instances(21), progress=False)
    assert (report.done, report.failed) == (0, 1)
    assert table.errors()[0]["error"] == "blank gave no picture, no size and no error"


def test_append__a_source_that_ends_leaves_the_rest_to_be_made(table):
    class Ends(FakeSource):
        def __call__(self, records):
            error = SourceEnded("no server")
            error.made = super().__call__(records[:3])
            raise error

    with pytest.raises(SourceEnded, match="no server"):
        append(table, Ends(), plan_instances(26), progress=False)
    assert table.count() == table.count("error IS NULL") == 23


def test_append__source_with_other_records(table):
    class Wrong(FakeSource):
        def __call__(self, records):
            return super().__call__(records)[:-1]

    with pytest.raises(TableError, match="must return each planned record"):
        append(table, Wrong(), plan_instances(25), progress=False)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_append__interrupted_keeps_what_is_done(table, raised):
    class Stops(FakeSource):
        def __call__(self, records):
            if len(self.calls) == 2:
                raise raised
            return super().__call__(records)

    with pytest.raises(raised):
        append(table, Stops(), plan_instances(40), batch_size=4, progress=False)
    assert table.count() == 28


def test_fill__all_types_of_columns(table):
    writes = ("area_fraction", "mask", "bbox", "embedder", "embedding", "kept")
    report = fill(table, FakeStage(writes=writes), batch_size=3, progress=False)
    assert (report.name, report.done, report.failed, report.skipped) == ("annotate", 20, 0, 0)
    row = next(table.records())
    expected = FakeStage(writes=writes)({"id": [row.id]})
    assert row.mask == expected["mask"][0]
    assert list(row.bbox) == expected["bbox"][0]
    assert row.area_fraction == expected["area_fraction"][0]
    assert row.model_extra["embedding"] == expected["embedding"][0]
    assert row.kept == expected["kept"][0]


def test_fill__nothing_pending_calls_nobody(table):
    fill(table, FakeStage(), progress=False)
    stage, version = FakeStage(), table.snapshot().version
    assert fill(table, stage, progress=False).done == 0
    assert stage.calls == []
    assert table.snapshot().version == version


def test_fill__images_are_not_rewritten(table):
    before = {part.fragment_id: part.metadata.files[0].path for part in table.snapshot().get_fragments()}
    fill(table, FakeStage(), progress=False)
    assert {part.fragment_id: part.metadata.files[0].path for part in table.snapshot().get_fragments()} == before


def test_fill__rows_that_are_not_ready_are_skipped(table):
    score = FakeStage("score", ("embedding", "category_id"), ("inter_similarity",))
    assert fill(table, score, progress=False).skipped == 20
    ids = sorted(table.ids())
    fill(table, FakeStage("embed", ("image",), ("embedder", "embedding"), fail=ids[:5]), progress=False)
    report = fill(table, score, progress=False)
    assert (report.done, report.skipped) == (15, 0)
    append(table, FakeSource(), plan_instances(22), progress=False)
    assert fill(table, score, progress=False).skipped == 2


def test_fill__reads_nothing_or_what_it_writes(table):
    fill(table, FakeStage(), progress=False)
    assert fill(table, FakeStage("count", ("id",), ("kept",)), progress=False).done == 20
    assert fill(table, FakeStage("embed", (), ("embedder", "embedding")), progress=False).done == 20
    assert fill(table, FakeStage("repair", ("mask",), ("inter_similarity", "mask")), progress=False).done == 20


def test_fill__vectors_come_as_an_array(table):
    fill(table, FakeStage("embed", ("image",), ("embedder", "embedding")), progress=False)
    seen = []

    class Score(FakeStage):
        def __call__(self, batch):
            seen.append(batch["embedding"])
            assert batch["embedding"].flags.writeable
            return super().__call__(batch)

    fill(table, Score("score", ("embedding",), ("inter_similarity",)), batch_size=16, progress=False)
    assert [(part.shape, part.dtype) for part in seen] == [((16, 4), np.float32), ((4, 4), np.float32)]


def test_fill__arrays_are_as_good_as_lists(table):
    class Arrays(FakeStage):
        def __call__(self, batch):
            result = super().__call__(batch)
            return {name: values if name == "error" else np.array(values) for name, values in result.items()}

    writes = ("area_fraction", "mask", "bbox", "embedder", "embedding", "kept")
    fill(table, Arrays(writes=writes), progress=False)
    rows = _rows(table)
    table.clear(writes)
    fill(table, FakeStage(writes=writes), progress=False)
    assert _rows(table) == rows


def test_fill__another_width_of_vectors(table):
    fill(table, FakeStage("embed", ("image",), ("embedder", "embedding")), progress=False)
    table.clear(["embedder", "embedding"])  # none is left: another model may make them anew
    fill(table, FakeStage("embed", ("image",), ("embedder", "embedding"), dim=6), progress=False)
    assert {len(vector) for vector in table.select(["embedding"])["embedding"].to_pylist()} == {6}


def test_fill__failed_rows_have_error_and_no_values(table):
    ids = sorted(table.ids())
    report = fill(table, FakeStage(fail=ids[:3]), batch_size=4, progress=False)
    assert (report.done, report.failed) == (17, 3)
    assert table.ids("error_stage = 'annotate' AND mask IS NULL AND bbox IS NULL") == set(ids[:3])
    assert fill(table, FakeStage(), progress=False).done == 0


def test_fill__no_value_and_no_error_is_an_error(table):
    class Blank(FakeStage):
        def __call__(self, batch):
            return {"area_fraction": [None] * len(batch["id"]), "mask": [None] * len(batch["id"])}

    assert fill(table, Blank(writes=("area_fraction", "mask")), progress=False).failed == 20
    assert table.errors()[0]["error"] == "annotate gave neither area_fraction nor an error"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"mask": ["x"] * 20}, "returned no column 'area_fraction'"),
        ({"area_fraction": [0.5], "mask": ["x"] * 20}, "returned 1 values of 'area_fraction' for a batch of 20 rows"),
        ({"area_fraction": ["half"] * 20, "mask": ["x"] * 20}, "values of 'area_fraction' do not fit"),
    ],
)
def test_fill__results_that_do_not_fit(table, result, message):
    class Wrong(FakeStage):
        def __call__(self, batch):
            return result

    with pytest.raises(TableError, match=message):
        fill(table, Wrong(writes=("area_fraction", "mask")), progress=False)


def test_fill__unknown_column(table):
    with pytest.raises(TableError, match="reads the column 'depth', which no stage has written yet; the table has id,"):
        fill(table, FakeStage(reads=("depth",)), progress=False)
    with pytest.raises(TableError, match="'depth', which neither FakeColumns declares nor InstanceRecord has"):
        fill(table, FakeStage(writes=("depth",)), progress=False)
    with pytest.raises(TableError, match="object is no stage: it needs name"):
        fill(table, object(), progress=False)
    with pytest.raises(TableError, match="writes no column"):
        fill(table, FakeStage(writes=()), progress=False)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_fill__interrupted_keeps_what_is_done(table, raised):
    class Stops(FakeStage):
        def __call__(self, batch):
            if len(self.calls) == 3:
                raise raised
            return super().__call__(batch)

    with pytest.raises(raised):
        fill(table, Stops(), batch_size=4, progress=False)
    assert table.count("mask IS NOT NULL") == 12
    assert fill(table, FakeStage(), progress=False).done == 8


def test_fill__commits_finished_fragments_as_it_goes(table, monkeypatch):
    monkeypatch.setattr(results, "COMMIT_EVERY", 0.0)
    seen = []

    class Looks(FakeStage):
        def __call__(self, batch):
            seen.append(table.count("mask IS NOT NULL"))
            return super().__call__(batch)

    fill(table, Looks(), batch_size=6, progress=False)
    assert seen == [0, 0, 8, 16]


def test_fill__commits_a_part_of_a_slow_fragment(table, monkeypatch):
    monkeypatch.setattr(results, "COMMIT_LATEST", 0.0)
    seen = []

    class Looks(FakeStage):
        def __call__(self, batch):
            seen.append(table.count("mask IS NOT NULL"))
            return super().__call__(batch)

    fill(table, Looks(), batch_size=6, progress=False)
    assert seen == [0, 6, 12, 18]


def test_fill__appends_and_compaction_meanwhile(table):
    class Busy(FakeStage):
        def __call__(self, batch):
            if not self.calls:
                other = InstanceTable.open(table.path)
                append(other, FakeSource(), plan_instances(30), progress=False)
                other.compact()
            return super().__call__(batch)

    assert fill(table, Busy(), batch_size=4, progress=False).done == 20
    assert table.count("mask IS NOT NULL") == 20
    assert table.count() == 30


def test_fill__another_stage_on_the_same_fragments_meanwhile(table):
    embed = FakeStage("embed", ("image",), ("embedder", "embedding"))

    class Busy(FakeStage):
        def __call__(self, batch):
            if len(self.calls) == 1:
                fill(InstanceTable.open(table.path), embed, progress=False)
            return super().__call__(batch)

    fill(table, Busy(), batch_size=8, progress=False)
    assert table.count("mask IS NOT NULL AND embedding IS NOT NULL") == 20


@pytest.mark.parametrize("count", [2, 3])
def test_shards__do_each_row_once(table, count):
    stages = [FakeStage() for _ in range(count)]
    for index, stage in enumerate(stages):
        fill(table, stage, shard=Shard(index, count), progress=False)
    done = [name for stage in stages for call in stage.calls for name in call]
    assert sorted(done) == sorted(table.ids())
    sources = [FakeSource() for _ in range(count)]
    for index, source in enumerate(sources):
        append(table, source, plan_instances(50), shard=Shard(index, count), progress=False)
    made = [name for source in sources for call in source.calls for name in call]
    assert len(made) == len(set(made)) == 30
    assert table.count() == 50


def test_shards__progress_counts_the_own_rows(table, capsys):
    plan = list(plan_instances(50))
    for index in range(2):
        own = sum(Shard(index, 2).has(record.id) for record in plan[20:])
        append(table, FakeSource(), plan, shard=Shard(index, 2))
        assert capsys.readouterr().err.startswith(f"fake: {own}/{own} rows, ")


def test_shards__progress_of_a_plan_that_is_read_once_is_about(table, capsys):
    append(table, FakeSource(), plan_instances(50), shard=Shard(0, 2), total=50)
    done, _, total = capsys.readouterr().err.split()[1].partition("/")
    assert 0 < int(done) <= int(total) <= 25


@settings(max_examples=15, deadline=None)
@given(
    count=st.integers(0, 40),
    commit_rows=st.integers(1, 20),
    batch_size=st.integers(1, 9),
    fail=st.sets(st.integers(0, 39)),
    shards=st.integers(1, 3),
)
def test_run__the_same_table_whatever_the_batches(tmp_path_factory, count, commit_rows, batch_size, fail, shards):
    plan = list(plan_instances(count))
    bad = {plan[at].id for at in fail if at < count}
    tables = []
    for number, (parts, rows, size) in enumerate([(1, 512, 32), (shards, commit_rows, batch_size)]):
        table = InstanceTable.create(tmp_path_factory.mktemp("run") / f"{number}.lance")
        for index in range(parts):
            shard = Shard(index, parts)
            append(table, FakeSource(), plan, shard=shard, commit_rows=rows, batch_size=size, progress=False)
            fill(table, FakeStage(fail=bad), shard=shard, batch_size=size, progress=False)
        tables.append(_rows(table))
    assert tables[0] == tables[1]
    assert [row["id"] for row in tables[0] if row["error"]] == sorted(bad)


def test_fill__disk_full_in_a_commit(table, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lance.LanceDataset.commit", full)
        with pytest.raises(CommitError, match="No space left"):
            fill(table, FakeStage(), progress=False)
    assert table.count("mask IS NOT NULL") == 0
    assert fill(table, FakeStage(), progress=False).done == 20


def test_fill__adds_the_columns_that_the_stage_declares(table):
    class Measure:
        name, reads, writes, columns = "measure", ("width",), ("wide", "label", "direction"), Measured

        def __call__(self, batch):
            return {
                "wide": [width > 4 for width in batch["width"]],
                "label": ["x"] * len(batch["id"]),
                "direction": np.ones((len(batch["id"]), 2)),
            }

    assert isinstance(Measure(), Stage)
    assert fill(table, Measure(), progress=False).done == 20
    assert "unused" not in table.columns
    row = next(table.records()).model_extra
    assert row == {"wide": True, "label": "x", "direction": [1.0, 1.0]}
    assert table.count("wide AND label = 'x'") == 20
    append(table, FakeSource(), plan_instances(21), progress=False)
    assert fill(table, Measure(), progress=False).done == 1


def test_fill__a_column_of_another_type(table):
    class Wide(Columns):
        writer = "wide"
        embedder: float | None = None

    stage = FakeStage("wide", ("width",), ("embedder",))
    fill(table, stage, progress=False)
    stage.columns = Wide
    with pytest.raises(TableError, match=r"'embedder'.*string by divergen-records .*, double by wide"):
        fill(table, stage, progress=False)
