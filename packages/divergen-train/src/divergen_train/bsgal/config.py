"""The choice of generated instances as settings of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from divergen_records import Config
from pydantic import Field, PositiveInt, model_validator

if TYPE_CHECKING:
    from .threshold import AcceptanceThreshold

__all__ = ["BsgalConfig", "ThresholdConfig"]


class ThresholdConfig(Config):
    """Which contributions are accepted; see `AcceptanceThreshold`.

    Attributes:
        fixed: Accept above this; leave ``rate`` out then.
        rate: Share to accept.
        final_rate: The rate moves linearly to this.
        schedule: Estimates until it is reached.
        queue: Contributions remembered.
        warmup: All is accepted until the queue holds this many.
        per: One queue for all, or one for each category.
    """

    fixed: float | None = None
    rate: float | None = Field(default=None, ge=0, le=1)
    final_rate: float | None = Field(default=None, ge=0, le=1)
    schedule: int = Field(default=0, ge=0)
    queue: PositiveInt = 1000
    warmup: PositiveInt = 50
    per: Literal["global", "category"] = "global"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.fixed is None) == (self.rate is None):
            raise ValueError(f"fixed={self.fixed}, rate={self.rate}: give one of them")
        if self.warmup > self.queue:
            raise ValueError(f"warmup={self.warmup}: the queue holds only {self.queue}")
        if self.final_rate is not None and not self.schedule:
            raise ValueError(f"final_rate={self.final_rate} needs schedule")
        return self

    def build(self) -> AcceptanceThreshold:
        """The threshold, at its beginning."""
        from .threshold import AcceptanceThreshold

        return AcceptanceThreshold(**self.model_dump())


class BsgalConfig(Config):
    """Learn only from pasted instances that help (BSGAL).

    Attributes:
        mode: How contributions are found; see `ContributionEstimator`.
        momentum: Where ``real_images`` is 0: share of the old real gradient kept at each estimate. The published 0.1
            judges by the last batch nearly alone; with few real images in a batch a longer memory is less noisy.
        real_images: The last so many images without pasted instances are kept, and the measure is their gradient at the
            present weights. 0: that of each estimate's own few, in a moving average, as published; on MiniLVIS it told
            harmful from helpful no better than chance.
        refresh: Estimates until that gradient is taken anew.
        normalize: See `ContributionEstimator`; ``cosine`` is for mode ``gradient``, and ``lookahead`` has none of them.
        average: Judge an instance by its mean contribution over all its visits so far, not by the last one alone.
        every: Steps between estimates, which is when real objects are measured too. In between, an instance keeps the
            verdict of its source, and one that was never judged is accepted.
        unit: ``"instance"``, or ``"image"``: all pasted instances of an image share the verdict on their mean.
        real_share: Share of the images in which nothing is pasted; the gradient of their objects' losses is the
            measure.
        parameters: Patterns of the parameters that count; for ``last-layer`` the detector's heads by default.
        sketch_size: For ``random-projection``.
        threshold: What is accepted.
    """

    mode: Literal["directional", "gradient", "last-layer", "lookahead", "random-projection"] = "directional"
    real_images: int = Field(default=16, ge=0)
    refresh: PositiveInt = 16
    momentum: float = Field(default=0.9, ge=0, lt=1)
    normalize: Literal["none", "direction", "loss", "cosine"] = "loss"
    average: bool = True
    every: PositiveInt = 1
    unit: Literal["instance", "image"] = "instance"
    real_share: float = Field(default=0.25, gt=0, lt=1)
    parameters: tuple[str, ...] | None = None
    sketch_size: PositiveInt | None = None
    threshold: ThresholdConfig = ThresholdConfig(rate=0.7)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.unit == "image" and self.threshold.per == "category":
            raise ValueError("unit='image' has instances of several categories; threshold.per must be 'global'")
        if self.normalize == "cosine" and self.mode != "gradient":
            raise ValueError(f"normalize='cosine' needs mode='gradient', not {self.mode!r}")
        if self.mode == "lookahead" and self.normalize != "none":
            raise ValueError("mode='lookahead' needs normalize='none'")
        return self
