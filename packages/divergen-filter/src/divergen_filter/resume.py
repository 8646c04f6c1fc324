"""Finished parts of a long work, in a folder: killed at any time, the next call goes on behind the last one."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import ConfigError
from divergen_records.array_files import NO_ARRAYS
from divergen_records.command import note
from divergen_records.files import write_text, writing
from numpy.typing import NDArray

from .embedder import Embeddings

__all__ = ["EmbeddedCrops", "ResumeFolder"]


_TASK = "task.json"


@dataclass(frozen=True, slots=True)
class EmbeddedCrops:
    """Real crops of some pictures.

    Attributes:
        embeddings: (n, D) float32, unit rows.
        category_ids: (n,) int64.
        annotation_ids: (n,) int64.
        skipped: What was left out, by reason.
    """

    embeddings: Embeddings
    category_ids: NDArray[np.int64]
    annotation_ids: NDArray[np.int64]
    skipped: Counter[str]


class ResumeFolder:
    """Parts in a folder, or nowhere.

    Args:
        folder: Made where it does not exist; None keeps nothing.
        task: What the parts are of; parts of another task are refused.

    Raises:
        ConfigError: If the folder holds parts of another task.
    """

    def __init__(self, folder: Path | None, task: dict[str, Any]) -> None:
        self.folder = folder
        if folder is None:
            return
        file, text = folder / _TASK, json.dumps(task, indent=1, sort_keys=True)
        if file.exists() and file.read_text(encoding="utf-8") != text:
            raise ConfigError(
                f"{folder} holds the unfinished work of another model, other settings or other data; "
                "remove it, or ask for the same as before"
            )
        if folder.exists() and not file.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} holds something else; choose another folder")
        write_text(file, text, overwrite=True)

    def load(self, number: int) -> EmbeddedCrops | None:
        """A finished part; None where it is not there, or damaged, which is told."""
        if self.folder is None:
            return None
        try:
            with np.load(self._file(number), allow_pickle=False) as data:
                skipped = Counter(json.loads(str(data["skipped"])))
                return EmbeddedCrops(data["embeddings"], data["category_ids"], data["annotation_ids"], skipped)
        except NO_ARRAYS:
            if self._file(number).exists():
                note(f"{self._file(number)} is damaged; its pictures are done again")
            return None

    def save(self, number: int, part: EmbeddedCrops) -> None:
        """Keep a finished part."""
        if self.folder is None:
            return
        arrays: dict[str, Any] = {
            "embeddings": part.embeddings,
            "category_ids": part.category_ids,
            "annotation_ids": part.annotation_ids,
            "skipped": np.array(json.dumps(part.skipped)),
        }
        with writing(self._file(number), overwrite=True) as file:
            np.savez(file, **arrays)

    def remove(self) -> None:
        """Forget all parts; last the note of the task, by which a call after a kill knows the folder as its own."""
        if self.folder is not None:
            for file in self.folder.iterdir():
                if file.name != _TASK:
                    file.unlink()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{number:06d}.npz"
