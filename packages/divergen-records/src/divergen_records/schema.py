"""The Arrow schema of the instance table, derived from `InstanceRecord`: nothing else defines columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import pyarrow as pa

from .errors import SchemaTooNew, TableError
from .record import SCHEMA_VERSION, Arrow, InstanceRecord

__all__ = ["COLUMNS", "MARKERS", "REQUIRED", "VECTORS", "arrow_schema", "check_version", "from_arrow", "to_arrow"]

VERSION_KEY = b"divergen.schema_version"

MARKERS = {"image": "width", "mask": "area_fraction", "embedding": "embedder"}
"""Heavy columns, and the light one written together with each: whether a row has the heavy one is read off there."""

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
}
_NAMED: dict[str, pa.DataType | None] = {
    "int32": pa.int32(),
    "float32": pa.float32(),
    "fixed_size_list<float>[4]": pa.list_(pa.float32(), 4),
    "vector": None,  # its width is known when the first vector is
}


def _arrow_type(annotation: Any, metadata: Sequence[Any] = ()) -> pa.DataType | None:
    """The Arrow type of a field; None for a vector."""
    for item in metadata:
        if isinstance(item, Arrow):
            return _NAMED[item.name]
    if hasattr(annotation, "__metadata__"):
        return _arrow_type(get_args(annotation)[0], annotation.__metadata__)
    options = [option for option in get_args(annotation) if option is not type(None)]
    if get_origin(annotation) is Literal:
        return _SCALARS[type(options[0])]
    if options and (get_origin(annotation) is Union or type(annotation).__name__ == "UnionType"):
        return _arrow_type(options[0])
    return _SCALARS[annotation]


_FIELDS = {name: _arrow_type(field.annotation, field.metadata) for name, field in InstanceRecord.model_fields.items()}

COLUMNS = tuple(_FIELDS)
"""All columns, in the record's order."""

REQUIRED = frozenset(name for name, field in InstanceRecord.model_fields.items() if field.is_required())
"""Columns that are never NULL."""

VECTORS = frozenset(name for name, kind in _FIELDS.items() if kind is None)
"""Columns of fixed-size float vectors; a table has each from its first vector on, and its width is fixed by that."""


def arrow_schema(embedding_dim: int | None = None) -> pa.Schema:
    """The schema of an instance table.

    Args:
        embedding_dim: Width D of the ``embedding`` column, fixed_size_list<float32>[D]; None leaves the column out.
    """
    vector = None if embedding_dim is None else pa.list_(pa.float32(), embedding_dim)
    fields = [
        pa.field(name, kind or vector, nullable=name not in REQUIRED)
        for name, kind in _FIELDS.items()
        if kind is not None or vector is not None
    ]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})


def check_version(schema: pa.Schema, path: object) -> int:
    """The schema version that a table was written with.

    Raises:
        SchemaTooNew: If it is newer than this package.
        TableError: If it is not an instance table.
    """
    text = (schema.metadata or {}).get(VERSION_KEY, b"").decode()
    if not text.isdecimal():
        raise TableError(f"{path} is a Lance dataset, but not an instance table: its schema has no {VERSION_KEY!r}")
    if int(text) > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{path} was written with schema version {text}, this divergen-records knows {SCHEMA_VERSION}: "
            "pip install --upgrade divergen-records"
        )
    return int(text)


def to_arrow(records: Sequence[InstanceRecord], schema: pa.Schema) -> pa.Table:
    """Records as rows of a table with this schema."""
    columns = {name: [getattr(record, name) for record in records] for name in schema.names}
    try:
        return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"a record does not fit the table: {error}") from error


def from_arrow(rows: pa.Table | pa.RecordBatch) -> Iterator[InstanceRecord]:
    """Rows with all columns of a table as records."""
    yield from map(InstanceRecord.model_validate, rows.to_pylist())
