"""Write a pool: the blobs as they come, the index sorted by category, the manifest last."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from divergen_records import Category, DivergenError, NothingLeft
from divergen_records.files import write_text
from divergen_records.folders import new_folder
from divergen_records.losses import Losses

from .crops import LEVELS, EncodedCrop, LeftOut
from .format import FORMAT, INDEX, ImageFormat, PoolManifest, build_hash, category_rows

__all__ = ["PoolWriter"]


class PoolWriter:
    """Writes one pool. Use as a context: it appears when the block ends well, after `seal`, or leaves nothing behind.

    Args:
        out: Folder of the pool.
        categories: Those that crops may belong to.
        image_format: What the crops are encoded as.
        max_side: Longest side that the manifest promises.
        overwrite: Replace a pool that is there; anything else is never touched.
        losses: Takes in what is left out, by name.
    """

    def __init__(
        self,
        out: str | Path,
        categories: Iterable[Category],
        *,
        image_format: ImageFormat = "jpeg",
        max_side: int = 512,
        overwrite: bool = False,
        losses: Losses | None = None,
    ) -> None:
        self.out = Path(out)
        self.categories = {category.id: category for category in categories}
        self.image_format, self.max_side = image_format, max_side
        self.losses = Losses() if losses is None else losses
        self.skipped: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._rows = bytearray()
        self._sources: list[bytes] = []
        self._offset = 0
        self._making = new_folder(self.out, overwrite=overwrite)

    def __enter__(self) -> Self:
        self._folder = self._making.__enter__()
        self._blobs = (self._folder / "blobs.bin").open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._blobs.close()
        finally:
            self._making.__exit__(kind, error, trace)

    def add(self, crop: EncodedCrop | LeftOut | DivergenError) -> None:
        """Add a crop, or count why one is missing."""
        if isinstance(crop, LeftOut):
            self.left_out[crop.reason] += 1
            return
        if isinstance(crop, DivergenError):
            self.losses.add("", str(crop))
            self.skipped[type(crop).__name__] += 1
            return
        if crop.category_id not in self.categories:
            self.losses.add(crop.source, f"its category {crop.category_id} is not one of those asked for")
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

    def seal(self, *, origin: str, fingerprint: str) -> None:
        """Write what makes it a pool.

        Raises:
            NothingLeft: If there is nothing in it.
        """
        if not self._rows:
            counts = {**self.skipped, **self.left_out}
            why = ", ".join(f"{count} x {reason}" for reason, count in counts.items()) or "nothing was there"
            raise NothingLeft(f"{self.out}: {origin} gives no instance ({why}), and an empty pool pastes nothing")
        index = np.frombuffer(self._rows, dtype=INDEX)
        # By source inside a category: the rows, and with them what a seed draws, do not depend on the order of work.
        sources = np.array(self._sources)
        order = np.lexsort((sources, index["category_id"]))
        index, sources = index[order], sources[order]
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
            left_out=dict(sorted(self.left_out.items())),
            categories=category_rows(self.categories, index["category_id"]),
        )
        write_text(self._folder / "pool.json", manifest.model_dump_json(indent=1, exclude_none=True))
