from typing import Annotated

import pytest
from divergen_records import Columns, ConfigError, Float32, Vector, columns
from divergen_records.columns import (
    Arrow,
    column_type,
    declared_columns,
    is_number,
    marker_of,
    merge_columns,
    writer_of,
)
from divergen_records.testing import FakeColumns


class First(Columns):
    writer = "first"

    score: Float32 | None = None
    """Higher is better."""
    embedding: Annotated[tuple[float, ...], Arrow("vector", marker="model")] | None = None
    flag: bool | None = None
    model: str | None = None


class Second(First):
    writer = "second"

    other: int | None = None


def test_column_type__and_what_a_rule_can_compare():
    kinds = {name: column_type(field) for name, field in Second.model_fields.items()}
    assert kinds == {"score": "float32", "embedding": "vector", "flag": "bool", "model": "str", "other": "int"}
    assert [name for name, field in Second.model_fields.items() if is_number(field)] == ["score", "flag", "other"]
    assert marker_of(First.model_fields["embedding"]) == "model" and marker_of(First.model_fields["score"]) is None
    assert First.model_fields["score"].description == "Higher is better."


def test_writer_of__the_first_owner():
    assert writer_of(Second, "score") == "first" and writer_of(Second, "other") == "second"

    class Unsigned(Columns):
        __module__ = "some_package.stages"
        x: int | None = None

    assert writer_of(Unsigned, "x") == "some-package"
    assert writer_of(FakeColumns, "embedder").startswith("divergen-records ")


@pytest.mark.parametrize(
    ("kind", "default", "message"),
    [(list | None, None, "no column is a list; known are bool"), (int, 0, "is optional"), (int, ..., "is optional")],
)
def test_columns__refuses(kind, default, message):
    with pytest.raises(ConfigError, match=message):
        type("Bad", (Columns,), {"__annotations__": {"x": kind}, **({} if default is ... else {"x": default})})


def test_merge_columns__two_types_of_one_column():
    class Third(Columns):
        writer = "third"
        score: str | None = None

    assert merge_columns([First, Second])["score"] is First
    with pytest.raises(ConfigError, match=r"'score' with different types: first as float32, third as str"):
        merge_columns([First, Third])


def test_declared_columns__of_installed_packages(monkeypatch):
    class Point:
        def __init__(self, name, found):
            self.name, self.load = name, lambda: found

    class ScoreConfig:
        columns = Second

    points = {"divergen.columns": [Point("a", First)], "divergen.scores": [Point("b", ScoreConfig)]}
    monkeypatch.setattr(columns, "entry_points", lambda group: points[group])
    assert list(declared_columns()) == ["score", "embedding", "flag", "model", "other"]


def test_vector__is_a_declared_type():
    class Own(Columns):
        direction: Vector | None = None

    assert column_type(Own.model_fields["direction"]) == "vector"


def test_columns__a_type_that_is_known_to_the_checker_alone():
    with pytest.raises(ConfigError, match=r"Mine\.score: 'Absent \| None' is not known .*not under TYPE_CHECKING"):

        class Mine(Columns):
            score: "Absent | None" = None  # noqa: F821
