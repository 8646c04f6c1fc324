"""Instance paste for any trainer: pool, compositor, bake to disk."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import PoolError

if TYPE_CHECKING:
    from .baking import bake
    from .chain import Chain
    from .config import PasteConfig
    from .functional import paste
    from .paster import Paster
    from .pool import InstancePool
    from .pool.from_dataset import pool_from_dataset
    from .pool.from_files import pool_from_files, pool_from_folder, pool_from_pools_json
    from .pool.from_path import pool_from_path
    from .pool.from_table import pool_from_table
    from .sampling import InstanceSampler
    from .scale import SizeSampler
    from .statistics import area_statistics, read_statistics, write_statistics
    from .weights import PoolWeights

__all__ = [
    "Chain",
    "InstancePool",
    "InstanceSampler",
    "PasteConfig",
    "Paster",
    "PoolError",
    "PoolWeights",
    "SizeSampler",
    "area_statistics",
    "bake",
    "paste",
    "pool_from_dataset",
    "pool_from_files",
    "pool_from_folder",
    "pool_from_path",
    "pool_from_pools_json",
    "pool_from_table",
    "read_statistics",
    "write_statistics",
]

_LAZY = {
    "Chain": "chain",
    "InstancePool": "pool",
    "InstanceSampler": "sampling",
    "PasteConfig": "config",
    "Paster": "paster",
    "PoolWeights": "weights",
    "SizeSampler": "scale",
    "area_statistics": "statistics",
    "bake": "baking",
    "paste": "functional",
    "pool_from_dataset": "pool.from_dataset",
    "pool_from_files": "pool.from_files",
    "pool_from_folder": "pool.from_files",
    "pool_from_path": "pool.from_path",
    "pool_from_pools_json": "pool.from_files",
    "pool_from_table": "pool.from_table",
    "read_statistics": "statistics",
    "write_statistics": "statistics",
}
"""Names whose modules load OpenCV or numpy, and where they live."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
