from __future__ import annotations

import json
from pathlib import Path

import pytest
from divergen_prompts.files import read_prompts
from divergen_prompts.llm.journal import Journal, spent_on
from divergen_records import DatasetError, PromptRecord, RunLocked

CUP = PromptRecord(text="a red cup", category_id=1, category="cup", source="llm")


def test_journal__continues(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "p.jsonl"
    with Journal(path) as journal:
        journal.accept([CUP])
        journal.note(cost=0.25)
        assert read_prompts(path) == [CUP]
    with Journal(path) as journal:
        assert journal.prompts == [CUP]
        assert journal.spent == 0.25
        journal.accept([CUP])
    assert read_prompts(path) == [CUP, CUP]


def test_journal__words_of_a_server_that_are_no_text(tmp_path: Path) -> None:
    with Journal(tmp_path / "p.jsonl") as journal:
        journal.note(cost=0.25, outcome="refused: caf\xe9 \ud83d")
    (line,) = map(json.loads, journal.requests_path.read_text("utf-8").splitlines())
    assert line["outcome"] == "refused: caf\xe9 \ud83d"
    assert spent_on(tmp_path / "p.jsonl") == 0.25


@pytest.mark.parametrize("torn", ['{"text": "a re', "x", '{"text": "half"}'])
def test_journal__cuts_off_what_a_kill_left(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "p.jsonl"
    with Journal(path) as journal:
        journal.accept([CUP])
        journal.note(cost=1)
    for file in (path, journal.requests_path):
        with file.open("a") as end:
            end.write(torn)
    with Journal(path) as journal:
        assert journal.prompts == [CUP]
        journal.accept([CUP])
    assert read_prompts(path) == [CUP, CUP]


def test_journal__one_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "p.jsonl"
    with Journal(path), pytest.raises(RunLocked, match="another process"):
        Journal(path)
    with Journal(path):
        pass


def test_journal__refuses_somebody_elses_file(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("my diary\nday two\n")
    with pytest.raises(DatasetError, match="line 1"):
        Journal(tmp_path / "p.jsonl")
    assert (tmp_path / "p.jsonl").read_text() == "my diary\nday two\n"


@pytest.mark.parametrize("line", ["{", "[1]", "null", '{"cost": "x"}', '{"reserved": NaN}', "[" * 100_000])
def test_journal__a_damaged_line_of_costs_is_one_sentence(tmp_path, line):
    path = tmp_path / "p.jsonl"
    with Journal(path) as journal:
        journal.note(cost=1.0)
    assert spent_on(path) == 1.0
    with journal.requests_path.open("a") as file:
        file.write(f"{line}\n")
    for look in (Journal, spent_on):
        with pytest.raises(DatasetError, match=r"requests, line 2 .*costs count from zero"):
            look(path)
