"""Configurations of the annotators: data that a YAML file holds, told apart by ``kind``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from divergen_records import Config, ConfigError, backend_union
from pydantic import Field, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from .annotator import Annotator
    from .grabcut import GrabCut
    from .simple import ColourKey, TrueAlpha
    from .stage import Repair

__all__ = [
    "AnnotatorConfig",
    "ColourKeyConfig",
    "GrabCutConfig",
    "RepairConfig",
    "TrueAlphaConfig",
    "build_annotator",
]


class GrabCutConfig(Config):
    """GrabCut seeded from the picture's border; see `divergen_annotate.GrabCut`."""

    kind: Literal["grabcut"] = "grabcut"
    size: int = Field(default=128, ge=32)
    iterations: int = Field(default=2, ge=1)
    border: float = Field(default=0.03, gt=0, lt=0.5)
    contrast: float = Field(default=3.5, gt=0)
    workers: int | None = Field(default=None, ge=1)

    def build(self) -> GrabCut:
        """The annotator."""
        from .grabcut import GrabCut

        return GrabCut(**self.model_dump(exclude={"kind"}))


class ColourKeyConfig(Config):
    """Everything that differs from the border's colour; see `divergen_annotate.ColourKey`."""

    kind: Literal["colour-key"] = "colour-key"
    threshold: float = Field(default=30.0, gt=0)
    border: float = Field(default=0.03, gt=0, lt=0.5)

    def build(self) -> ColourKey:
        """The annotator."""
        from .simple import ColourKey

        return ColourKey(**self.model_dump(exclude={"kind"}))


class TrueAlphaConfig(Config):
    """The alpha that the generator recorded; see `divergen_annotate.TrueAlpha`."""

    kind: Literal["true-alpha"] = "true-alpha"
    threshold: float = Field(default=0.5, gt=0, le=1)

    def build(self) -> TrueAlpha:
        """The annotator."""
        from .simple import TrueAlpha

        return TrueAlpha(**self.model_dump(exclude={"kind"}))


AnnotatorConfig = backend_union("divergen.annotators", GrabCutConfig, ColourKeyConfig, TrueAlphaConfig)
"""Any annotator's configuration; the type of a pydantic field."""


def build_annotator(kind: str, settings: Sequence[str] = ()) -> Annotator:
    """Make an annotator from a command line.

    Args:
        kind: For example ``"grabcut"``.
        settings: ``"key=value"`` each, for example ``"size=160"``.

    Raises:
        ConfigError: If the kind is unknown or a setting is wrong; it names what is allowed.
    """
    values: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"setting {setting!r}: expected key=value, for example size=160")
        values[key] = value
    try:
        config = TypeAdapter(AnnotatorConfig).validate_python({"kind": kind, **values})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        wrong = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise ConfigError(f"annotator {kind!r}: {where + ': ' if where else ''}{wrong}") from error
    built: Annotator = config.build()
    return built


class RepairConfig(Config):
    """What is done to every mask; see `divergen_annotate.repair`."""

    keep_share: float = Field(default=1.0, ge=0, le=1)
    fill_below: float = Field(default=0.01, ge=0)
    smooth_radius: int = Field(default=1, ge=0)
    halo: int = Field(default=0, ge=0)

    def build(self) -> Repair:
        """The repair, ready for `AnnotateStage`."""
        from .cleanup import repair

        return partial(repair, **self.model_dump())
