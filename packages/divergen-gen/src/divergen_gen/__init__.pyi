from .api.generator import ImageApiGenerator
from .comfyui.generator import ComfyUIGenerator
from .config import ComfyUIConfig, DiffusersConfig, GeneratorConfig, IFCascadeConfig, OpenAIImagesConfig
from .counts import CountsConfig
from .diffusion.cascade import IFCascade
from .diffusion.generator import DiffusersGenerator
from .diffusion.model import Model
from .execution import generate
from .planning import Plan, Portion, plan
from .protocol import Generator

__all__ = [
    "ComfyUIConfig",
    "ComfyUIGenerator",
    "CountsConfig",
    "DiffusersConfig",
    "DiffusersGenerator",
    "Generator",
    "GeneratorConfig",
    "IFCascade",
    "IFCascadeConfig",
    "ImageApiGenerator",
    "Model",
    "OpenAIImagesConfig",
    "Plan",
    "Portion",
    "generate",
    "plan",
]
