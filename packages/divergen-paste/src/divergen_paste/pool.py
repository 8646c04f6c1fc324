"""The instance pool: kept instances as tight crops in memory-mapped files, ready to paste.

A pool is a folder:

=============  =======================================================================================
`pool.json`    what it is: version, counts, categories and where each one's rows are, fingerprint
`index.npy`    one row per instance (see `INDEX`), the rows of a category side by side
`sources.npy`  provenance of each row, bytes of fixed length
`blobs.bin`    encoded pictures and alphas, each at a few sizes
=============  =======================================================================================

Nothing is read before it is needed, and all processes share the same pages.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from divergen_records import Category, Config, short_hash
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from .counting import counting
from .crops import LEVELS, decode_alpha, decode_image, level_size
from .errors import PoolError

if TYPE_CHECKING:
    from divergen_records import InstanceTable
    from divergen_records.coco import Dataset

__all__ = ["FORMAT", "INDEX", "InstancePool", "PoolCategory", "PoolManifest", "table_fingerprint"]

FORMAT = 1
"""Version of the files."""

INDEX = np.dtype(
    [
        ("offset", "<u8"),
        ("image_bytes", "<u4", (LEVELS,)),
        ("alpha_bytes", "<u4", (LEVELS,)),
        ("crc", "<u4", (LEVELS,)),
        ("category_id", "<i8"),
        ("height", "<u2"),
        ("width", "<u2"),
        ("area", "<u4"),
        ("score", "<f4"),
    ]
)
"""A row of the index: where its blobs start (picture and alpha of each level of the pyramid in turn), their lengths,
the CRC-32 of each such pair, the whole crop's size in pixels, and its mask's pixels."""


ENLARGED = 1.1
"""A stored size may be enlarged by this much: nobody sees it, and a fifth of all decoded pixels is saved."""


class PoolCategory(Config):
    """A category of a pool: its rows are ``first`` to ``first + count - 1``."""

    category: Category
    first: int
    count: int


class PoolManifest(Config):
    """What `pool.json` says.

    Attributes:
        format: Version of the files, `FORMAT`.
        origin: What the pool was built from, in words.
        instances: Number of rows.
        blob_bytes: Length of `blobs.bin`.
        image_format: ``"jpeg"`` or ``"png"``.
        max_side: Longest side of a crop, pixels.
        fingerprint: Hash of what it was built from; tells whether it is out of date.
        build: Hash of index and provenance; tells whether it was rebuilt while in use.
        skipped: How many instances could not be taken, by reason.
        categories: Those that have instances, by id.
    """

    format: int
    origin: str
    instances: int
    blob_bytes: int
    image_format: Literal["jpeg", "png"]
    max_side: int
    fingerprint: str
    build: str
    skipped: dict[str, int] = Field(default_factory=dict)
    categories: tuple[PoolCategory, ...]


class InstancePool:
    """Instances ready to paste. Opens at once, whatever its size; pickles as its path.

    Make one with `build`, `from_dataset`, `from_folder` or `from_pools_json`; open one with `open`.

    Attributes:
        path: Its folder.
        manifest: What it says about itself.
        index: (N,) of dtype `INDEX`, memory-mapped.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = _read_manifest(self.path)
        self._order: NDArray[np.int64] | None = None
        try:
            self.index: NDArray[Any] = np.load(self.path / "index.npy", mmap_mode="r")
            self._sources: NDArray[Any] = np.load(self.path / "sources.npy", mmap_mode="r")
            blobs = self.path / "blobs.bin"
            found = blobs.stat().st_size
            # An empty file cannot be mapped.
            self._blobs = np.asarray(np.memmap(blobs, mode="r")) if found else np.zeros(0, dtype=np.uint8)
        except (OSError, ValueError, EOFError) as error:
            raise PoolError(f"{self.path}: the pool is damaged ({error}); build it again") from error
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
        """Open a pool.

        Raises:
            PoolError: If there is none, or it is damaged or of another version.
        """
        return cls(path)

    @classmethod
    def build(cls, table: InstanceTable, out: str | Path, where: str = "kept", **options: Any) -> InstancePool:
        """Build a pool from rows of an instance table: see `divergen_paste.build.build_from_table`."""
        from .build import build_from_table

        return build_from_table(table, out, where, **options)

    @classmethod
    def from_dataset(cls, dataset: Dataset, out: str | Path, **options: Any) -> InstancePool:
        """Build a pool from a dataset's own objects (copy-paste): see `divergen_paste.build.build_from_dataset`."""
        from .build import build_from_dataset

        return build_from_dataset(dataset, out, **options)

    @classmethod
    def from_folder(
        cls, folder: str | Path, out: str | Path, categories: Iterable[Category], **options: Any
    ) -> InstancePool:
        """Build a pool from RGBA pictures: see `divergen_paste.build_files.build_from_folder`."""
        from .build_files import build_from_folder

        return build_from_folder(folder, out, categories, **options)

    @classmethod
    def from_pools_json(
        cls, path: str | Path, out: str | Path, categories: Iterable[Category], **options: Any
    ) -> InstancePool:
        """Build a pool from a published pool file: see `divergen_paste.build_files.build_from_pools_json`."""
        from .build_files import build_from_pools_json

        return build_from_pools_json(path, out, categories, **options)

    def __len__(self) -> int:
        return self.manifest.instances

    def __repr__(self) -> str:
        return f"InstancePool({str(self.path)!r}: {len(self)} instances of {len(self.categories)} categories)"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (str(self.path), self.manifest.build)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories that have instances, by id."""
        return tuple(entry.category for entry in self.manifest.categories)

    def source(self, row: int) -> str:
        """Provenance of an instance: `InstanceRecord.id`, ``"annotation:17"``, or a file's name."""
        return bytes(self._sources[row]).decode()

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


def build_hash(index: NDArray[Any], sources: NDArray[Any]) -> str:
    """Identity of a pool's content, wherever in its file each blob lies."""
    columns = (zlib.crc32(np.ascontiguousarray(index[name]).data) for name in INDEX.names or () if name != "offset")
    return short_hash(len(index), *columns, zlib.crc32(np.ascontiguousarray(sources).data))


def table_fingerprint(table: InstanceTable, where: str = "kept") -> str:
    """Hash of the rows that a pool is built from: their ids and which mask each has."""
    rows = table.select(["id", "annotator", "area_fraction"], where).sort_by("id")
    ids, annotators, areas = (rows[name] for name in rows.column_names)
    names = ("\n".join(map(str, column.to_pylist())) for column in (ids, annotators))
    return short_hash("pool/1", *names, areas.to_numpy().tobytes())


def category_rows(categories: Mapping[int, Category], category_ids: NDArray[np.int64]) -> tuple[PoolCategory, ...]:
    """The categories of an index sorted by category id, with their rows."""
    present, first, count = np.unique(category_ids, return_index=True, return_counts=True)
    return tuple(
        PoolCategory(category=categories[identity], first=start, count=number)
        for identity, start, number in zip(present.tolist(), first.tolist(), count.tolist(), strict=True)
    )


def _read_manifest(path: Path) -> PoolManifest:
    file = path / "pool.json"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PoolError(
            f"{path} is not an instance pool: it has no pool.json; make one with divergen-paste pool"
        ) from error
    except OSError as error:
        raise PoolError(f"{file} cannot be read: {error}") from error
    try:
        manifest = PoolManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise PoolError(f"{file}: {where}: {first['msg']}; build the pool again") from error
    if manifest.format != FORMAT:
        raise PoolError(f"{file}: format {manifest.format}, this version reads {FORMAT}; build the pool again")
    return manifest


def _reopen(path: str, build: str) -> InstancePool:
    """Unpickle: a pool that was rebuilt in between has other rows, and its user must know."""
    pool = InstancePool(path)
    if pool.manifest.build != build:
        raise PoolError(f"{path}: the pool was rebuilt while in use; start again to use the new one")
    return pool
