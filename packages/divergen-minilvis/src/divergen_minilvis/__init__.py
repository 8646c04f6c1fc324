"""The procedural renderer, a generator without download, and MiniLVIS, a long-tailed dataset drawn with it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import ProceduralConfig
    from .generator import ProceduralGenerator
    from .scenes import MiniLVIS, make_minilvis

__all__ = ["MiniLVIS", "ProceduralConfig", "ProceduralGenerator", "make_minilvis"]

_HOME = {
    "MiniLVIS": "scenes",
    "ProceduralConfig": "config",
    "ProceduralGenerator": "generator",
    "make_minilvis": "scenes",
}
"""Where each name lives: numpy and OpenCV are loaded when one is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
