"""The Arrow schema of an instance table, derived from `InstanceRecord` and the columns that stages declare.

Nothing else defines columns. A field's metadata says who declared it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from .columns import Columns, column_type, marker_of, writer_of
from .errors import SchemaTooNew, TableError
from .record import SCHEMA_VERSION, InstanceRecord

__all__ = [
    "COLUMNS",
    "REQUIRED",
    "arrow_field",
    "arrow_schema",
    "arrow_types",
    "check_version",
    "field_notes",
    "find_marker",
    "from_arrow",
    "is_heavy",
    "is_number_field",
    "is_vector",
    "to_arrow",
    "writer_in",
]

VERSION_KEY = b"divergen.schema_version"
WRITER_KEY = "divergen.writer"
MARKER_KEY = "divergen.marker"

_TYPES: dict[str, pa.DataType | None] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "bytes": pa.binary(),
    "int32": pa.int32(),
    "float32": pa.float32(),
    "box": pa.list_(pa.float32(), 4),
    "vector": None,  # its width is known when the first vector is
}


def arrow_types(model: type[BaseModel]) -> dict[str, pa.DataType | None]:
    """The Arrow type of each column of a record or of a stage's declared columns; None for a vector."""
    return {name: _TYPES[column_type(field)] for name, field in model.model_fields.items()}


_FIELDS = arrow_types(InstanceRecord)

COLUMNS = tuple(_FIELDS)
"""The columns that every table has, in the record's order."""

REQUIRED = frozenset(name for name, field in InstanceRecord.model_fields.items() if field.is_required())
"""Columns that are never NULL."""

_MARKERS = {name: marker for name, field in InstanceRecord.model_fields.items() if (marker := marker_of(field))}


def arrow_schema() -> pa.Schema:
    """The schema of a new instance table: the columns of `InstanceRecord`."""
    fields = [pa.field(name, kind, nullable=name not in REQUIRED) for name, kind in _FIELDS.items()]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})


def arrow_field(columns: type[Columns], name: str, *, width: int | None = None) -> pa.Field | None:
    """The Arrow field of a declared column; None for a vector whose ``width`` is not known."""
    kind = _TYPES[column_type(columns.model_fields[name])]
    if kind is None and width is not None:
        kind = pa.list_(pa.float32(), width)
    return None if kind is None else pa.field(name, kind, metadata=field_notes(columns, name))


def field_notes(columns: type[Columns], name: str) -> dict[str, str]:
    """The metadata of a declared column: who declares it, and its marker."""
    marker = marker_of(columns.model_fields[name])
    return {WRITER_KEY: writer_of(columns, name), **({MARKER_KEY: marker} if marker else {})}


def writer_in(field: pa.Field) -> str | None:
    """Who declared a column of a table; None for the record's own, and for all of tables of schema version 2."""
    return _note(field, WRITER_KEY)


def find_marker(schema: pa.Schema, name: str) -> str:
    """The light column that tells whether a row has this one; a light column tells of itself."""
    if name not in schema.names:
        return name
    marker = _MARKERS.get(name) or _note(schema.field(name), MARKER_KEY)
    return marker if marker is not None and marker in schema.names else name


def _note(field: pa.Field, key: str) -> str | None:
    return (field.metadata or {}).get(key.encode(), b"").decode() or None


def is_vector(field: pa.Field) -> bool:
    """Whether a column holds vectors; `InstanceRecord` has none (a box is no vector)."""
    return field.name not in _FIELDS and bool(pa.types.is_fixed_size_list(field.type))


def is_heavy(field: pa.Field) -> bool:
    """Whether a column holds pictures, masks or vectors: what a listing leaves out."""
    return field.name in _MARKERS or is_vector(field) or bool(pa.types.is_binary(field.type))


def is_number_field(field: pa.Field) -> bool:
    """Whether a rule can compare a column with a number."""
    kind = field.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


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
    """Records as rows of a table with this schema.

    Raises:
        TableError: If a record has a column that the schema lacks, or a value of another type.
    """
    extra = {name for record in records for name in record.model_extra or ()}
    if unknown := sorted(extra - set(schema.names)):
        raise TableError(
            f"a record has the column {unknown[0]!r}, which the table lacks; it has {', '.join(schema.names)}. "
            "Declare it first (InstanceTable.ensure_columns)"
        )
    try:
        return pa.table([pa.array(_values(records, field.name), field.type) for field in schema], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"a record does not fit the table: {error}") from error


def _values(records: Sequence[InstanceRecord], name: str) -> list[Any]:
    if name in _FIELDS:
        return [getattr(record, name) for record in records]
    return [(record.model_extra or {}).get(name) for record in records]


def from_arrow(rows: pa.Table | pa.RecordBatch) -> Iterator[InstanceRecord]:
    """Rows with all columns of a table as records; a declared column that is NULL is left out of its record."""
    for row in rows.to_pylist():
        yield InstanceRecord.model_validate({name: value for name, value in row.items() if value is not None})
