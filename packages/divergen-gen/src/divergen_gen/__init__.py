"""Prompts to pictures: text-to-image models and a procedural renderer, into one instance table."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .counts import CountsConfig
from .planning import Plan, plan
from .protocol import Generator

if TYPE_CHECKING:
    from .config import DiffusersConfig, GeneratorConfig, IFCascadeConfig, ProceduralConfig
    from .diffusion.cascade import IFCascade
    from .diffusion.generator import DiffusersGenerator
    from .diffusion.model import Model
    from .execution import generate
    from .minilvis import MiniLVIS, make_minilvis
    from .renderer import ProceduralGenerator

__all__ = [
    "CountsConfig",
    "DiffusersConfig",
    "DiffusersGenerator",
    "Generator",
    "GeneratorConfig",
    "IFCascade",
    "IFCascadeConfig",
    "MiniLVIS",
    "Model",
    "Plan",
    "ProceduralConfig",
    "ProceduralGenerator",
    "generate",
    "make_minilvis",
    "plan",
]

_HOME = {
    "DiffusersConfig": "config",
    "DiffusersGenerator": "diffusion.generator",
    "IFCascade": "diffusion.cascade",
    "IFCascadeConfig": "config",
    "Model": "diffusion.model",
    "GeneratorConfig": "config",
    "MiniLVIS": "minilvis",
    "ProceduralConfig": "config",
    "ProceduralGenerator": "renderer",
    "generate": "execution",
    "make_minilvis": "minilvis",
}
"""Where each name lives that needs numpy, OpenCV, a model or the table."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
