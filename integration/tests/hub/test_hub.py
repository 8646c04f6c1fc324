"""Kept instances to the hub and back: a dataset that others read, a card that says what made it."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from divergen import Run
from divergen.cli import main
from divergen.hub import Published, pull, push, read_instances, write_instances
from divergen_records import InstanceTable
from divergen_records.errors import DatasetError, ExistsError, TableError, WeightsError
from PIL import Image

from .conftest import Hub


def test_push_and_pull__the_same_instances(finished: Run, hub: Hub, tmp_path: Path) -> None:
    pushed = push(finished, "org/name", private=True)
    assert hub.files is not None
    assert hub.private
    assert {"README.md", "report.html", "data/instances-00000.parquet"} <= set(hub.files)
    table = pull("org/name", tmp_path / "back.lance")
    columns = ["id", "category", "prompt", "seed", "generator_revision", "image", "alpha", "mask", "bbox", "kept"]
    ours = finished.table.select(columns, "kept AND mask IS NOT NULL").sort_by("id")
    assert table.select(columns).sort_by("id").equals(ours)
    assert table.count() == pushed.count > 0


def test_push__over_something_only_on_request(finished: Run, hub: Hub) -> None:
    hub.files = {"notes.txt": b"mine", "data/old.parquet": b"stale"}
    with pytest.raises(ExistsError, match="holds 2 files; --overwrite"):
        push(finished, "org/name")
    push(finished, "org/name", overwrite=True)
    assert "data/old.parquet" not in hub.files
    assert hub.files["notes.txt"] == b"mine"


def test_push__what_the_hub_says_is_a_sentence(finished: Run, hub: Hub) -> None:
    hub.refuses = 403
    done = CliRunner().invoke(main, ["push", str(finished.folder), "org/name"])
    assert done.exit_code == 2
    assert "org/name" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(WeightsError):
        pull("org/name", finished.folder / "none.lance")


def test_write_instances__as_datasets_reads_them(finished: Run, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    made = write_instances(finished.table, tmp_path, shard_bytes=1)
    files = sorted((tmp_path / "data").iterdir())
    rows = parquet.read_table(files).to_pylist()
    assert len(rows) == made.count == finished.table.count("kept AND mask IS NOT NULL")
    mask = Image.open(io.BytesIO(rows[0]["mask"]["bytes"]))
    assert mask.size == (rows[0]["width"], rows[0]["height"])
    metadata = parquet.read_schema(files[0]).metadata
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert set(features) == set(rows[0])
    datasets = pytest.importorskip("datasets")
    read = datasets.Dataset.from_parquet([str(path) for path in files], cache_dir=str(tmp_path / "cache"))
    assert read[0]["image"].size == mask.size


def test_card__says_what_made_it(finished: Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["push", str(finished.folder), "org/name", "--folder", str(tmp_path / "look")])
    assert done.exit_code == 0, done.output
    card = (tmp_path / "look" / "README.md").read_text(encoding="utf-8")
    for said in ("license: other", "procedural-1/", "rival_share", "apple", 'load_dataset("org/name"'):
        assert said in card
    done = CliRunner().invoke(main, ["pull", str(tmp_path / "look"), "--out", str(tmp_path / "back.lance")])
    assert done.exit_code == 0, done.output
    assert InstanceTable.open(tmp_path / "back.lance").count() > 0


def test_push__nothing_to_publish(finished: Run, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no instance with picture and mask fits"):
        write_instances(finished.table, tmp_path, where="category = 'x'")


@pytest.mark.parametrize("more", [-1, 1])
def test_write_instances__rows_decided_between_count_and_read(
    more: int, finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, taken = finished.table, iter(range(20))  # a loop without end would use these up
    there = table.count("kept AND mask IS NOT NULL")
    monkeypatch.setattr(table, "count", lambda where: there + more)
    monkeypatch.setattr(Published, "count", property(lambda found: next(taken) and found.categories.total()))
    monkeypatch.setattr("divergen.hub.parquet._ROWS", 1)
    assert write_instances(table, tmp_path, shard_bytes=1).categories.total() == there


def test_pull__stopped_half_way_leaves_nothing_and_replaces_what_it_made(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_instances(finished.table, tmp_path / "hub")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(InstanceTable, "append", Mock(side_effect=KeyboardInterrupt))
        pull(str(tmp_path / "hub"), tmp_path / "t.lance")
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]
    pull(str(tmp_path / "hub"), tmp_path / "t.lance")
    with pytest.raises(ExistsError, match="is there already"):
        pull(str(tmp_path / "hub"), tmp_path / "t.lance")
    pulled = pull(str(tmp_path / "hub"), tmp_path / "t.lance", overwrite=True)
    pulled.remove(f"id = '{min(pulled.ids())}'")
    with pytest.raises(ExistsError, match="not written by the command"):
        pull(str(tmp_path / "hub"), tmp_path / "t.lance", overwrite=True)


def _png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 3)).save(data, "PNG")
    return data.getvalue()


ROW: dict[str, Any] = {
    "id": "a" * 32, "image": {"bytes": _png(), "path": "a.png"}, "mask_rle": "0<", "category": "apple",
    "category_id": 1, "prompt": "p", "generator": "g", "generator_revision": "1", "seed": 1, "width": 4, "height": 3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": None}, "has no picture"),
        ({"image": "x"}, "image: data should be valid base64"),
        ({"mask_rle": "~"}, "outside the COCO code"),
        ({"mask_rle": 5}, "mask: input should be a valid string"),
        ({"width": 2**31 - 1, "height": 2**31 - 1}, "belong to another picture"),
        ({"bbox": [1.0]}, "bbox.1: is missing"),
        ({"id": None}, "id: input should be a valid string"),
        ({"category": ["a"]}, "category: input should be"),
        ({"frequency": "x"}, "frequency: input should be 'r', 'c' or 'f'"),
    ],
)
def test_pull__a_row_that_is_no_instance(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    (tmp_path / "hub" / "data").mkdir(parents=True)
    file = tmp_path / "hub" / "data" / "x.parquet"
    parquet.write_table(pa.Table.from_pylist([ROW]), file)
    assert read_instances(tmp_path / "hub", tmp_path / "sound.lance").count() == 1
    parquet.write_table(pa.Table.from_pylist([ROW | changes]), file)
    with pytest.raises(DatasetError, match=rf"x\.parquet: the row with the id .* .*{re.escape(reason)}"):
        read_instances(tmp_path / "hub", tmp_path / "t.lance")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub", "sound.lance"]


def test_pull__a_picture_that_would_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    monkeypatch.setattr("divergen_records.archives._HARMLESS", 10_000)
    file = tmp_path / "hub" / "data" / "x.parquet"
    file.parent.mkdir(parents=True)
    row = ROW | {"image": {"bytes": bytes(10**7), "path": None}}
    parquet.write_table(pa.Table.from_pylist([row]), file, compression="zstd")
    with pytest.raises(DatasetError, match=r"x\.parquet says to hold 10,\d{3},\d{3} bytes in "):
        read_instances(tmp_path / "hub", tmp_path / "t.lance")
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


@pytest.mark.parametrize("damage", [b"", b"<html>", b"PAR1" + bytes(99) + b"PAR1", None])
def test_pull__a_damaged_file_is_named(damage: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "hub" / "data" / "x.parquet"
    file.parent.mkdir(parents=True)
    os.mkfifo(file) if damage is None else file.write_bytes(damage)
    with pytest.raises(DatasetError, match=r"x\.parquet: (no sound Parquet file|a pipe)"):
        read_instances(tmp_path / "hub", tmp_path / "t.lance")


def test_pull__of_something_else(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with pytest.raises(DatasetError, match=r"no data/\*\.parquet"):
        read_instances(tmp_path, tmp_path / "t.lance")
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table({"text": ["a"]}), tmp_path / "data" / "x.parquet")
    with pytest.raises(DatasetError, match="lacks category, generator, id"):
        read_instances(tmp_path, tmp_path / "t.lance")
    assert not (tmp_path / "t.lance").exists()
