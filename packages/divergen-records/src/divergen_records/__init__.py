"""The instance record, the instance table, masks and dataset formats of DiverGen."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .backends import backend_union
from .columns import Columns, Float32, Int32, Vector
from .errors import (
    CommitError,
    ConfigError,
    DatasetError,
    DivergenError,
    ExistsError,
    ImageError,
    MaskError,
    MissingExtra,
    NothingLeft,
    RowError,
    RunLocked,
    SchemaTooNew,
    TableError,
    WeightsError,
    require_extra,
)
from .identity import derive_seed, instance_id, short_hash
from .progress import Progress
from .record import SCHEMA_VERSION, Category, Config, Frequency, InstanceRecord, PromptRecord
from .stage import Batch, Shard, Source, Stage, map_rows

if TYPE_CHECKING:
    from .executor import StageReport, append, fill
    from .table import InstanceTable

__all__ = [
    "SCHEMA_VERSION",
    "Batch",
    "Category",
    "Columns",
    "CommitError",
    "Config",
    "ConfigError",
    "DatasetError",
    "DivergenError",
    "ExistsError",
    "Float32",
    "Frequency",
    "ImageError",
    "InstanceRecord",
    "InstanceTable",
    "Int32",
    "MaskError",
    "MissingExtra",
    "NothingLeft",
    "Progress",
    "PromptRecord",
    "RowError",
    "RunLocked",
    "SchemaTooNew",
    "Shard",
    "Source",
    "Stage",
    "StageReport",
    "TableError",
    "Vector",
    "WeightsError",
    "append",
    "backend_union",
    "derive_seed",
    "fill",
    "instance_id",
    "map_rows",
    "require_extra",
    "short_hash",
]

_LAZY = {"InstanceTable": "table", "StageReport": "executor", "append": "executor", "fill": "executor"}
"""Names whose modules need an extra or are slow to import, and where they live."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with require_extra("divergen-records", "table"):
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
