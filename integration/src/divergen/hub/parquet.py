"""An instance table as Parquet files that `datasets` and the hub's viewer read, and back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import InstanceRecord, InstanceTable, TableError
from divergen_records.archives import why_too_much
from divergen_records.errors import DatasetError, MaskError
from divergen_records.explain import explain
from divergen_records.files import refuse_pipe
from divergen_records.folders import new_folder
from divergen_records.images import encode_image
from divergen_records.losses import Losses
from divergen_records.masks import decode_counts
from divergen_records.progress import Progress
from pydantic import ValidationError

__all__ = ["Published", "read_instances", "write_instances"]

_PICTURES = ("image", "mask", "alpha")
_STAYS = ("embedding", "error", "error_stage", "kept", "reject_reason")
_NEEDED = {"id", "image", "mask_rle", "category", "prompt", "generator", "seed"}
_ROWS, _SHARD_BYTES = 64, 500_000_000


@dataclass
class Published:
    """What was written.

    Attributes:
        bytes: Of the files.
        categories: Instances of each.
        generators: Instances of each; the key is name and revision.
        prompt_sources: Instances of each.
        frequencies: Instances of each group.
    """

    bytes: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    generators: Counter[tuple[str, str]] = field(default_factory=Counter)
    prompt_sources: Counter[str] = field(default_factory=Counter)
    frequencies: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """Instances."""
        return self.categories.total()

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Count rows."""
        self.categories.update(row["category"] for row in rows)
        self.generators.update((row["generator"], row["generator_revision"]) for row in rows)
        self.prompt_sources.update(row["prompt_source"] or "?" for row in rows)
        self.frequencies.update(row["frequency"] or "?" for row in rows)


def write_instances(
    table: InstanceTable,
    folder: Path,
    *,
    where: str = "kept",
    shard_bytes: int = _SHARD_BYTES,
    losses: Losses | None = None,
) -> Published:
    """Write instances as Parquet files: picture, mask and alpha as images, and all else that the table knows of them.

    Embeddings stay behind: they can be made again from the pictures.

    Args:
        table: The instances.
        folder: Where the files go, ``data/*.parquet``.
        where: SQL filter over the table's columns.
        shard_bytes: Size from which a file is followed by another one.
        losses: Takes in the instances that have no picture or mask yet.

    Raises:
        TableError: If no row with picture and mask fits the filter.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    done = "width IS NOT NULL AND area_fraction IS NOT NULL"
    complete = f"({where}) AND {done}"
    total = table.count(complete)
    if losses is not None:
        _tell(table, f"({where}) AND NOT ({done})", losses)
    if not total:
        raise TableError(f"{table.path}: no instance with picture and mask fits {where!r}")
    plain = pa.schema([table.schema.field(name).remove_metadata() for name in table.columns if name not in _STAYS])
    schema, found, shards = _published(plain), Published(), 0
    (folder / "data").mkdir(parents=True)
    with Progress("hub files", total, unit="instances") as progress:
        batches = table.batches(plain.names, complete, batch_size=_ROWS)
        for first in batches:  # of each file
            path = folder / "data" / f"instances-{shards:05d}.parquet"
            with ParquetWriter(path, schema) as writer:
                for batch in chain([first], batches):
                    rows = batch.to_pylist()
                    writer.write_batch(pa.RecordBatch.from_pylist([_published_row(row) for row in rows], schema))
                    found.add(rows)
                    progress.update(len(rows))
                    if path.stat().st_size > shard_bytes:
                        break
            found.bytes, shards = found.bytes + path.stat().st_size, shards + 1
    return found


def _tell(table: InstanceTable, where: str, losses: Losses) -> None:
    """Name the instances that are left out."""
    for batch in table.batches(["id", "category", "width"], where, batch_size=4096):
        for row in batch.to_pylist():
            reason = "has no picture" if row["width"] is None else "has no mask"
            losses.add(f"{row['id']} ({row['category']})", reason)


def read_instances(folder: Path, out: Path, *, overwrite: bool = False) -> InstanceTable:
    """A table of the instances in a folder that `write_instances` wrote, each kept, with the record's own columns.

    It appears under its name when it is whole.

    Raises:
        DatasetError: If there are no such files, or one is damaged or holds what is no instance.
        ExistsError: If something is at ``out``; a table that this wrote, and nobody changed, is replaced if asked.
    """
    from pyarrow.parquet import ParquetFile, read_metadata, read_schema

    files = sorted((folder / "data").glob("*.parquet"))
    if not files:
        raise DatasetError(f"{folder}: no data/*.parquet; `divergen push` writes them")
    total = 0
    for path in files:
        with _reading(path):
            lacking, about = _NEEDED - set(read_schema(path).names), read_metadata(path)
        unpacked = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        if wrong := why_too_much(path.stat().st_size, unpacked):
            raise DatasetError(f"{path} {wrong}")
        if lacking:
            raise DatasetError(f"{path.name} holds no instances of ours: it lacks {', '.join(sorted(lacking))}")
        total += about.num_rows
    with new_folder(out, overwrite=overwrite) as unfinished, Progress("instances", total, unit="instances") as progress:
        table = InstanceTable.create(unfinished)
        for path in files:
            with _reading(path), ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_ROWS):
                    table.append([_record(row) for row in batch.to_pylist()])
                    progress.update(batch.num_rows)
    return InstanceTable.open(out)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with it."""
    import pyarrow as pa

    refuse_pipe(path)
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{path}: no sound Parquet file ({reason}); download or publish it again") from error
    except _BadRow as error:
        raise DatasetError(f"{path}: {error}; publish it again with `divergen push`") from error


class _BadRow(Exception):
    """A row that is no instance."""


def _published(plain: Any) -> Any:
    """The columns as they are published, with the features of `datasets`, by which the viewer shows pictures."""
    import pyarrow as pa

    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [pa.field(name, picture) for name in _PICTURES]
    fields += [pa.field("bbox", pa.list_(pa.float32())), pa.field("mask_rle", pa.string())]
    fields += [column for column in plain if column.name not in (*_PICTURES, "bbox")]
    features = {column.name: _feature(column) for column in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(column: Any) -> dict[str, Any]:
    if column.name in _PICTURES:
        return {"_type": "Image"}
    if column.name == "bbox":
        return {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "List"}
    names = {"float": "float32", "double": "float64"}
    return {"dtype": names.get(str(column.type), str(column.type)), "_type": "Value"}


def _published_row(row: dict[str, Any]) -> dict[str, Any]:
    mask = decode_counts(row["mask"], row["height"], row["width"]).astype(np.uint8) * 255
    pictures = {
        "image": {"bytes": row["image"], "path": f"{row['id']}.{row['image_format'] or 'png'}"},
        "mask": {"bytes": encode_image(mask, "png"), "path": f"{row['id']}-mask.png"},
        "alpha": row["alpha"] and {"bytes": row["alpha"], "path": f"{row['id']}-alpha.png"},
    }
    return {**row, **pictures, "mask_rle": row["mask"]}


def _record(row: dict[str, Any]) -> InstanceRecord:
    own = {name: row[name] for name in InstanceRecord.model_fields if name in row and name not in (*_PICTURES, *_STAYS)}
    pictures = {name: _bytes(row, name) for name in ("image", "alpha")}
    try:
        record = InstanceRecord.model_validate({**own, **pictures, "mask": row["mask_rle"], "kept": True})
        decode_counts(record.mask or "", record.height or 0, record.width or 0)
    except (ValidationError, MaskError) as error:
        reason = explain(InstanceRecord, error)[0] if isinstance(error, ValidationError) else str(error)
        raise _BadRow(f"the row with the id {row['id']!r} is no instance: {reason}") from error
    if record.image is None:
        raise _BadRow(f"the row with the id {row['id']!r} has no picture")
    return record


def _bytes(row: dict[str, Any], name: str) -> Any:
    """Of a picture as `datasets` writes it; whatever else is there is for the record to refuse."""
    value = row.get(name)
    return value.get("bytes") if isinstance(value, dict) else value
