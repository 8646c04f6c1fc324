"""Prompts to pictures: any text-to-image model, into one instance table."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .counts import CountsConfig
from .planning import Plan, plan
from .protocol import Generator

if TYPE_CHECKING:
    from .config import DiffusersConfig, GeneratorConfig, IFCascadeConfig
    from .diffusion.cascade import IFCascade
    from .diffusion.generator import DiffusersGenerator
    from .diffusion.model import Model
    from .execution import generate

__all__ = [
    "CountsConfig",
    "DiffusersConfig",
    "DiffusersGenerator",
    "Generator",
    "GeneratorConfig",
    "IFCascade",
    "IFCascadeConfig",
    "Model",
    "Plan",
    "generate",
    "plan",
]

_HOME = {
    "DiffusersConfig": "config",
    "DiffusersGenerator": "diffusion.generator",
    "IFCascade": "diffusion.cascade",
    "IFCascadeConfig": "config",
    "Model": "diffusion.model",
    "GeneratorConfig": "config",
    "generate": "execution",
}
"""Where each name lives that needs numpy, OpenCV, a model or the table."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
