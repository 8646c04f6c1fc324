"""Read a pool: open, look up, decode, verify."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import Category, short_hash
from divergen_records.array_files import NO_ARRAYS
from divergen_records.files import refuse_pipe
from divergen_records.stores.copies import local
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from ..counting import counting
from ..errors import PoolError
from .categories import CategoryMatch, Classes, Unmatched, match_categories
from .crops import LEVELS, decode_alpha, decode_image, level_size
from .format import INDEX, PoolCategory, build_hash, read_manifest

if TYPE_CHECKING:
    from divergen_records import InstanceTable

__all__ = ["InstancePool", "table_fingerprint"]

ENLARGED = 1.1
"""A stored size may be enlarged by this much: nobody sees it, and a fifth of all decoded pixels is saved."""


class InstancePool:
    """Instances ready to paste. Opens at once, whatever its size; pickles as its path.

    Made by `divergen_paste.pool_from_table` and its like; opened by `open`.

    Attributes:
        path: Its folder.
        manifest: What it says about itself.
        index: (N,) of dtype `INDEX`, memory-mapped.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self._ids = {entry.category.id: entry.category.id for entry in self.manifest.categories}
        """Category id in the index -> id that it goes by, see `renamed`."""
        self._stored, self._is_renamed = tuple(self._ids), False
        self._order: NDArray[np.int64] | None = None
        for name in ("index.npy", "sources.npy", "blobs.bin"):
            refuse_pipe(self.path / name, error=PoolError)
        try:
            self.index: NDArray[Any] = open_memmap(self.path / "index.npy", mode="r")
            self._sources: NDArray[Any] = open_memmap(self.path / "sources.npy", mode="r")
            blobs = self.path / "blobs.bin"
            found = blobs.stat().st_size
            # An empty file cannot be mapped.
            self._blobs = np.asarray(np.memmap(blobs, mode="r")) if found else np.zeros(0, dtype=np.uint8)
        except NO_ARRAYS as error:
            raise PoolError(f"{self.path}: the pool is damaged ({error}); build it again") from error
        if self.index.ndim != 1 or self._sources.ndim != 1:
            raise PoolError(f"{self.path}: the pool is damaged: its arrays are no lists; build it again")
        expected = (self.manifest.blob_bytes, self.manifest.instances, self.manifest.instances)
        actual = (found, len(self.index), len(self._sources))
        if self.index.dtype != INDEX:
            raise PoolError(f"{self.path}: index.npy was written by another version; build the pool again")
        if actual != expected:
            raise PoolError(
                f"{self.path}: the pool is damaged: blobs.bin, index.npy and sources.npy have {actual} bytes and rows, "
                f"pool.json says {expected}; build it again"
            )

    @classmethod
    def open(cls, path: str | Path) -> InstancePool:
        """Open a pool; one on an object store is brought to this machine, once.

        Raises:
            PoolError: If there is none, or it is damaged or of another version.
        """
        return cls(local(path))

    def __len__(self) -> int:
        return self.manifest.instances

    def __repr__(self) -> str:
        return f"InstancePool({str(self.path)!r}: {len(self)} instances of {len(self.categories)} categories)"

    def __reduce__(self) -> tuple[Any, ...]:
        names = {key: entry.category for key, entry in zip(self._ids, self.manifest.categories, strict=True)}
        return _reopen, (str(self.path), self.manifest.build, names if self._is_renamed else None)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories that have instances, in the order of their rows."""
        return tuple(entry.category for entry in self.manifest.categories)

    @property
    def identity(self) -> str:
        """Hash of the content and of the category ids that it goes by."""
        same = self._ids == {key: key for key in self._stored}
        return self.manifest.build if same else short_hash(self.manifest.build, *self._ids.items())

    def matched(self, categories: Classes, *, unmatched: Unmatched = "refuse") -> InstancePool:
        """The same pool in terms of a data set: its category ids, found by name; see `match_categories`.

        Args:
            categories: Those of the data set.
            unmatched: What becomes of categories that the data set does not have; ``"leave-out"`` never pastes them.

        Raises:
            ConfigError: If none is found, or one is not and ``unmatched`` is ``"refuse"``.
        """
        return self.renamed(match_categories(self.categories, categories, unmatched=unmatched))

    def renamed(self, match: CategoryMatch) -> InstancePool:
        """The same pool with other category ids, and without the categories that were not found."""
        entries = tuple(
            _renamed(entry, match) for entry in self.manifest.categories if entry.category.id in match.found
        )
        pool = copy.copy(self)
        pool.manifest = self.manifest.model_copy(update={"categories": entries})
        pool._ids = {key: match.found[now].id for key, now in self._ids.items() if now in match.found}
        pool._is_renamed = True
        return pool

    def category_ids(self, rows: NDArray[np.integer] | Sequence[int]) -> list[int]:
        """Category ids of rows that may be pasted."""
        return [self._ids[key] for key in self.index["category_id"][rows].tolist()]

    def source(self, row: int) -> str:
        """Provenance of an instance: `InstanceRecord.id`, ``"annotation:17"``, or a file's name."""
        return bytes(self._sources[row]).decode(errors="replace")

    def rows(self, sources: Sequence[str]) -> NDArray[np.int64]:
        """Rows of instances by their provenance, (n,) int64: the way back from a pasted instance's ``source``.

        Raises:
            PoolError: If the pool has none of that provenance.
        """
        if self._order is None:
            self._order = np.argsort(self._sources)
        wanted = np.array([source.encode() for source in sources], dtype=np.bytes_)
        places = np.searchsorted(self._sources, wanted, sorter=self._order).clip(max=len(self) - 1)
        rows = self._order[places]
        for source, found, asked in zip(sources, self._sources[rows], wanted, strict=True):
            if found != asked:
                raise PoolError(f"{self.path}: no instance comes from {source!r}")
        return np.asarray(rows, dtype=np.int64)

    def read(self, row: int, target: tuple[int, int] | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Decode an instance.

        Args:
            row: Its row in the index.
            target: (height, width) that it will be resized to: the smallest stored size is decoded that is not below
                it by more than a tenth. None for the whole.

        Returns:
            The picture (h, w, 3) uint8 RGB, and its alpha (h, w) uint8, 0..255.

        Raises:
            PoolError: If it is damaged; the message names the row.
        """
        entry = self.index[row]
        height, width, level = int(entry["height"]), int(entry["width"]), 0
        images, alphas = entry["image_bytes"].tolist(), entry["alpha_bytes"].tolist()
        if target is not None:
            least = target[0] / ENLARGED, target[1] / ENLARGED
            size = level_size(height, width, 1)
            while level + 1 < LEVELS and images[level + 1] and size[0] >= least[0] and size[1] >= least[1]:
                level += 1
                size = level_size(height, width, level + 1)
        try:
            start = int(entry["offset"]) + sum(images[:level]) + sum(alphas[:level])
            return self._decode(
                start, images[level], alphas[level], int(entry["crc"][level]), level_size(height, width, level)
            )
        except PoolError as error:
            raise PoolError(f"{self.path}: instance {row} ({self.source(row)}) is damaged: {error}") from error

    def _decode(
        self, start: int, image_bytes: int, alpha_bytes: int, crc: int, size: tuple[int, int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        blob = self._blobs[start : start + image_bytes + alpha_bytes]
        if zlib.crc32(blob.data) != crc:
            raise PoolError("its bytes have changed")
        return decode_image(blob[:image_bytes], *size), decode_alpha(blob[image_bytes:], *size)

    def is_current(self, table: InstanceTable, where: str = "kept") -> bool:
        """Whether the pool still holds what the table would give: the same instances with the same masks."""
        return self.manifest.fingerprint == table_fingerprint(table, where)

    def verify(self, *, progress: bool = True) -> list[str]:
        """Decode every instance, and return what is wrong, one sentence each; an empty list is a sound pool."""
        problems = []
        build = build_hash(np.asarray(self.index), np.asarray(self._sources))
        if build != self.manifest.build:
            problems.append(f"{self.path}: index.npy or sources.npy is not the one that pool.json describes")
        with counting("verify", len(self), "instances", show=progress) as count:
            for row in range(len(self)):
                try:
                    entry = self.index[row]
                    for level in range(np.count_nonzero(entry["image_bytes"])):
                        self.read(row, level_size(int(entry["height"]), int(entry["width"]), level))
                except PoolError as error:
                    problems.append(str(error))
                count(1)
        return problems


def table_fingerprint(table: InstanceTable, where: str = "kept") -> str:
    """Hash of the rows that a pool is built from: their ids and which mask each has."""
    rows = table.select(["id", "annotator", "area_fraction"], where).sort_by("id")
    ids, annotators, areas = (rows[name] for name in rows.column_names)
    names = ("\n".join(map(str, column.to_pylist())) for column in (ids, annotators))
    return short_hash("pool/1", *names, areas.to_numpy().tobytes())


def _renamed(entry: PoolCategory, match: CategoryMatch) -> PoolCategory:
    """The data set's category in the place of the pool's; what only the pool knows of it stays."""
    found, own = match.found[entry.category.id], entry.category
    known = {name: value for name, value in found.model_dump().items() if value not in (None, (), "")}
    return entry.model_copy(update={"category": own.model_copy(update=known)})


def _reopen(path: str, build: str, names: Mapping[int, Category] | None) -> InstancePool:
    """Unpickle: a pool that was rebuilt in between has other rows, and its user must know."""
    pool = InstancePool(path)
    if pool.manifest.build != build:
        raise PoolError(f"{path}: the pool was rebuilt while in use; start again to use the new one")
    return pool if names is None else pool.renamed(CategoryMatch(names, ()))
