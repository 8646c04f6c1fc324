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
    "read_statistics": "statistics",
    "write_statistics": "statistics",
}
"""Names whose modules load OpenCV or numpy, and where they live."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
