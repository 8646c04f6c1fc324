"""Which workflow of ComfyUI a configuration may name; asks no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .settings import Settings

if TYPE_CHECKING:
    from .generator import ComfyUIGenerator

__all__ = ["ComfyUIConfig"]


class ComfyUIConfig(Settings):
    """As `Settings`; ``kind: comfyui``."""

    kind: Literal["comfyui"] = "comfyui"

    def build(self) -> ComfyUIGenerator:
        """Make the generator; the server is asked at its first picture."""
        from .generator import ComfyUIGenerator

        return ComfyUIGenerator(self)
