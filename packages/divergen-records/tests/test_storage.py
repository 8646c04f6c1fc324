from pathlib import Path

import pytest
from divergen_records import CommitError, TableError
from divergen_records.storage import commit_again, reading
from lance.commit import CommitConflictError


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("divergen_records.storage.time.sleep", lambda _: None)


@pytest.mark.parametrize("conflicts", [0, 1, 29])
def test_commit_again__until_it_goes_through(conflicts):
    calls = []

    def attempt() -> str:
        calls.append(1)
        if len(calls) <= conflicts:
            raise CommitConflictError("preempted")
        return "done"

    assert commit_again(Path("t"), "rows", attempt) == "done"
    assert len(calls) == conflicts + 1


def test_commit_again__overtaken_for_ever():
    def attempt() -> None:
        raise CommitConflictError("preempted")

    with pytest.raises(CommitError, match="t: rows was overtaken by other writers 30 times"):
        commit_again(Path("t"), "rows", attempt)


def test_reading__says_what_and_not_where_in_lance():
    with pytest.raises(TableError) as caught, reading(Path("t"), "columns a"):
        raise ValueError("Invalid user input: no field a, /build/lance/rust/x.rs:1:2")
    assert str(caught.value) == "t: columns a: no field a"
