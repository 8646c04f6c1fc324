"""Which generators a configuration may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from divergen_records import Config, backend_union
from pydantic import Field, field_validator

from .diffusion.config import DiffusersConfig, IFCascadeConfig

if TYPE_CHECKING:
    from .renderer import ProceduralGenerator

__all__ = ["DiffusersConfig", "GeneratorConfig", "IFCascadeConfig", "ProceduralConfig"]


class ProceduralConfig(Config):
    """The procedural renderer: no GPU, no download, true alpha.

    Attributes:
        kind: ``"procedural"``.
        name: Name of the generator in this run; two renderers of different style need different names.
        style: Rendering style, one of `divergen_gen.procedural.STYLES`.
        size: Side of the square picture, pixels.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP, 1 to 100.
        workers: Processes; pictures do not depend on it. More than one needs an importable ``__main__``.
        spoilt: Make every picture harmful, to study what finds that out: the object of another category, half of an
            object, or one made of noise.
    """

    kind: Literal["procedural"] = "procedural"
    name: str = Field(default="procedural", min_length=1)
    style: str = "photo"
    size: int = Field(default=256, ge=32, le=2048)
    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: int = Field(default=95, ge=1, le=100)
    workers: int = Field(default=1, ge=1)
    spoilt: Literal["astray", "torn", "noise"] | None = None

    @field_validator("style")
    @classmethod
    def _known_style(cls, style: str) -> str:
        from .procedural import STYLES

        if style not in STYLES:
            raise ValueError(f"{style!r} is not a style of the procedural renderer; there are {', '.join(STYLES)}")
        return style

    @property
    def revision(self) -> str:
        """As `ProceduralGenerator.revision`."""
        from .renderer import revision

        return revision(
            style=self.style,
            size=self.size,
            image_format=self.image_format,
            quality=self.quality,
            spoilt=self.spoilt,
        )

    def build(self) -> ProceduralGenerator:
        """Make the generator."""
        from .renderer import ProceduralGenerator

        return ProceduralGenerator(
            name=self.name,
            style=self.style,
            size=self.size,
            image_format=self.image_format,
            quality=self.quality,
            workers=self.workers,
            spoilt=self.spoilt,
        )


GeneratorConfig: Any = backend_union("divergen.generators", ProceduralConfig, DiffusersConfig, IFCascadeConfig)
"""Type of a configuration field that accepts any generator, told apart by ``kind``."""
