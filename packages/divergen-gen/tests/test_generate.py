import pytest
from divergen_gen import generate, plan
from divergen_gen.testing import FakeGenerator
from divergen_records import ConfigError, InstanceTable, PromptRecord, Shard


def prompts(*names):
    return [PromptRecord(text=f"one {n}", category_id=i, category=n, source="template") for i, n in enumerate(names)]


@pytest.fixture
def table(tmp_path):
    return InstanceTable.create(tmp_path / "instances.lance")


def test_generate__makes_what_the_table_lacks(table):
    generators = [FakeGenerator("a"), FakeGenerator("b", fails_on=["car"])]
    planned = plan(prompts("cup", "car"), generators, counts=6)
    reports = generate(table, planned, generators, progress=False)
    assert [(r.name, r.done, r.failed) for r in reports] == [("a", 6, 0), ("b", 3, 3)]
    assert table.ids() == {record.id for record in planned}
    again = generate(table, planned, generators, progress=False)
    assert [(r.done, r.skipped) for r in again] == [(0, 6), (0, 6)]


def test_generate__a_second_generator_costs_its_own_rows(table):
    first, second = FakeGenerator("a"), FakeGenerator("b")
    generate(table, plan(prompts("cup"), [first], counts=4), [first], progress=False)
    both = plan(prompts("cup"), [first, second], counts=8)
    generate(table, both, [first, second], progress=False)
    assert (sum(first.calls), sum(second.calls)) == (4, 4)


def test_generate__shards_add_up(table):
    generator = FakeGenerator()
    planned = plan(prompts("cup", "car"), [generator], counts=10)
    done = [generate(table, planned, [generator], shard=Shard(i, 3), progress=False)[0].done for i in range(3)]
    assert sum(done) == 20
    assert table.ids() == {record.id for record in planned}


def test_generate__refuses_other_generators(table):
    generator = FakeGenerator("a")
    planned = plan(prompts("cup"), [generator], counts=1)
    with pytest.raises(ConfigError, match="names generator 'a'"):
        generate(table, planned, [FakeGenerator("b")])
    with pytest.raises(ConfigError, match="plan again"):
        generate(table, planned, [FakeGenerator("a", size=64)])
