"""Write a pool: the blobs as they come, the index sorted by category, the folder renamed into place at the end."""

from __future__ import annotations

import os
import shutil
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from divergen_records import Category, DivergenError

from ..errors import PoolError
from .crops import LEVELS, EncodedCrop
from .format import FORMAT, INDEX, ImageFormat, PoolManifest, build_hash, category_rows
from .reader import InstancePool

__all__ = ["PoolWriter"]


class PoolWriter:
    """Writes one pool. Use as a context; what is not committed leaves nothing behind.

    Args:
        out: Folder of the pool.
        categories: Those that crops may belong to.
        image_format: What the crops are encoded as.
        max_side: Longest side that the manifest promises.
        overwrite: Replace a pool that is there; anything else is never touched.

    Raises:
        PoolError: If ``out`` exists and may not be replaced.
    """

    def __init__(
        self,
        out: str | Path,
        categories: Iterable[Category],
        *,
        image_format: ImageFormat = "jpeg",
        max_side: int = 512,
        overwrite: bool = False,
    ) -> None:
        self.out = Path(out)
        self.categories = {category.id: category for category in categories}
        self.image_format, self.max_side = image_format, max_side
        self.skipped: Counter[str] = Counter()
        self._rows = bytearray()
        self._sources: list[bytes] = []
        self._offset = 0
        if self.out.exists():
            if not overwrite:
                raise PoolError(f"{self.out} exists; choose another folder or allow to overwrite it")
            if not (self.out / "pool.json").is_file() and any(self.out.iterdir()):
                raise PoolError(f"{self.out} is not an instance pool, so it is not replaced; choose another folder")

    def __enter__(self) -> Self:
        self._folder = self.out.with_name(f".{self.out.name}.{os.getpid()}.tmp")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._blobs = (self._folder / "blobs.bin").open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blobs.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, crop: EncodedCrop | DivergenError) -> None:
        """Add a crop, or count why one is missing."""
        if isinstance(crop, DivergenError):
            self.skipped[type(crop).__name__] += 1
            return
        if crop.category_id not in self.categories:
            self.skipped[f"unknown category {crop.category_id}"] += 1
            return
        for part in (part for level in crop.levels for part in level):
            self._blobs.write(part)
        none = [0] * (LEVELS - len(crop.levels))
        images, alphas = ([*(len(level[which]) for level in crop.levels), *none] for which in (0, 1))
        crcs = [*(zlib.crc32(alpha, zlib.crc32(image)) for image, alpha in crop.levels), *none]
        row = (self._offset, images, alphas, crcs, crop.category_id, *crop.size, crop.area, crop.score)
        # Packed at once: as Python objects, a million rows would take a gigabyte.
        self._rows += np.array([row], dtype=INDEX).tobytes()
        self._sources.append(crop.source.encode())
        self._offset += sum(images) + sum(alphas)

    def commit(self, *, origin: str, fingerprint: str) -> InstancePool:
        """Finish the files, put the folder into place and open it.

        Raises:
            PoolError: If there is nothing in it.
        """
        if not self._rows:
            skipped = (
                ", ".join(f"{count} x {reason}" for reason, count in self.skipped.items()) or "nothing was skipped"
            )
            raise PoolError(f"{self.out}: {origin} gives no instance ({skipped}), and an empty pool pastes nothing")
        index = np.frombuffer(self._rows, dtype=INDEX)
        # By source inside a category: the rows, and with them what a seed draws, do not depend on the order of work.
        order = np.lexsort((np.array(self._sources), index["category_id"]))
        index, sources = index[order], np.array(self._sources)[order]
        np.save(self._folder / "index.npy", index)
        np.save(self._folder / "sources.npy", sources)
        manifest = PoolManifest(
            format=FORMAT,
            origin=origin,
            instances=len(index),
            blob_bytes=self._offset,
            image_format=self.image_format,
            max_side=self.max_side,
            fingerprint=fingerprint,
            build=build_hash(index, sources),
            skipped=dict(sorted(self.skipped.items())),
            categories=category_rows(self.categories, index["category_id"]),
        )
        self._blobs.flush()
        os.fsync(self._blobs.fileno())
        (self._folder / "pool.json").write_text(manifest.model_dump_json(indent=1, exclude_none=True))
        self._replace()
        return InstancePool(self.out)

    def _replace(self) -> None:
        """Rename into place. A process that has the old pool open keeps its files until it closes them."""
        old = self.out.with_name(f".{self.out.name}.{os.getpid()}.old")
        if self.out.exists():
            self.out.rename(old)
        self._folder.rename(self.out)
        shutil.rmtree(old, ignore_errors=True)
