"""The renderer's settings, as a run's YAML names them: ``kind: procedural``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from divergen_records import Config, ConfigError
from divergen_records.file_names import from_home
from pydantic import Field, field_validator

if TYPE_CHECKING:
    from .generator import ProceduralGenerator

__all__ = ["ProceduralConfig", "check_box"]


def check_box(name: str | None) -> str | None:
    """The name of a box, or the absolute path of its file, for a setting of a config; None stays.

    Raises:
        ValueError: There is none of that name, or its file is wrong.
    """
    from .boxes import BOXES, read_box

    name = str(from_home(name)) if name else name
    try:
        read_box(name or "classic")
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return name if name is None or name in BOXES else str(Path(name).absolute())


class ProceduralConfig(Config):
    """The procedural renderer: no GPU, no download, true alpha.

    Attributes:
        kind: ``"procedural"``.
        name: Name of the generator in this run; two renderers of different style need different names.
        style: Rendering style, one of `divergen_minilvis.renderer.STYLES`.
        size: Side of the square picture, pixels.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP, 1 to 100.
        workers: Processes; pictures do not depend on it. More than one needs an importable ``__main__``.
        spoilt: Make every picture harmful, to study what finds that out: the object of another category, half of an
            object, or one made of noise.
        box: Which of the ways to look this style knows, and how it fails: a box of MiniLVIS. In a run, that of its data
            where left out; else ``classic``, where a style knows all.
    """

    kind: Literal["procedural"] = "procedural"
    name: str = Field(default="procedural", min_length=1)
    style: str = "photo"
    size: int = Field(default=256, ge=32, le=2048)
    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: int = Field(default=95, ge=1, le=100)
    workers: int = Field(default=1, ge=1)
    spoilt: Literal["astray", "torn", "noise"] | None = None
    box: str | None = None

    @field_validator("style")
    @classmethod
    def _known_style(cls, style: str) -> str:
        from .renderer import STYLES

        if style not in STYLES:
            raise ValueError(f"{style!r} is not a style of the procedural renderer; there are {', '.join(STYLES)}")
        return style

    _known_box = field_validator("box")(check_box)

    @property
    def revision(self) -> str:
        """As `ProceduralGenerator.revision`."""
        from .generator import revision

        return revision(
            style=self.style,
            size=self.size,
            image_format=self.image_format,
            quality=self.quality,
            spoilt=self.spoilt,
            box=self.box or "classic",
        )

    def build(self) -> ProceduralGenerator:
        """Make the generator."""
        from .generator import ProceduralGenerator

        return ProceduralGenerator(
            name=self.name,
            style=self.style,
            size=self.size,
            image_format=self.image_format,
            quality=self.quality,
            workers=self.workers,
            spoilt=self.spoilt,
            box=self.box or "classic",
        )
