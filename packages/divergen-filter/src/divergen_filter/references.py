"""Embeddings of the real instances, against which generated ones are judged: what they are, and their file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
from divergen_records import ConfigError
from divergen_records.archives import why_no_archive
from divergen_records.array_files import NO_ARRAYS
from divergen_records.files import writing
from numpy.typing import NDArray

from .embedder import Embeddings
from .similarity import CategorySums, check_vectors

__all__ = ["References", "Summary"]

_FORMAT = "divergen-references/1"


@dataclass(frozen=True)
class References:
    """Real crops' embeddings.

    Attributes:
        embedder: Identity of the model that made them.
        embeddings: (N, D) float32, unit rows.
        category_ids: (N,) int64.
        annotation_ids: (N,) int64, in the dataset's file.
        skipped: What was left out, by reason.
        crops: How the crops were cut, for people.
    """

    embedder: str
    embeddings: Embeddings
    category_ids: NDArray[np.int64]
    annotation_ids: NDArray[np.int64]
    skipped: dict[str, int] = field(default_factory=dict)
    crops: str = ""

    def __post_init__(self) -> None:
        count = len(self.embeddings)
        if self.embeddings.ndim != 2 or self.category_ids.shape != (count,) or self.annotation_ids.shape != (count,):
            raise ValueError(
                f"N embeddings (N, D) need N category and annotation ids, these are {self.embeddings.shape}, "
                f"{self.category_ids.shape} and {self.annotation_ids.shape}"
            )
        check_vectors(self.embeddings)

    @cached_property
    def sums(self) -> CategorySums:
        """Per category, the sum of its embeddings and their number."""
        return CategorySums(self.embeddings, self.category_ids)

    def of(self, category_id: int) -> Embeddings:
        """The embeddings of a category, (n, D)."""
        return np.asarray(self.embeddings[self.category_ids == category_id])

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write to an ``.npz`` file, whole or not at all."""
        reasons = sorted(self.skipped.items())
        with writing(path, overwrite=overwrite) as file:
            np.savez(
                file,
                format=np.array(_FORMAT),
                embedder=np.array(self.embedder),
                crops=np.array(self.crops),
                embeddings=self.embeddings,
                category_ids=self.category_ids,
                annotation_ids=self.annotation_ids,
                skipped_reasons=np.array([reason for reason, _ in reasons], dtype=np.str_),
                skipped_counts=np.array([count for _, count in reasons], dtype=np.int64),
                sums=self.sums.sums,
                sums_ids=self.sums.ids,
                sums_counts=self.sums.counts,
            )

    @classmethod
    def load(cls, path: Path | str) -> References:
        """Read what `save` wrote.

        Raises:
            ConfigError: If there is no such file, or it is something else.
        """

        def read(data: Any) -> References:
            skipped = dict(zip(data["skipped_reasons"].tolist(), data["skipped_counts"].tolist(), strict=True))
            arrays = (_floats(data, "embeddings"), _whole(data, "category_ids"), _whole(data, "annotation_ids"))
            crops = str(data["crops"]) if "crops" in data else ""
            return cls(str(data["embedder"]), *arrays, skipped=skipped, crops=crops)

        found: References = _read(path, read)
        return found


@dataclass(frozen=True)
class Summary:
    """What inter-similarity needs of the real crops: a sum per category, however many crops there are.

    Attributes:
        embedder: Identity of the model that made them.
        sums: Per category, the sum of its embeddings and their number.
    """

    embedder: str
    sums: CategorySums

    @classmethod
    def load(cls, path: Path | str) -> Summary:
        """Read the summary of what `References.save` wrote; the embeddings stay on disk.

        Raises:
            ConfigError: If there is no such file, or it is something else.
        """

        def read(data: Any) -> Summary:
            if "sums" not in data:
                return cls(
                    str(data["embedder"]), CategorySums(_floats(data, "embeddings"), _whole(data, "category_ids"))
                )
            sums = CategorySums.from_arrays(
                _whole(data, "sums_ids"), _whole(data, "sums_counts"), _floats(data, "sums")
            )
            return cls(str(data["embedder"]), sums)

        found: Summary = _read(path, read)
        return found


def _floats(data: Any, name: str) -> NDArray[Any]:
    array: NDArray[Any] = data[name]
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(f"{name}: expected floats (rows, width), found {array.dtype} {array.shape}")
    return array


def _whole(data: Any, name: str) -> NDArray[Any]:
    array: NDArray[Any] = data[name]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected one whole number a row, found {array.dtype} {array.shape}")
    return array


def _read(path: Path | str, read: Any) -> Any:
    """Open a file of references and read from it, its arrays one by one."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: there are no references; make them with divergen-filter embed-real")
    try:
        if wrong := is_zipfile(path) and why_no_archive(path):
            raise ValueError(f"it {wrong}")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            if str(data["format"]) != _FORMAT:
                raise ConfigError(f"{path}: references in the format {data['format']}, this reads {_FORMAT}")
            return read(data)
    except NO_ARRAYS as error:
        raise ConfigError(
            f"{path}: this is no file of references, or it is damaged ({error}); make it anew with divergen-filter "
            "embed-real"
        ) from error
