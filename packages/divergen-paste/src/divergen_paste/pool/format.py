"""What the files of a pool hold.

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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from divergen_records import Category, Config, short_hash
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ..errors import PoolError
from .crops import LEVELS

__all__ = [
    "FORMAT",
    "INDEX",
    "ImageFormat",
    "PoolCategory",
    "PoolManifest",
    "build_hash",
    "category_rows",
    "read_manifest",
]

ImageFormat = Literal["jpeg", "png"]
"""How crops are encoded: small, or without loss."""

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
        left_out: How many were left out by a rule, by rule.
        categories: Those that have instances, by id.
    """

    format: int
    origin: str
    instances: int
    blob_bytes: int
    image_format: ImageFormat
    max_side: int
    fingerprint: str
    build: str
    skipped: dict[str, int] = Field(default_factory=dict)
    left_out: dict[str, int] = Field(default_factory=dict)
    categories: tuple[PoolCategory, ...]


def build_hash(index: NDArray[Any], sources: NDArray[Any]) -> str:
    """Identity of a pool's content, wherever in its file each blob lies."""
    columns = (zlib.crc32(np.ascontiguousarray(index[name]).data) for name in INDEX.names or () if name != "offset")
    return short_hash(len(index), *columns, zlib.crc32(np.ascontiguousarray(sources).data))


def category_rows(categories: Mapping[int, Category], category_ids: NDArray[np.int64]) -> tuple[PoolCategory, ...]:
    """The categories of an index sorted by category id, with their rows."""
    present, first, count = np.unique(category_ids, return_index=True, return_counts=True)
    return tuple(
        PoolCategory(category=categories[identity], first=start, count=number)
        for identity, start, number in zip(present.tolist(), first.tolist(), count.tolist(), strict=True)
    )


def read_manifest(path: Path) -> PoolManifest:
    """What the `pool.json` of a folder says.

    Raises:
        PoolError: If there is none, or it is malformed or of another version.
    """
    file = path / "pool.json"
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
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
