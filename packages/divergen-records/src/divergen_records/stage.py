"""What a stage is: a batch function with declared columns that knows nothing of storage, Ray or resume.

>>> from divergen_records import Columns, Float32
>>> class ShapeColumns(Columns):
...     aspect: Float32 | None = None
...     '''Width / height of the picture.'''
>>> class Shape:
...     name = "shape"
...     reads = ("width", "height")
...     writes = ("aspect",)
...     columns = ShapeColumns
...
...     def __call__(self, batch):
...         return {"aspect": [w / h for w, h in zip(batch["width"], batch["height"])]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .columns import Columns
from .errors import ConfigError, DivergenError
from .record import InstanceRecord

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Batch", "Shard", "Source", "Stage", "map_rows"]

Batch = Mapping[str, "Sequence[Any] | np.ndarray[Any, Any]"]
"""Column name -> one value per row, None where a value is missing. A column of vectors is an array (N, D) float32 where
no row lacks one. Values are those of `InstanceRecord`: ``image`` is bytes, ``bbox`` four floats."""


@runtime_checkable
class Stage(Protocol):
    """Fills columns of rows that exist.

    A call returns the written columns, and may return ``error``: a text for each row that failed, None for the others;
    a failed row's written columns are ignored. What it raises ends the stage; finished work stays.
    """

    @property
    def name(self) -> str:
        """Goes into a failed row's ``error_stage``, the progress line and the status table."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns that it is given, beside ``id``; rows where one of them is NULL are not ready.

        They are the table's; one that another stage may not have added yet stands in ``columns``, too.
        """

    @property
    def writes(self) -> tuple[str, ...]:
        """Columns that it fills. A row is pending while the first of them is NULL and it has no ``error``."""

    @property
    def columns(self) -> type[Columns]:
        """The columns that it knows beyond those of `InstanceRecord`; `Columns` itself where there are none."""

    def __call__(self, batch: Batch) -> Batch:
        """Fill the written columns of a batch."""


@runtime_checkable
class Source(Protocol):
    """Makes new rows: given planned records (identity only), returns them complete, in the same order.

    A record that failed comes back by `InstanceRecord.failed`. One that can go on with none raises `SourceEnded`.
    """

    @property
    def name(self) -> str:
        """Goes into the progress line."""

    def __call__(self, records: Sequence[InstanceRecord]) -> Sequence[InstanceRecord]:
        """Complete planned records."""


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count`` of the work, for processes or machines side by side."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ConfigError(f"shard {self.index}/{self.count}: the index must be in 0..{self.count - 1}")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From ``"i/n"``, for example ``"0/4"``."""
        index, slash, count = text.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal()):
            raise ConfigError(f"shard {text!r}: expected i/n, for example 0/4")
        return cls(int(index), int(count))

    def has(self, instance_id: str) -> bool:
        """Whether the instance belongs to this shard, by its id."""
        return int(instance_id[:12], 16) % self.count == self.index


def map_rows(function: Callable[..., Mapping[str, Any]], batch: Batch, writes: Sequence[str]) -> dict[str, list[Any]]:
    """Apply a function of one row to each row of a batch; a `DivergenError` becomes that row's ``error``.

    Args:
        function: Takes the row's columns as keyword arguments, returns the written columns.
        batch: The batch.
        writes: Names of the written columns.
    """
    names = list(batch)
    result: dict[str, list[Any]] = {name: [] for name in (*writes, "error")}
    for values in zip(*batch.values(), strict=True):
        try:
            row: Mapping[str, Any] = {**function(**dict(zip(names, values, strict=True))), "error": None}
        except DivergenError as error:
            row = {"error": str(error)}
        for name, column in result.items():
            column.append(row.get(name))
    return result
