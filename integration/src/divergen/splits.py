"""The splits of a run's data: a file is read once, and at the next start only if its objects are asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from divergen_records import DatasetError
from divergen_records.coco import Dataset
from divergen_records.command import echo
from divergen_records.deferred import DeferredDataset, summarize
from divergen_records.files import read_json, write_text
from divergen_records.formats import OnProblem

from .config import SplitConfig

__all__ = ["read_split"]

_FORM = 1
"""Of the notes; another one is not read."""

_LARGE = 50 * 2**20
"""Bytes of a file whose reading takes long enough to be told."""

_MOST_FOLDERS = 1000
"""Folders of pictures that are looked at; with more, nothing is noted."""

State = dict[str, list[int]]
"""Path -> modification time in nanoseconds, and bytes of a file; -1 where there is nothing."""


@dataclass(frozen=True)
class _Held:
    state: State
    dataset: Dataset


_held: dict[str, _Held] = {}
"""What this process has read last, by what was asked for: the check of a run reads what its steps then work with."""


def read_split(split: SplitConfig, on_problem: OnProblem, *, notes: Path | None = None, keep: bool = False) -> Dataset:
    """A split of the data, without categories that only head the others.

    What was left out is in its ``problems``; nothing is printed but that a large file is being read. A file that
    nobody has written to since, and whose folders of pictures are as they were, is not read again: its categories come
    from the notes, the rest when it is asked for.

    Args:
        split: Where it lies.
        on_problem: What to do with pictures and objects that have a problem.
        notes: The folder of the notes.
        keep: Note what was read.

    Raises:
        DatasetError: If it cannot be read.
    """
    if not split.annotations.is_file():
        return _read(split, on_problem)
    key = hashlib.blake2b(repr((_FORM, str(split.annotations), str(split.images), on_problem)).encode()).hexdigest()[
        :16
    ]
    held = _held.get(key) or _noted(notes, key, partial(_read, split, on_problem))
    if held is None or _state(held.state) != held.state:
        file = _state([split.annotations])
        dataset = _read(split, on_problem)
        held = _Held({**_state(_folders(dataset)), **file}, dataset)
    _held.pop(key, None)
    _held[key] = held
    while len(_held) > 2:  # train and val
        del _held[next(iter(_held))]
    if (
        keep
        and notes is not None
        and len(held.state) <= _MOST_FOLDERS
        and not isinstance(held.dataset, DeferredDataset)
    ):
        note = {"state": held.state, "summary": summarize(held.dataset)}
        write_text(_note(notes, key), json.dumps(note), overwrite=True)
    return held.dataset


def _read(split: SplitConfig, on_problem: OnProblem) -> Dataset:
    from divergen_records.formats.registry import read_any

    size = split.annotations.stat().st_size if split.annotations.is_file() else 0
    if size > _LARGE:
        echo(f"reading {split.annotations} ({size / 2**20:,.0f} MB)", err=True)
    dataset = read_any(
        split.annotations, image_dir=split.images, on_problem=on_problem, need_pictures=True, progress=size > _LARGE
    )
    return dataset.replace(categories=dataset.class_categories) if dataset.root_categories else dataset


def _folders(dataset: Dataset) -> set[Path]:
    """Folders that hold pictures."""
    return {(dataset.image_dir / name).parent for name in {image.file_name for image in dataset.images}}


def _state(paths: Iterable[Path | str]) -> State:
    found = {}
    for path in map(Path, paths):
        try:
            seen = path.stat()
        except OSError:
            found[str(path)] = [-1, -1]
            continue
        found[str(path)] = [seen.st_mtime_ns, seen.st_size if path.is_file() else 0]
    return found


def _note(notes: Path, key: str) -> Path:
    return notes / f"read-{key}.json"


def _noted(notes: Path | None, key: str, read: Any) -> _Held | None:
    """What was noted of a split; None where nothing was, or the note is damaged: then the file is read again."""
    if notes is None or not _note(notes, key).exists():
        return None
    try:
        note = read_json(_note(notes, key), "it is written anew")
        return _Held(note["state"], DeferredDataset(note["summary"], read))
    except (DatasetError, KeyError, TypeError, ValueError):
        return None
