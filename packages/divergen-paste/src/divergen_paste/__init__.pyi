from .baking import bake
from .chain import Chain
from .config import PasteConfig
from .errors import PoolError
from .functional import paste
from .paster import Paster
from .pool import InstancePool
from .pool.from_dataset import pool_from_dataset
from .pool.from_files import pool_from_files, pool_from_folder, pool_from_pools_json
from .pool.from_path import pool_from_path
from .pool.from_table import pool_from_table
from .relight.blending import Relight
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
    "Relight",
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
