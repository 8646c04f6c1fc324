import pytest
from divergen_records import Columns, ConfigError, MaskError, Shard, Source, Stage, map_rows, short_hash


def test_map_rows__one_call_per_row():
    batch = {"row": ["a", "b"], "width": [2, 4], "height": [5, 5]}
    result = map_rows(lambda row, width, height: {"area": width * height}, batch, ["area"])
    assert result == {"area": [10, 20], "error": [None, None]}


def test_map_rows__a_row_that_fails_leaves_the_others():
    def invert(x):
        if x == 0:
            raise MaskError("nothing there")
        return {"y": 1 / x}

    assert map_rows(invert, {"x": [2, 0, 4]}, ["y"]) == {"y": [0.5, None, 0.25], "error": [None, "nothing there", None]}


def test_map_rows__a_bug_is_not_a_row_error():
    with pytest.raises(ZeroDivisionError):
        map_rows(lambda x: {"y": 1 / x}, {"x": [0]}, ["y"])


def test_map_rows__columns_that_are_not_declared_are_left_out():
    assert map_rows(lambda x: {"y": x, "z": x}, {"x": [1]}, ["y"]) == {"y": [1], "error": [None]}


def test_shard__parse():
    assert Shard.parse("3/8") == Shard(3, 8)


@pytest.mark.parametrize("text", ["8/8", "1", "a/b", "-1/4", "1/0", "", "0/4/2"])
def test_shard__parse_refuses(text):
    with pytest.raises(ConfigError, match="shard"):
        Shard.parse(text)


def test_shard__every_id_belongs_to_one_shard():
    ids = [short_hash(number) for number in range(200)]
    counts = [sum(Shard(index, 4).has(one) for one in ids) for index in range(4)]
    assert sum(counts) == 200
    assert min(counts) > 25


def test_protocols__are_told_at_run_time():
    class Area:
        name, reads, writes, columns = "area", ("width",), ("area_fraction",), Columns

        def __call__(self, batch):
            return {}

    assert isinstance(Area(), Stage)
    assert isinstance(Area(), Source)
    assert not isinstance(object(), Stage)
