"""Configurations of the annotators and scorers that are networks: data that a YAML file holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from divergen_records import Config, ConfigError, WeightsError
from divergen_records.file_names import from_home
from divergen_records.requirements import HubModel, InputFile, Requirement, extra_modules
from pydantic import Field, field_validator, model_validator

if TYPE_CHECKING:
    from .clipseg import ClipSeg
    from .grounded_sam import GroundedSam
    from .saliency import Saliency
    from .sam import SamBackground
    from .sam3 import Sam3
    from .scorers import ClipScorer

__all__ = [
    "ClipScorerConfig",
    "ClipSegConfig",
    "GroundedSamConfig",
    "SaliencyConfig",
    "Sam3Config",
    "SamBackgroundConfig",
]

_SAM_SOURCE = "https://github.com/facebookresearch/segment-anything (Model Checkpoints)"
_NO_CHECKPOINT = (
    "sam-background needs a checkpoint: the path of sam_vit_h_4b8939.pth, sam_vit_l_0b3195.pth or "
    f"sam_vit_b_01ec64.pth, which SAM's authors publish at {_SAM_SOURCE}, or a model that "
    "transformers can load, for example facebook/sam-vit-huge or facebook/sam2.1-hiera-large"
)

_Precision = Literal["auto", "float32", "bfloat16", "float16"]


def _sam_requirements(checkpoint: str) -> Iterable[Requirement]:
    path = from_home(checkpoint)
    if path.suffix in (".pth", ".pt") or path.is_file():
        yield from extra_modules("divergen-annotate", "sam", "segment_anything", "torch")
        yield InputFile(path, f"SAM's checkpoints are published at {_SAM_SOURCE}")
    else:
        yield from extra_modules("divergen-annotate", "transformers", "transformers", "torch")
        yield HubModel(checkpoint, layout="transformers")


class SamBackgroundConfig(Config):
    """SAM with points on the background; see `divergen_annotate.SamBackground` and `load_predictor`."""

    kind: Literal["sam-background"] = "sam-background"
    checkpoint: str = Field(default="", validate_default=True)
    architecture: Literal["vit_b", "vit_l", "vit_h"] | None = None
    points: Literal["corners", "margin", "ring", "grid"] = "corners"
    margin: float = Field(default=0.02, ge=0, lt=0.5)
    count: int = Field(default=16, ge=4)
    choice: Literal["published", "iou", "score"] = "published"
    plain: float = Field(default=0.0, ge=0, le=1)
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
        yield from _sam_requirements(self.checkpoint)

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
        yield HubModel(self.model, layout="transformers")

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
    instances: Literal["best", "all"] = "best"
    device: str | None = None
    precision: _Precision = "auto"
    batch_size: int | None = Field(default=None, ge=1)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen-annotate", "transformers", "transformers", "torch")
        yield HubModel(self.model, layout="transformers")

    def build(self) -> Sam3:
        """The annotator, with its weights."""
        from .sam3 import Sam3

        return Sam3(**self.model_dump(exclude={"kind"}))


class GroundedSamConfig(Config):
    """Boxes of the category's name by a detector, masks by SAM; see `divergen_annotate.GroundedSam`."""

    kind: Literal["grounded-sam"] = "grounded-sam"
    detector: str = "IDEA-Research/grounding-dino-base"
    sam: str = "facebook/sam2.1-hiera-large"
    text: str = "{}"
    threshold: float | None = Field(default=None, ge=0, lt=1)
    instances: Literal["best", "all"] = "best"
    device: str | None = None
    precision: _Precision = "auto"
    compile: bool = False

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen-annotate", "transformers", "transformers", "torch")
        yield HubModel(self.detector, layout="transformers")
        yield from _sam_requirements(self.sam)

    def build(self) -> GroundedSam:
        """The annotator, with the weights of both.

        Raises:
            WeightsError: If one of the models is not there, or is of another kind.
        """
        from .detector import TextDetector
        from .grounded_sam import GroundedSam
        from .sam import load_predictor

        detector = TextDetector(self.detector, threshold=self.threshold, device=self.device)
        loading = self.model_dump(include={"device", "precision", "compile"})
        return GroundedSam(detector, load_predictor(self.sam, **loading), text=self.text, instances=self.instances)


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
        from .needs import FitsCard

        file = from_home(self.weights or self.model)
        known = known_cards().get(self.model if self.weights else file.stem.lower())
        source = f"the network is published at {known.source}" if known and known.source else ""
        yield InputFile(file, source)
        extra, module = ("onnx", "onnxruntime") if file.suffix in ("", ".onnx") else ("sam", "torch")
        yield from extra_modules("divergen-annotate", extra, module)
        yield FitsCard(file, self._card_name)

    @property
    def _card_name(self) -> str | None:
        """The model card, a file or a known name; None for the one that belongs to the file's name."""
        from .model_card import known_cards

        named = self.model in known_cards() and not Path(self.model).is_file()
        return self.card or (self.model if named or (self.weights and self.model) else None)

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
        rest = self.model_dump(include={"device", "batch_size", "workers"})
        return Saliency.from_file(self.weights or self.model, self._card_name, **rest)


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
        yield HubModel(self.model, layout="transformers")

    def build(self) -> ClipScorer:
        """The scorer, with its weights."""
        from .scorers import ClipScorer

        return ClipScorer(**self.model_dump(exclude={"kind"}))
