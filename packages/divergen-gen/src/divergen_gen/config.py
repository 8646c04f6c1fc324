"""Which generators a configuration may name."""

from __future__ import annotations

from typing import Any

from divergen_records import backend_union

from .api.config import OpenAIImagesConfig
from .comfyui.config import ComfyUIConfig
from .diffusion.config import DiffusersConfig, IFCascadeConfig

__all__ = ["ComfyUIConfig", "DiffusersConfig", "GeneratorConfig", "IFCascadeConfig", "OpenAIImagesConfig"]

GeneratorConfig: Any = backend_union(
    "divergen.generators", DiffusersConfig, IFCascadeConfig, OpenAIImagesConfig, ComfyUIConfig
)
"""Type of a configuration field that accepts any generator, told apart by ``kind``."""
