"""What the engine reads: schedule, optimiser and precision."""

from __future__ import annotations

from typing import Literal, Self

from divergen_records import Config
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

__all__ = ["EngineConfig"]


class EngineConfig(Config):
    """Schedule, optimiser and precision of a training.

    Attributes:
        iterations: Optimiser steps.
        precision: Of the forward pass: ``bfloat16`` or ``float16`` (with a loss scaler) by autocast; weights are
            float32 always.
        lr: Peak learning rate of AdamW.
        backbone_lr: Factor on ``lr`` for the pre-trained backbone.
        weight_decay: Of AdamW, for weights of two or more dimensions.
        warmup: Steps of linear warm-up.
        final_lr: Share of ``lr`` at the end of the cosine.
        clip_norm: Largest norm of the gradient as a whole; None leaves it.
        clip_value: Largest size of each number of the gradient, before ``clip_norm``; detectron2's ``CLIP_TYPE value``,
            by which the papers train; None leaves them.
        ema_decay: Decay of the weights' moving average, which is what predicts; 0 switches it off.
    """

    iterations: PositiveInt = 10_000
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    lr: PositiveFloat = 5e-4
    backbone_lr: float = Field(default=0.5, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    warmup: int = Field(default=200, ge=0)
    final_lr: float = Field(default=0.01, ge=0, le=1)
    clip_norm: PositiveFloat | None = 5.0
    clip_value: PositiveFloat | None = None
    ema_decay: float = Field(default=0.999, ge=0, lt=1)

    @model_validator(mode="after")
    def _check_schedule(self) -> Self:
        if self.warmup >= self.iterations:
            raise ValueError(f"warmup={self.warmup} must be below iterations={self.iterations}")
        return self
