from __future__ import annotations

from pathlib import Path

import pytest
from divergen_prompts.files import read_prompts, write_prompts
from divergen_records import DatasetError, ExistsError, PromptRecord

PROMPTS = [
    PromptRecord(text="a red cup", category_id=1, category="cup", source="grammar", attributes={"colour": "red"}),
    PromptRecord(text="a cup “x”", category_id=1, category="cup", source="llm", tokens=5, request_hash="ab"),
]


def test_write_prompts__round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "p.jsonl"
    assert write_prompts(path, iter(PROMPTS)) == 2
    assert read_prompts(path) == PROMPTS
    assert sorted(tmp_path.rglob("*")) == [path.parent, path]


def test_read_prompts__with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_prompts(path, PROMPTS)
    path.write_text(path.read_text("utf-8"), encoding="utf-8-sig")
    assert read_prompts(path) == PROMPTS


def test_write_prompts__never_overwrites_unasked(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("mine\n")
    with pytest.raises(ExistsError, match="is there already"):
        write_prompts(path, PROMPTS)
    assert path.read_text() == "mine\n"
    write_prompts(path, PROMPTS, overwrite=True)
    assert read_prompts(path) == PROMPTS


def test_write_prompts__a_failure_midway_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("mine\n")

    def failing() -> object:
        yield PROMPTS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_prompts(path, failing(), overwrite=True)  # type: ignore[arg-type]
    assert path.read_text() == "mine\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"text": "a", "category_id": 1, "category": "x", "source": "s"}\n{"text": "a"}\n', "line 2: category_id"),
        ("nonsense\n", "line 1"),
        ('{"text": "", "category_id": 1, "category": "x", "source": "s"}\n', "line 1: text"),
        ('{"text": "a", "category_id": 1, "category": "x", "source": "s", "more": 1}\n', "line 1: more"),
    ],
)
def test_read_prompts__names_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "p.jsonl").write_text(text)
    with pytest.raises(DatasetError) as raised:
        read_prompts(tmp_path / "p.jsonl")
    assert said in str(raised.value)


def test_read_prompts__missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_prompts(tmp_path / "none.jsonl")
