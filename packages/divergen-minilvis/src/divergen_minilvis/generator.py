"""The procedural renderer as a generator: planned records in, encoded pictures with true alpha out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from divergen_records import ConfigError, InstanceRecord, short_hash
from divergen_records.images import picture_columns

from . import renderer
from .boxes import Box, generated_member, read_box
from .workers import Workers

__all__ = ["ProceduralGenerator", "revision"]

ImageFormat = Literal["jpeg", "png", "webp"]

VERSION = 1
"""Grows whenever the renderer draws a different picture for the same record."""


def revision(
    *,
    style: str,
    size: int,
    image_format: ImageFormat,
    quality: int,
    spoilt: str | None = None,
    box: str = "classic",
) -> str:
    """Version and settings of the renderer as a text that changes whenever its pictures would."""
    stored = image_format if image_format == "png" else f"{image_format}-{quality}"
    given = read_box(box)
    # A habit without numbers of its own is written as before there were any: the same pictures, the same revision.
    plain = {style: {"shot"} for style, habit in given.generators.items() if not habit.shot}
    declared = given.model_dump_json(exclude={"generators": plain})
    drawn = "" if given.world is None else f"/{given.name}-{short_hash(declared)}"
    return f"procedural-{VERSION}/{style}/{size}px/{stored}" + (f"/{spoilt}" if spoilt else "") + drawn


class ProceduralGenerator:
    """Draws an object per record as its prompt and seed say, on the background that the prompt asks for.

    A category that the renderer has no program for becomes a row error.

    Args:
        name: Name of the generator in this run.
        style: One of `divergen_minilvis.renderer.STYLES`.
        size: Side of the square picture, pixels.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP, 1 to 100.
        workers: Processes; pictures do not depend on it. More than one needs an importable ``__main__``.
        spoilt: One of `divergen_minilvis.renderer.SPOILT`: every picture is harmful in this way.
        box: One of `divergen_minilvis.boxes.BOXES`, or a YAML file: what this style knows, and how it fails.

    Raises:
        ConfigError: The style, or the way to spoil, is unknown.
    """

    def __init__(
        self,
        *,
        name: str = "procedural",
        style: str = "photo",
        size: int = 256,
        image_format: ImageFormat = "jpeg",
        quality: int = 95,
        workers: int = 1,
        spoilt: str | None = None,
        box: str = "classic",
    ) -> None:
        if style not in renderer.STYLES:
            raise ConfigError(f"style {style!r}: the procedural renderer has {', '.join(renderer.STYLES)}")
        if spoilt not in (None, *renderer.SPOILT):
            raise ConfigError(f"spoilt {spoilt!r}: the procedural renderer has {', '.join(renderer.SPOILT)}")
        self.name = name
        settings: dict[str, Any] = {"style": style, "size": size, "image_format": image_format, "quality": quality}
        self.revision = revision(**settings, spoilt=spoilt, box=box)
        self._pool = Workers(_Drawing(**settings, spoilt=spoilt, box=read_box(box)), workers)

    def __call__(self, records: Sequence[InstanceRecord]) -> Sequence[InstanceRecord]:
        """Complete planned records, in order."""
        return list(self._pool.map(records))

    def close(self) -> None:
        """End the worker processes, if any."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class _Drawing:
    style: str
    size: int
    image_format: ImageFormat
    quality: int
    spoilt: str | None
    box: Box

    def __call__(self, record: InstanceRecord) -> InstanceRecord:
        program = renderer.known(record.category)
        if program is None:
            return record.failed(
                "gen",
                f"the procedural renderer has no program for category {record.category!r}; "
                "use another generator for it, or leave it out",
            )
        image, alpha = renderer.render_picture(
            program,
            record.prompt,
            seed=record.seed,
            size=self.size,
            style=self.style,
            spoilt=self.spoilt,
            member=generated_member(self.box, self.style, program, record.prompt, record.seed),
        )
        return record.model_copy(update=picture_columns(image, alpha, self.image_format, self.quality))
