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
from .executor import StageReport, append, fill
from .identity import derive_seed, instance_id, short_hash
from .progress import Progress
from .record import SCHEMA_VERSION, Category, Config, Frequency, InstanceRecord, PromptRecord
from .stage import Batch, Shard, Source, Stage, map_rows
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
