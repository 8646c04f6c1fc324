"""Configurations of the annotators: data that a YAML file holds, told apart by ``kind``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from divergen_records import Config, backend_union
from divergen_records.settings import apply_settings
from pydantic import BeforeValidator, Field

from .network_configs import (
    ClipScorerConfig,
    ClipSegConfig,
    GroundedSamConfig,
    SaliencyConfig,
    Sam3Config,
    SamBackgroundConfig,
)

if TYPE_CHECKING:
    from .annotator import Annotator
    from .bestof import BestOf
    from .grabcut import GrabCut
    from .scorers import OutlineScorer
    from .simple import ColourKey, TrueAlpha
    from .stage import Repair

__all__ = [
    "AnnotatorConfig",
    "BestOfConfig",
    "ClipScorerConfig",
    "ClipSegConfig",
    "ColourKeyConfig",
    "GrabCutConfig",
    "GroundedSamConfig",
    "OutlineScorerConfig",
    "RepairConfig",
    "SaliencyConfig",
    "Sam3Config",
    "SamBackgroundConfig",
    "ScorerConfig",
    "TrueAlphaConfig",
    "build_annotator",
]


class GrabCutConfig(Config):
    """GrabCut seeded from the picture's border; see `divergen_annotate.GrabCut`."""

    kind: Literal["grabcut"] = "grabcut"
    size: int = Field(default=160, ge=32)
    iterations: int = Field(default=2, ge=1)
    border: float = Field(default=0.03, gt=0, lt=0.5)
    contrast: float = Field(default=3.5, gt=0)
    plain: float = Field(default=0.5, ge=0, le=1)
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
    plain: float = Field(default=0.5, ge=0, le=1)

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


class OutlineScorerConfig(Config):
    """No model: does the outline run along edges; see `divergen_annotate.scorers.OutlineScorer`."""

    kind: Literal["outline"] = "outline"
    contrast: float = Field(default=5.0, gt=0)
    border: float = Field(default=0.03, gt=0, lt=0.5)

    def build(self) -> OutlineScorer:
        """The scorer."""
        from .scorers import OutlineScorer

        return OutlineScorer(**self.model_dump(exclude={"kind"}))


ScorerConfig = backend_union("divergen.mask_scorers", OutlineScorerConfig, ClipScorerConfig)
"""Any scorer's configuration; the type of a pydantic field."""

_SINGLE = (
    GrabCutConfig,
    ColourKeyConfig,
    TrueAlphaConfig,
    SamBackgroundConfig,
    ClipSegConfig,
    Sam3Config,
    GroundedSamConfig,
    SaliencyConfig,
)
_SingleConfig = backend_union("divergen.annotators", *_SINGLE)


def _by_kind(value: Any) -> Any:
    """``"grabcut"`` stands for ``{"kind": "grabcut"}``."""
    return {"kind": value} if isinstance(value, str) else value


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


_SeveralConfigs: Any = tuple[Annotated[_SingleConfig, BeforeValidator(_by_kind)], ...]  # type: ignore[valid-type]


class BestOfConfig(Config):
    """Several annotators, of which a scorer picks the best mask; see `divergen_annotate.BestOf`."""

    kind: Literal["best-of"] = "best-of"
    annotators: Annotated[_SeveralConfigs, BeforeValidator(_split), Field(min_length=2)]
    scorer: Annotated[ScorerConfig, BeforeValidator(_by_kind)] = OutlineScorerConfig()  # type: ignore[valid-type]
    repair: bool = True

    def build(self) -> BestOf:
        """The annotators and the scorer, with their weights."""
        from .bestof import BestOf

        parts: Any = self.annotators
        scorer: Any = self.scorer
        return BestOf([part.build() for part in parts], scorer.build(), repair=self.repair)


AnnotatorConfig = backend_union("divergen.annotators", *_SINGLE, BestOfConfig)
"""Any annotator's configuration; the type of a pydantic field."""


def build_annotator(kind: str, settings: Sequence[str] = ()) -> Annotator:
    """Make an annotator from a command line.

    Args:
        kind: For example ``"grabcut"``.
        settings: ``"key=value"`` each, for example ``"size=160"``; see `divergen_records.settings`.

    Raises:
        ConfigError: If the kind is unknown or a setting is wrong; it names what is allowed.
    """
    config = apply_settings(AnnotatorConfig, {"kind": kind}, settings, where=f"annotator {kind!r}")
    built: Annotator = config.build()
    return built


class RepairConfig(Config):
    """What is done to every mask; see `divergen_annotate.repair`."""

    keep_share: float = Field(default=0.01, ge=0, le=1)
    fill_below: float = Field(default=0.01, ge=0)
    at_most: float = Field(default=0.003, ge=0, le=1)
    likeness: float = Field(default=20.0, ge=0)
    smooth_radius: int = Field(default=0, ge=0)
    snap_radius: int = Field(default=0, ge=0)
    halo: int = Field(default=0, ge=0)

    def build(self) -> Repair:
        """The repair, ready for `AnnotateStage`."""
        from .cleanup import repair

        return partial(repair, **self.model_dump())
