from __future__ import annotations

from pathlib import Path

import pytest
from divergen_records import DatasetError
from divergen_records.losses import Losses
from divergen_records.picture_lists import find_list, read_list


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.jsonl", '{"file_name": "a.png", "label": "cup"}\n\n{"file_name": "b/c.png", "label": 2}\n'),
        (
            "metadata.jsonl",
            '{"file_name": "a.png", "label": "cup", "text": "a\u2028b"}\r\n{"file_name": "b/c.png", "label": 2}\r\n',
        ),
        ("metadata.csv", "\ufeffFile_Name;Class;text\n./a.png;cup;x\nb\\c.png;2;y\n"),
        ("metadata.csv", 'image,category,text\na.png,cup,"one, red"\nb/c.png,2,"two\nlines"\n'),
    ],
)
def test_read_list__forms(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    losses = Losses()
    assert read_list(find_list(tmp_path) or tmp_path, losses) == {"a.png": "cup", "b/c.png": "2"}
    assert not losses


def test_read_list__rows_that_say_nothing_are_losses(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,label\na.png,cup\na.png,dog\nb.png,\n,cup\n")
    losses = Losses()
    assert read_list(tmp_path / "metadata.csv", losses) == {"a.png": "cup"}
    assert [name for name, _ in losses] == ["a.png", "b.png", "metadata.csv, row 4"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "metadata.jsonl",
            '{"file_name": "a.png", "text": "a cup"}',
            r"no column for the categories .*, but 'file_name', 'text'",
        ),
        ("metadata.csv", "text,label\na,b\n", "no column for the pictures"),
        ("metadata.jsonl", "[1]", "line 1: expected an object"),
        ("metadata.jsonl", '{"file_name', "line 1: not JSON"),
        ("metadata.jsonl", "", "but none"),
        ("metadata.parquet", "PAR1", "is no Parquet file, or damaged"),
    ],
)
def test_read_list__says_what_is_wrong(name: str, text: str, said: str, tmp_path: Path) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=said):
        read_list(tmp_path / name, Losses())


def test_find_list__none_and_several(tmp_path: Path) -> None:
    assert find_list(tmp_path) is None
    for name in ("metadata.csv", "metadata.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=r"metadata\.jsonl and metadata\.csv; leave one"):
        find_list(tmp_path)
