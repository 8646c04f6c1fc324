"""Columns that a stage declares beside those of `InstanceRecord`: a pydantic model, one optional field for each.

`InstanceRecord` holds what all packages share. What one stage alone writes stands in a `Columns` model beside that
stage; `divergen_records.schema` turns both into Arrow fields. Reading this takes neither Arrow nor Lance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Annotated, Any, ClassVar, ForwardRef, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from .errors import ConfigError

__all__ = [
    "NUMBERS",
    "Arrow",
    "Columns",
    "Float32",
    "Int32",
    "Vector",
    "column_type",
    "declared_columns",
    "is_number",
    "marker_of",
    "merge_columns",
    "writer_of",
]

NUMBERS = frozenset(["int", "int32", "float", "float32", "bool"])
"""Types of columns that a rule can compare with a number."""

_TYPES = NUMBERS | {"str", "bytes", "vector"}


@dataclass(frozen=True)
class Arrow:
    """The type of a column where the Python type alone does not say it (``Annotated[int, Arrow("int32")]``).

    Attributes:
        type: ``"int32"``, ``"float32"``, ``"box"`` (four float32), ``"vector"`` (float32, all of one length), or the
            Python type's name.
        marker: Of a heavy column: the light one that is written together with it. Whether a row has the heavy one is
            read off there.
    """

    type: str
    marker: str | None = None


Int32 = Annotated[int, Arrow("int32")]
Float32 = Annotated[float, Arrow("float32")]
Vector = Annotated[tuple[float, ...], Arrow("vector")]
"""A vector of float32; a table has such a column from its first vector on, and its width is fixed by that."""


class Columns(BaseModel):
    """Base of the columns that a stage declares; itself it declares none.

    Each field is a column, optional (NULL is pending), of type ``str``, ``int``, ``float``, ``bool``, ``bytes``,
    `Int32`, `Float32` or `Vector`; the text below it says what it holds, in which unit and range.

    >>> class BeautyColumns(Columns):
    ...     beauty: Float32 | None = None
    ...     '''Mean opinion of people, 1 to 10.'''

    Attributes:
        writer: The distribution that writes them; the package that the model lies in, where None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    writer: ClassVar[str | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            if isinstance(field.annotation, ForwardRef):
                raise ConfigError(
                    f"{cls.__name__}.{name}: {field.annotation.__forward_arg__!r} is not known when the class is made; "
                    "define or import it above, not under TYPE_CHECKING"
                )
            if (kind := column_type(field)) not in _TYPES:
                raise ConfigError(
                    f"{cls.__name__}.{name}: no column is a {kind}; known are {', '.join(sorted(_TYPES))}"
                )
            if field.is_required() or field.default is not None:
                raise ConfigError(f"{cls.__name__}.{name}: a column is optional and begins as None (pending)")


def column_type(field: FieldInfo) -> str:
    """The type of a column as one word: ``"str"``, ``"int"``, ``"float"``, ``"bool"``, ``"bytes"`` or `Arrow`'s."""
    return _type_of(field.annotation, field.metadata)


def _type_of(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    for item in metadata:
        if isinstance(item, Arrow):
            return item.type
    if hasattr(annotation, "__metadata__"):
        return _type_of(get_args(annotation)[0], annotation.__metadata__)
    options = [option for option in get_args(annotation) if option is not type(None)]
    if get_origin(annotation) is Literal:
        return type(options[0]).__name__
    if options and (get_origin(annotation) is Union or type(annotation).__name__ == "UnionType"):
        return _type_of(options[0])
    return str(annotation.__name__)


def marker_of(field: FieldInfo) -> str | None:
    """The light column that tells whether a row has this heavy one; None for a light one."""
    notes = [*field.metadata, *(item for option in get_args(field.annotation) for item in _notes(option))]
    return next((item.marker for item in notes if isinstance(item, Arrow) and item.marker), None)


def _notes(annotation: Any) -> tuple[Any, ...]:
    return tuple(getattr(annotation, "__metadata__", ()))


def is_number(field: FieldInfo) -> bool:
    """Whether a rule can compare the column with a number."""
    return column_type(field) in NUMBERS


def writer_of(columns: type[Columns], name: str) -> str:
    """Who declares a column, with the version: ``"divergen-annotate 1.2.0"``; of an inherited one, its first owner."""
    owner = next(kind for kind in reversed(columns.__mro__) if issubclass(kind, Columns) and name in kind.model_fields)
    writer = owner.writer or owner.__module__.partition(".")[0].replace("_", "-")
    try:
        return f"{writer} {version(writer)}"
    except PackageNotFoundError:  # a script
        return writer


def merge_columns(models: Iterable[type[Columns]]) -> dict[str, type[Columns]]:
    """Column -> the model that declares it.

    Raises:
        ConfigError: If two models declare one column with different types; it names both.
    """
    found: dict[str, type[Columns]] = {}
    for model in models:
        for name, field in model.model_fields.items():
            other = found.setdefault(name, model)
            theirs, ours = column_type(other.model_fields[name]), column_type(field)
            if theirs != ours:
                raise ConfigError(
                    f"two packages declare the column {name!r} with different types: {writer_of(other, name)} as "
                    f"{theirs}, {writer_of(model, name)} as {ours}; rename one, or uninstall one"
                )
    return found


def declared_columns() -> dict[str, type[Columns]]:
    """The columns that installed packages declare, by name.

    A package announces a `Columns` model by the entry point ``divergen.columns``; a score's configuration
    (``divergen.scores``) carries its own.

    Raises:
        ConfigError: If two packages declare one column with different types.
    """
    return merge_columns(_installed())


def _installed() -> Iterator[type[Columns]]:
    for point in sorted(entry_points(group="divergen.columns"), key=lambda point: point.name):
        yield point.load()
    for point in sorted(entry_points(group="divergen.scores"), key=lambda point: point.name):
        yield point.load().columns
