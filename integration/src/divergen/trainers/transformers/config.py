"""What the trainer on transformers needs to know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Self

from divergen_records import Config
from divergen_records.requirements import HubModel, Requirement, extra_modules
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

if TYPE_CHECKING:
    from ..protocol import Trainer

__all__ = ["TransformersTrainConfig"]


class TransformersTrainConfig(Config):
    """Mask2Former and its like, or a box detector of the DETR family, by transformers (extra ``transformers``).

    What the checkpoint is decides: one for ``AutoModelForUniversalSegmentation`` detects masks, one for
    ``AutoModelForObjectDetection`` boxes. Its weights are kept, but for those of the classes where the
    data have another number of them.

    Attributes:
        kind: ``"transformers"``.
        model: Hub id, or a folder as ``save_pretrained`` writes it, for example
            ``facebook/mask2former-swin-tiny-coco-instance`` or ``PekingU/rtdetr_r50vd``.
        revision: Branch, tag or commit of the hub.
        iterations: Training steps.
        batch_size: Images of a step.
        image_size: Side of the square that images are fitted into, pixels.
        scale: Range of the longest side relative to it (large-scale jitter).
        flip: Probability of a horizontal flip.
        repeat_threshold: Images of categories in a smaller share of the images than this are repeated (LVIS).
        lr: Largest learning rate of AdamW; falls linearly to 0.
        backbone_lr: Share of it for the backbone.
        warmup: Steps until it is reached.
        weight_decay: Of AdamW.
        clip_norm: Gradients are clipped to this norm.
        precision: ``no``, or ``bf16``, ``fp16`` on GPUs that have it.
        detections: Most detections on an image.
        device: ``auto`` takes the GPU, the CPU where there is none; or ``cpu``.
        workers: Loader processes; 0 loads in the training process.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between lines of the log.
    """

    kind: Literal["transformers"] = "transformers"
    model: str = Field(min_length=1)
    revision: str | None = None
    iterations: PositiveInt = 10_000
    batch_size: PositiveInt = 8
    image_size: int = Field(default=640, ge=32, multiple_of=32)
    scale: tuple[PositiveFloat, PositiveFloat] = (0.5, 1.5)
    flip: float = Field(default=0.5, ge=0, le=1)
    repeat_threshold: float = Field(default=0.001, ge=0, le=1)
    lr: PositiveFloat = 1e-4
    backbone_lr: float = Field(default=0.1, ge=0)
    warmup: NonNegativeInt = 500
    weight_decay: float = Field(default=0.05, ge=0)
    clip_norm: PositiveFloat = 1.0
    precision: Literal["no", "bf16", "fp16"] = "no"
    detections: PositiveInt = 300
    device: Literal["auto", "cpu"] = "auto"
    workers: NonNegativeInt = 0
    checkpoint_every: PositiveInt = 500
    log_every: PositiveInt = 10

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale is a range, smallest first: {self.scale}")
        return self

    @property
    def summary(self) -> str:
        """What the report says of it."""
        return f"{self.model}, {self.iterations:,} iterations of {self.batch_size} images."

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen", "transformers", "transformers", "accelerate")
        yield HubModel(self.model, self.revision, layout="transformers")

    def build(self) -> Trainer:
        """Make the trainer."""
        from .trainer import TransformersTrainer

        return TransformersTrainer(self.model, self.revision, **self.model_dump(exclude={"kind", "model", "revision"}))
