"""Configurations of the annotators: data that a YAML file holds, told apart by ``kind``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from divergen_records import Config, ConfigError, WeightsError, backend_union
from divergen_records.requirements import HubModel, InputFile, Requirement, extra_modules
from divergen_records.settings import apply_settings
from pydantic import BeforeValidator, Field, field_validator, model_validator

if TYPE_CHECKING:
    from .annotator import Annotator
    from .bestof import BestOf
    from .clipseg import ClipSeg
    from .grabcut import GrabCut
    from .saliency import Saliency
    from .sam import SamBackground
    from .sam3 import Sam3
    from .scorers import ClipScorer, OutlineScorer
    from .simple import ColourKey, TrueAlpha
    from .stage import Repair

__all__ = [
    "AnnotatorConfig",
    "BestOfConfig",
    "ClipScorerConfig",
    "ClipSegConfig",
    "ColourKeyConfig",
    "GrabCutConfig",
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


_SAM_SOURCE = "https://github.com/facebookresearch/segment-anything (Model Checkpoints)"
_NO_CHECKPOINT = (
    "sam-background needs a checkpoint: the path of sam_vit_h_4b8939.pth, sam_vit_l_0b3195.pth or "
    f"sam_vit_b_01ec64.pth, which SAM's authors publish at {_SAM_SOURCE}, or a model that "
    "transformers can load, for example facebook/sam-vit-huge or facebook/sam2.1-hiera-large"
)

_Precision = Literal["auto", "float32", "bfloat16", "float16"]


class SamBackgroundConfig(Config):
    """SAM with points on the background; see `divergen_annotate.SamBackground` and `load_predictor`."""

    kind: Literal["sam-background"] = "sam-background"
    checkpoint: str = Field(default="", validate_default=True)
    architecture: Literal["vit_b", "vit_l", "vit_h"] | None = None
    points: Literal["corners", "margin", "ring", "grid"] = "corners"
    margin: float = Field(default=0.02, ge=0, lt=0.5)
    count: int = Field(default=16, ge=4)
    choice: Literal["published", "iou", "score"] = "published"
    device: str | None = None
    precision: _Precision = "auto"
    compile: bool = False
    batch_size: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=1)

    @field_validator("checkpoint")
    @classmethod
    def _is_given(cls, checkpoint: str) -> str:
        if not checkpoint.strip():
            raise ValueError(_NO_CHECKPOINT)
        return checkpoint

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        path = Path(self.checkpoint).expanduser()
        if path.suffix in (".pth", ".pt") or path.is_file():
            yield from extra_modules("divergen-annotate", "sam", "segment_anything", "torch")
            yield InputFile(path, f"SAM's checkpoints are published at {_SAM_SOURCE}")
        else:
            yield from extra_modules("divergen-annotate", "transformers", "transformers", "torch")
            yield HubModel(self.checkpoint)

    def build(self) -> SamBackground:
        """The annotator, with its weights."""
        from .sam import SamBackground, load_predictor

        loading = {"architecture", "device", "precision", "compile"}
        predictor = load_predictor(self.checkpoint, **self.model_dump(include=loading))
        return SamBackground(predictor, **self.model_dump(exclude={"kind", "checkpoint", *loading}))


class ClipSegConfig(Config):
    """CLIPSeg, asked for the category's name; see `divergen_annotate.ClipSeg`."""

    kind: Literal["clipseg"] = "clipseg"
    model: str = "CIDAS/clipseg-rd64-refined"
    text: str = "a photo of a {}"
    threshold: float = Field(default=0.5, gt=0, lt=1)
    device: str | None = None
    precision: _Precision = "auto"
    batch_size: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=1)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen-annotate", "transformers", "transformers", "torch")
        yield HubModel(self.model)

    def build(self) -> ClipSeg:
        """The annotator, with its weights."""
        from .clipseg import ClipSeg

        return ClipSeg(**self.model_dump(exclude={"kind"}))


class Sam3Config(Config):
    """SAM 3, asked for the category's name; see `divergen_annotate.Sam3`."""

    kind: Literal["sam3"] = "sam3"
    model: str = "facebook/sam3"
    text: str = "{}"
    threshold: float = Field(default=0.3, ge=0, lt=1)
    device: str | None = None
    precision: _Precision = "auto"
    batch_size: int | None = Field(default=None, ge=1)

    def build(self) -> Sam3:
        """The annotator, with its weights."""
        from .sam3 import Sam3

        return Sam3(**self.model_dump(exclude={"kind"}))


class SaliencyConfig(Config):
    """A saliency network from a file; see `divergen_annotate.Saliency`."""

    kind: Literal["saliency"] = "saliency"
    model: str = ""
    weights: str | None = None
    card: str | None = None
    device: str | None = None
    batch_size: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _is_given(self) -> SaliencyConfig:
        if not self.model and not self.weights:
            raise ValueError("saliency needs a network: model=FILE.onnx, or model=NAME with weights=FILE.onnx")
        return self

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from .model_card import known_cards

        file = Path(self.weights or self.model)
        known = known_cards().get(self.model if self.weights else file.stem.lower())
        source = f"the network is published at {known.source}" if known and known.source else ""
        yield InputFile(file, source)
        extra, module = ("onnx", "onnxruntime") if file.suffix in ("", ".onnx") else ("sam", "torch")
        yield from extra_modules("divergen-annotate", extra, module)
        if self.card is not None and self.card not in known_cards():
            yield InputFile(Path(self.card), "it is the model card: size, mean, std and output of the network")

    def build(self) -> Saliency:
        """The annotator, with its weights.

        Raises:
            WeightsError: If there is no such file, or only the name of a network.
            ConfigError: If the card is missing or wrong, or is not that of this network.
        """
        from .model_card import known_cards
        from .saliency import Saliency

        named = self.model in known_cards() and not Path(self.model).is_file()
        if named and not self.weights:
            raise WeightsError(
                f"saliency: {self.model!r} is known, but its weights are not part of this package; give its file with "
                f"weights=FILE.onnx. It is published at {known_cards()[self.model].source}"
            )
        if self.weights and self.model and not named:
            raise ConfigError(
                f"saliency: model={self.model!r} is neither a file nor a network that is known; there are "
                f"{', '.join(known_cards())}"
            )
        card = self.card or (self.model if named else None)
        rest = self.model_dump(include={"device", "batch_size", "workers"})
        return Saliency.from_file(self.weights or self.model, card, **rest)


class OutlineScorerConfig(Config):
    """No model: does the outline run along edges; see `divergen_annotate.scorers.OutlineScorer`."""

    kind: Literal["outline"] = "outline"
    contrast: float = Field(default=5.0, gt=0)
    border: float = Field(default=0.03, gt=0, lt=0.5)

    def build(self) -> OutlineScorer:
        """The scorer."""
        from .scorers import OutlineScorer

        return OutlineScorer(**self.model_dump(exclude={"kind"}))


class ClipScorerConfig(Config):
    """CLIP on the cut-out; see `divergen_annotate.scorers.ClipScorer`."""

    kind: Literal["clip"] = "clip"
    model: str = "openai/clip-vit-large-patch14"
    text: str = "a photo of a {}"
    device: str | None = None
    precision: _Precision = "auto"
    batch_size: int | None = Field(default=None, ge=1)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen-annotate", "transformers", "transformers", "torch")
        yield HubModel(self.model)

    def build(self) -> ClipScorer:
        """The scorer, with its weights."""
        from .scorers import ClipScorer

        return ClipScorer(**self.model_dump(exclude={"kind"}))


ScorerConfig = backend_union("divergen.mask_scorers", OutlineScorerConfig, ClipScorerConfig)
"""Any scorer's configuration; the type of a pydantic field."""

_SINGLE = (
    GrabCutConfig,
    ColourKeyConfig,
    TrueAlphaConfig,
    SamBackgroundConfig,
    ClipSegConfig,
    Sam3Config,
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
