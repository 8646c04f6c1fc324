from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path

KILLED = """
import os, signal, sys
from divergen_filter.review import verdicts
log = verdicts.VerdictLog(verdicts.Path(sys.argv[1]))
log.append([verdicts.Verdict("a", "keep", "anna")])
log.append([verdicts.Verdict("b", "reject", "anna")])
os.kill(os.getpid(), signal.SIGKILL)
"""


def said(*ids, review="keep", reviewer="anna"):
    return [Verdict(key, review, reviewer, "2026-01-01T00:00:00+00:00") for key in ids]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "instances.reviews.jsonl"


def test_append__another_reader_sees_it(path):
    log, other = VerdictLog(path), VerdictLog(path)
    log.append(said("a", "b"))
    assert other.catch_up() == 2 and other.last("a") == log.last("a") == said("a")[0]
    other.append(said("a", review="reject"))
    assert log.catch_up() == 3 and log.last("a").review == "reject"
    assert log.counts == {"keep": 1, "reject": 1}


def test_append__what_somebody_else_said_meanwhile_stays(path):
    anna, bob = VerdictLog(path), VerdictLog(path)
    bob.append(said("a", review="reject", reviewer="bob"))
    refused = anna.append(said("a", "b"), seen={"a": 0, "b": 0})
    assert [verdict.id for verdict in refused] == ["a"]
    assert anna.last("a").reviewer == "bob" and anna.last("b").reviewer == "anna"
    assert not anna.append(said("a"), seen={"a": anna.version("a")})
    assert anna.last("a").reviewer == "anna"


def test_append__own_earlier_verdict_is_no_obstacle(path):
    log = VerdictLog(path)
    log.append(said("a"), seen={"a": 0})
    assert not log.append(said("a", review="mask"), seen={"a": 0})


def test_append__survives_a_kill(path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {key: one.review for key, one in VerdictLog(path).state().items()} == {"a": "keep", "b": "reject"}


@pytest.mark.parametrize("half", [b'{"id":"b","rev', b"\xff\xfe", b"{}"])
def test_append__after_half_a_line(path, half):
    VerdictLog(path).append(said("a"))
    with path.open("ab") as file:
        file.write(half)
    log = VerdictLog(path)
    assert log.last("b") is None
    log.append(said("c"))
    again = VerdictLog(path)
    assert set(again.state()) == {"a", "c"} and again.damaged == [2]


@pytest.mark.parametrize(("table", "log"), [("a.lance", "a"), ("trial.v1", "trial.v1"), ("trial.v2", "trial.v2")])
def test_log_path__is_each_tables_own(tmp_path, table, log):
    assert log_path(tmp_path / table) == tmp_path / f"{log}.reviews.jsonl"
