from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from divergen import Run, splits
from divergen.config import SplitConfig
from divergen.data import load_splits
from divergen.loading import load_config
from divergen.splits import read_split
from divergen_records import DatasetError
from divergen_records.coco import Dataset
from PIL import Image


@pytest.fixture
def split(tmp_path: Path) -> SplitConfig:
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "images" / "a.png")
    write(tmp_path / "train.json", "cat")
    return SplitConfig(annotations=tmp_path / "train.json", images=tmp_path / "images")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Dataset]:
    found: list[Dataset] = []
    read = splits._read

    def counted(*arguments: object) -> Dataset:
        found.append(read(*arguments))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(splits, "_read", counted)
    return found


def write(path: Path, name: str) -> None:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 8, "iscrowd": 0}
    file = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
        "annotations": [{**annotation, "segmentation": [[1, 1, 5, 1, 1, 5]]}],
        "categories": [{"id": 1, "name": name}, {"id": 2, "name": "unused"}],
    }
    path.write_text(json.dumps(file))


def next_start(split: SplitConfig, notes: Path) -> Dataset:
    splits._held.clear()
    return read_split(split, "stop", notes=notes, keep=True)


def test_read_split__once_in_a_process(split: SplitConfig, reads: list[Dataset]) -> None:
    assert read_split(split, "stop") is read_split(split, "stop")
    assert len(reads) == 1


def test_read_split__next_start_reads_when_objects_are_asked_for(
    split: SplitConfig, reads: list[Dataset], tmp_path: Path
) -> None:
    first = next_start(split, tmp_path / "notes")
    again = next_start(split, tmp_path / "notes")
    assert again.categories == first.categories
    assert [category.name for category in again.unused_categories] == ["unused"]
    assert len(reads) == 1
    assert again.annotations == first.annotations
    assert len(reads) == 2


def test_read_split__changed_file_is_read_again(split: SplitConfig, reads: list[Dataset], tmp_path: Path) -> None:
    next_start(split, tmp_path / "notes")
    write(split.annotations, "dog")
    os.utime(split.annotations, (1, 1))
    assert next_start(split, tmp_path / "notes").categories[0].name == "dog"
    assert read_split(split, "skip", notes=tmp_path / "notes").categories[0].name == "dog"
    assert len(reads) == 3


def test_read_split__missing_picture_is_found_at_the_next_start(split: SplitConfig, tmp_path: Path) -> None:
    next_start(split, tmp_path / "notes")
    (tmp_path / "images" / "a.png").unlink()
    os.utime(tmp_path / "images", (1, 1))
    with pytest.raises(DatasetError, match=r"a\.png"):
        next_start(split, tmp_path / "notes")


def test_read_split__damaged_note_is_written_anew(split: SplitConfig, reads: list[Dataset], tmp_path: Path) -> None:
    next_start(split, tmp_path / "notes")
    (note,) = (tmp_path / "notes").iterdir()
    for text in ("", "[]", '{"state": {}}'):
        note.write_text(text)
        next_start(split, tmp_path / "notes")
    next_start(split, tmp_path / "notes")
    assert len(reads) == 4


def test_read_split__large_file_is_told(
    split: SplitConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(splits, "_LARGE", 10)
    splits._held.clear()
    read_split(split, "stop")
    assert f"reading {split.annotations} (0 MB)" in capsys.readouterr().err


def test_load_splits__images_that_are_kept_aside_are_told(
    split: SplitConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(split.annotations.read_text())
    content["images"].append({**content["images"][0], "id": 2})
    split.annotations.write_text(json.dumps(content))
    run = Run(tmp_path / "run", load_config("coco100", [f"data={split.annotations}"]))
    load_splits(run)
    assert (
        f"1 of 2 images are kept aside for validation, for none were given (data.val=FILE): {run.data / 'val.json'}"
        in (capsys.readouterr().err)
    )


@pytest.mark.parametrize(("count", "kept"), [(2, 1), (24, 5), (100, 20)])
def test_held_out__a_small_dataset_gives_its_share(count: int, kept: int) -> None:
    from divergen.data import _held_out

    assert len(_held_out(range(count), 0.2)) >= kept
    assert len(_held_out(range(count), 0.2)) < count


def test_load_splits__tells_what_is_worth_knowing_once(
    tmp_path: Path, split: SplitConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "run", load_config("coco100", (f"data={split.annotations}", f"data.val={split.annotations}")))
    load_splits(run)
    assert capsys.readouterr().err.count("have no object") == 1
    load_splits(run, told=True)
    assert not capsys.readouterr().err
    monkeypatch.setenv("DIVERGEN_LOG", "quiet")
    load_splits(run)
    assert not capsys.readouterr().err
