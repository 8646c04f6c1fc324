from __future__ import annotations

from datetime import timedelta

import pytest
from divergen_records import InstanceTable, append, fill, storage, upkeep
from divergen_records.testing import FakeSource, FakeStage, plan_instances
from lance.commit import CommitConflictError


@pytest.fixture
def table(tmp_path, monkeypatch):
    """An empty table whose fragments are full at 40 rows, and whose versions are removed as soon as may be."""
    monkeypatch.setattr(storage, "FRAGMENT_ROWS", 40)
    monkeypatch.setattr(upkeep, "_MERGED_ROWS", 160)
    monkeypatch.setattr(upkeep, "_THIN_EVERY", 4)
    monkeypatch.setattr(upkeep, "_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(upkeep, "KEEP", timedelta(0))
    return InstanceTable.create(tmp_path / "table.lance")


RECORDS = list(plan_instances(200))


def batched(records, count):
    return [records[at : at + count] for at in range(0, len(records), count)]


def sizes(table: InstanceTable) -> list[int]:
    return [part.physical_rows for part in table.snapshot().get_fragments()]


def test_append__merges_and_thins_as_it_goes(table):
    made = FakeSource()(RECORDS)
    for few in batched(made, 3):
        assert table.append(few) == len(few)
        assert table.append(few) == 0
    assert [row.id for row in table.records()] == [row.id for row in made]
    assert [row.image for row in table.records()] == [row.image for row in made]
    assert len(sizes(table)) < 5 + 40 / 3
    assert len(list((table.path / "_versions").glob("*.manifest"))) < 30
    assert len(list((table.path / "data").iterdir())) == len(sizes(table))


def test_append__two_handles_see_each_other_through_merges_and_removals(table):
    other, made = InstanceTable.open(table.path), FakeSource(fail={RECORDS[5].id})(RECORDS)
    for number, few in enumerate(batched(made, 7)):
        (table, other)[number % 2].append(few)
        assert table.append(few) == other.append(few) == 0
    assert other.retry_errors() == 1
    assert table.append(made[:10]) == 1 and other.append(made[:10]) == 0
    assert sorted(table.select(["id"])["id"].to_pylist()) == sorted(row.id for row in RECORDS)


def test_fill__goes_on_where_its_snapshot_was_merged_and_removed(table, monkeypatch):
    monkeypatch.setattr("divergen_records.pending.READ_PICTURES", 8)
    append(table, FakeSource(), RECORDS[:38], commit_rows=4, progress=False)
    other = InstanceTable.open(table.path)

    class Overtaken(FakeStage):
        def __call__(self, batch):
            other.append(FakeSource()(RECORDS[38 + len(self.calls) : 39 + len(self.calls)]))
            other.compact()
            return super().__call__(batch)

    stage = Overtaken()
    assert fill(table, stage, batch_size=4, progress=False).done == 38
    assert [name for call in stage.calls for name in call] == [row.id for row in RECORDS[:38]]
    fill(table, FakeStage(), progress=False)
    for row in table.records():
        assert row.mask == FakeStage()._value("mask", row.id)


def test_append__overtaken_merge_costs_no_row_and_waits(table, monkeypatch):
    tries = []

    def overtaken(dataset, **limits):
        tries.append(limits)
        raise CommitConflictError("preempted")

    monkeypatch.setattr(storage, "compact", overtaken)
    for few in batched(FakeSource()(RECORDS), 2):
        table.append(few)
    assert table.count() == 200 and len(tries) == 3
    assert tries[0] == {"max_source_rows": 160}


def test_append__an_old_table_of_small_fragments_is_merged_little_by_little(table, monkeypatch):
    made = FakeSource()(RECORDS)
    monkeypatch.setattr(upkeep.Merger, "merge", lambda *_: False)
    for few in batched(made[:-20], 4):
        table.append(few)
    monkeypatch.undo()
    monkeypatch.setattr(storage, "FRAGMENT_ROWS", 40)
    monkeypatch.setattr(upkeep, "_MERGED_ROWS", 80)
    for one in made[-20:]:
        table.append([one])
    assert table.ids() == {row.id for row in RECORDS} and len(sizes(table)) < 25
