from .config import DiffusersConfig, GeneratorConfig, IFCascadeConfig
from .counts import CountsConfig
from .diffusion.cascade import IFCascade
from .diffusion.generator import DiffusersGenerator
from .diffusion.model import Model
from .execution import generate
from .planning import Plan, Portion, plan
from .protocol import Generator

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
    "Portion",
    "generate",
    "plan",
]
