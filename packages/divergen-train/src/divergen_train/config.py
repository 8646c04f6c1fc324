"""What a training run is made of: frozen pydantic models with every number in them, and presets as JSON files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from divergen_records import Config, backend_union
from divergen_records.errors import ConfigError
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from .loggers import LoggerConfig

if TYPE_CHECKING:
    from .detector import Detector

__all__ = ["DetectorConfig", "TorchvisionConfig", "TrainConfig", "apply_overrides", "preset", "preset_names"]


class TorchvisionConfig(Config):
    """Mask R-CNN of torchvision's parts on EfficientNet-Lite0 with FPN; box and mask are class-agnostic.

    Attributes:
        weights: ImageNet weights of the backbone; the installed package's by default.
        frozen_stages: The stem and this many of the seven stages keep their ImageNet weights.
        fpn_channels: Channels of the pyramid.
        min_stride: Stride of the finest level of the pyramid, the coarsest has 32; 8 is quicker, 4 sees small objects.
        anchor_sizes: Side of the anchors on each level, finest first, pixels.
        anchor_ratios: Height / width.
        rpn_batch: Anchors per image in the RPN's loss.
        rpn_iou: IoU below which an anchor is background, and from which it is an object.
        rpn_proposals: Proposals per level before, and per image after NMS.
        rpn_nms: IoU of the RPN's NMS.
        roi_batch: Regions per image in the loss of the heads.
        roi_positive: Largest share of them that are objects.
        roi_iou: IoU from which a region is an object.
        roi_samples: Points along each side of a cell of a pooled region.
        box_features: Width of the box head.
        mask_convs: Convolutions of the mask head before the upsampling.
        mask_channels: Their channels.
        mask_size: Side of the mask head's output, pixels; even.
        box_loss_weight: Weight of the box regression of the heads.
        mask_loss_weight: Weight of the mask loss.
        score_threshold: Detections below this score are dropped.
        nms_threshold: IoU of the NMS within a category.
        detections: Detections per image at most; LVIS counts 300.
    """

    kind: Literal["torchvision"] = "torchvision"
    weights: Path | None = None
    frozen_stages: int = Field(default=2, ge=0, le=7)
    fpn_channels: PositiveInt = 64
    min_stride: Literal[4, 8] = 4
    anchor_sizes: tuple[PositiveFloat, ...] = (24, 48, 96, 192)
    anchor_ratios: tuple[PositiveFloat, ...] = (0.5, 1.0, 2.0)
    rpn_batch: PositiveInt = 128
    rpn_iou: tuple[float, float] = (0.3, 0.6)
    rpn_proposals: tuple[PositiveInt, PositiveInt] = (256, 128)
    rpn_nms: float = Field(default=0.7, gt=0, le=1)
    roi_batch: PositiveInt = 64
    roi_positive: float = Field(default=0.25, gt=0, le=1)
    roi_iou: float = Field(default=0.5, gt=0, lt=1)
    roi_samples: PositiveInt = 1
    box_features: PositiveInt = 256
    mask_convs: PositiveInt = 2
    mask_channels: PositiveInt = 64
    mask_size: PositiveInt = Field(default=28, multiple_of=2)
    box_loss_weight: PositiveFloat = 1.0
    mask_loss_weight: PositiveFloat = 1.0
    score_threshold: float = Field(default=0.01, ge=0, lt=1)
    nms_threshold: float = Field(default=0.5, gt=0, le=1)
    detections: PositiveInt = Field(default=300, le=300)

    @model_validator(mode="after")
    def _check(self) -> Self:
        levels = 4 if self.min_stride == 4 else 3
        if len(self.anchor_sizes) != levels:
            raise ValueError(f"anchor_sizes={self.anchor_sizes}: min_stride={self.min_stride} has {levels} levels")
        return self

    def build(self, num_classes: int, image_counts: Sequence[int] | None = None) -> Detector:
        """The detector with ImageNet backbone and fresh heads, for ``num_classes`` categories.

        Args:
            num_classes: Categories, without background.
            image_counts: Training images that show each category, in the order of the labels; a federated loss draws
                negative categories by them.
        """
        from .torchvision_detector import build_detector

        return build_detector(self, num_classes)


if TYPE_CHECKING:
    DetectorConfig = TorchvisionConfig
else:
    DetectorConfig = backend_union("divergen.detectors", TorchvisionConfig)
"""Any detector's config, told apart by ``kind``; packages add theirs by entry point ``divergen.detectors``."""


class TrainConfig(Config):
    """A training run.

    Attributes:
        detector: The detector.
        image_size: Side of the square that training images are resized into, pixels.
        iterations: Optimiser steps.
        batch_size: Images per step, over all processes.
        micro_batch: Images that go through the detector at once; a step's gradient is the mean over so many slices as
            its batch has, whatever the number of processes. The whole of a process's share by default; lower it where
            the memory is small.
        precision: Of the forward pass: ``bfloat16`` or ``float16`` (with a loss scaler) by autocast; weights are
            float32 always.
        lr: Peak learning rate of AdamW.
        backbone_lr: Factor on ``lr`` for the pre-trained backbone.
        weight_decay: Of AdamW, for weights of two or more dimensions.
        warmup: Steps of linear warm-up.
        final_lr: Share of ``lr`` at the end of the cosine.
        clip_norm: Largest gradient norm.
        ema_decay: Decay of the weights' moving average, which is what predicts; 0 switches it off.
        repeat_threshold: Repeat-factor sampling of LVIS (section 4.3): a category in a share f of the images has factor
            max(1, sqrt(threshold / f)), an image the largest factor of its categories. 0 switches it off.
        repeat_min_images: Raises the threshold so that every category in fewer images than this is repeated. LVIS's
            0.001 means 100 of its 100,000 images, and nothing at all in a set of 1,000.
        flip: Probability of a horizontal flip.
        scale: Large-scale jitter: smallest and largest size of the image relative to ``image_size``.
        min_area: Objects that keep fewer pixels than this are not learned.
        workers: Loader processes; 0 loads in the training process.
        device: ``auto`` takes the GPU, the CPU where there is none; or ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        loggers: Where the log goes besides ``log.jsonl``.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between lines of the log.
        eval_every: Steps between evaluations where validation data is given; 0 evaluates only at the end.
    """

    detector: DetectorConfig = TorchvisionConfig()
    image_size: int = Field(default=512, ge=64, multiple_of=32)
    iterations: PositiveInt = 10_000
    batch_size: PositiveInt = 8
    micro_batch: PositiveInt | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    lr: PositiveFloat = 5e-4
    backbone_lr: float = Field(default=0.5, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    warmup: int = Field(default=200, ge=0)
    final_lr: float = Field(default=0.01, ge=0, le=1)
    clip_norm: PositiveFloat = 5.0
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    repeat_threshold: float = Field(default=0.001, ge=0)
    repeat_min_images: int = Field(default=0, ge=0)
    flip: float = Field(default=0.5, ge=0, le=1)
    scale: tuple[PositiveFloat, PositiveFloat] = (0.5, 1.5)
    min_area: PositiveInt = 4
    workers: int = Field(default=0, ge=0)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    loggers: tuple[LoggerConfig, ...] = ()
    checkpoint_every: PositiveInt = 500
    log_every: PositiveInt = 10
    eval_every: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale={self.scale}: the smallest comes first")
        if self.warmup >= self.iterations:
            raise ValueError(f"warmup={self.warmup} must be below iterations={self.iterations}")
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"batch_size={self.batch_size} is not a multiple of micro_batch={self.micro_batch}")
        return self


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(entry.name.removesuffix(".json") for entry in files(__package__).joinpath("presets").iterdir())


def preset(name: str) -> TrainConfig:
    """A shipped preset, for example ``"quickstart"``; raises `ConfigError` for an unknown name."""
    if name not in preset_names():
        raise ConfigError(f"preset {name!r}: unknown; there are {', '.join(preset_names())}")
    return TrainConfig.model_validate_json(files(__package__).joinpath("presets", f"{name}.json").read_text())


def apply_overrides(config: TrainConfig, overrides: Sequence[str]) -> TrainConfig:
    """A config with ``key=value`` settings applied; keys are dotted, values JSON or plain text.

    Raises:
        ConfigError: If a setting is malformed, its key unknown or its value not allowed.
    """
    data = config.model_dump(mode="json")
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r}: expected key=value, for example iterations=500")
        *parents, last = key.split(".")
        node: Any = data
        for parent in parents:
            node = node.get(parent) if isinstance(node, Mapping) else None
        if not isinstance(node, dict):
            raise ConfigError(f"{text!r}: {'.'.join(parents)} is not a group of settings")
        node[last] = _parse(value)
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where or 'training config'}: {first['msg']} (given: {first['input']!r})") from error


def _parse(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
