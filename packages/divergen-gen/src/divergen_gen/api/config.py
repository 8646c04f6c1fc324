"""Which image API a configuration may name; imports no client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .settings import ImageApi

if TYPE_CHECKING:
    from .generator import ImageApiGenerator

__all__ = ["OpenAIImagesConfig"]


class OpenAIImagesConfig(ImageApi):
    """As `ImageApi`; ``kind: openai-images``."""

    kind: Literal["openai-images"] = "openai-images"

    def build(self) -> ImageApiGenerator:
        """Make the generator; nothing is asked before its first picture."""
        from .generator import ImageApiGenerator

        return ImageApiGenerator(self)
