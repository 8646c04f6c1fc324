"""Configurations of the embedders and of the decision: data that a YAML file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from divergen_records import Config, ConfigError, backend_union
from pydantic import Field, TypeAdapter, ValidationError, model_validator

if TYPE_CHECKING:
    from .efficientnet import EfficientNetLite0
    from .embedder import Embedder

__all__ = [
    "CalibrationConfig",
    "CropConfig",
    "EfficientNetLite0Config",
    "EmbedderConfig",
    "Rule",
    "RulesConfig",
    "Score",
    "build_embedder",
    "read_rules",
]

Score: TypeAlias = Literal[
    "area_fraction", "components", "border_contact", "mask_score", "inter_similarity", "clip_score"
]
"""The columns that a rule can look at."""


class EfficientNetLite0Config(Config):
    """EfficientNet-Lite0 trained on ImageNet; see `divergen_filter.efficientnet.EfficientNetLite0`."""

    kind: Literal["efficientnet-lite0"] = "efficientnet-lite0"
    weights: Path | None = None
    device: str = "cpu"

    def build(self) -> EfficientNetLite0:
        """The embedder, with its weights loaded."""
        from .efficientnet import EfficientNetLite0

        return EfficientNetLite0(weights=self.weights, device=self.device)


EmbedderConfig = backend_union("divergen.embedders", EfficientNetLite0Config)
"""Any embedder's configuration; the type of a pydantic field."""


def build_embedder(kind: str) -> Embedder:
    """Make an embedder with its default settings.

    Raises:
        ConfigError: If there is none of this kind; it names those there are.
    """
    try:
        built: Embedder = TypeAdapter(EmbedderConfig).validate_python({"kind": kind}).build()
    except ValidationError as error:
        raise ConfigError(f"embedder {kind!r}: {error.errors()[0]['msg']}") from error
    return built


class CropConfig(Config):
    """How instances are cut out for the embedder; see `divergen_filter.crops.crop_instance`.

    Attributes:
        fill: What replaces the pixels outside the mask.
        min_side: The crop's sides are at least this long where the picture allows, pixels.
        square: Widen the shorter side of the crop to the longer.
    """

    fill: Literal["blur", "black", "white", "original"] = "black"
    min_side: int = Field(default=0, ge=0)
    square: bool = False


class CalibrationConfig(Config):
    """How a category's threshold of inter-similarity is found from real crops; see `divergen_filter.calibrate`.

    Attributes:
        method: ``wrong-category``: as similar as ``share`` of the real objects of other categories at most would be.
            ``leave-one-out``: as similar as all but ``share`` of the category's own real crops are to each other.
        share: Share of the other categories' objects that would pass, or of the own that would not.
        shrinkage: So many crops' weight has the pooled estimate beside that of the category (leave-one-out).
    """

    method: Literal["wrong-category", "leave-one-out"] = "wrong-category"
    share: float = Field(default=0.2, gt=0, lt=1)
    shrinkage: float = Field(default=20.0, ge=0)


class Rule(Config):
    """An instance is kept only if ``score op threshold`` holds.

    Attributes:
        score: Column of the instance table.
        op: The comparison.
        threshold: A number; or ``calibrated``, the category's own threshold from its real crops (inter-similarity
            only; see `divergen_filter.calibrate`).
    """

    score: Score
    op: Literal[">=", "<=", ">", "<", "=="]
    threshold: float | Literal["calibrated"]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.threshold == "calibrated" and (self.score != "inter_similarity" or self.op not in (">=", ">")):
            raise ValueError(
                f"a calibrated threshold exists for inter_similarity >= or > only, not for {self.score} {self.op}; "
                "give a number"
            )
        return self

    def __str__(self) -> str:
        return f"{self.score} {self.op} {self.threshold}"


_DEFAULT_RULES = (
    Rule(score="area_fraction", op=">=", threshold=0.05),
    Rule(score="area_fraction", op="<=", threshold=0.95),
    Rule(score="components", op="==", threshold=1),
    Rule(score="border_contact", op="<=", threshold=0.1),
    Rule(score="inter_similarity", op=">=", threshold="calibrated"),
)


class RulesConfig(Config):
    """What is kept: every rule must hold.

    The paper's rules are area 5 to 95 %, one component, and inter-similarity >= 0.6 with CLIP ViT-L/14. 0.6 means
    nothing on another model, so the default threshold is calibrated on the real crops.

    Attributes:
        rules: In the order in which they are tried; the first that fails is the reason.
        no_reference: Categories without real crops have no inter-similarity: ``ignore`` leaves those rules out for
            them, so that the others decide; ``reject`` keeps none of them.
        calibration: How the ``calibrated`` thresholds are found.
    """

    rules: tuple[Rule, ...] = _DEFAULT_RULES
    no_reference: Literal["ignore", "reject"] = "ignore"
    calibration: CalibrationConfig = CalibrationConfig()


def read_rules(path: Path | None) -> RulesConfig:
    """Rules from a JSON file; the default rules where there is none.

    Raises:
        ConfigError: Naming the file, the key and what is wrong.
    """
    if path is None:
        return RulesConfig()
    try:
        return RulesConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: the rules cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {where + ': ' if where else ''}{first['msg']}") from error
