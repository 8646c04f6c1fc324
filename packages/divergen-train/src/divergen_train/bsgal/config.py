"""The choice of generated instances as settings of a training run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from divergen_records import Category, Config
from divergen_records.command import note
from divergen_records.errors import ConfigError
from pydantic import Field, PositiveInt, model_validator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..engine.step import TrainStep
    from .draws import Draws
    from .threshold import AcceptanceThreshold

__all__ = ["BeliefConfig", "BsgalConfig", "PublishedConfig", "ThresholdConfig"]


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


class BeliefConfig(Config):
    """Judge each pasted instance in passing, and draw more of what helps; nothing is rejected.

    Attributes:
        kind: ``"belief"``.
        start: Share of the schedule before the first judgement: a judge that has learned nothing is wrong.
        every: Steps between changes of what is drawn.
        half_life: Share of the schedule after which a judgement counts half.
        references: Real objects kept of each category, against which its generated ones are judged.
        least: A category with fewer is filled up with the nearest ones' by the classifier.
        floor: Smallest weight, as a share of the largest of the category.
        judge: Checkpoint of a trained detector of the same kind. It judges before the first step, so that the first
            draw knows something; in a run ``baseline`` is the run's own.
        looks: Batches that it looks at, as a share of the schedule; nothing is learned from them.
        prior: Score of the filter that counts where nothing is known yet; all are drawn alike where left out.
    """

    matches: ClassVar[bool] = False
    """Each image is compared with others: `divergen_train.bsgal.versions.Versions`."""

    kind: Literal["belief"] = "belief"
    start: float = Field(default=0.25, ge=0, lt=1)
    every: PositiveInt = 10
    half_life: float = Field(default=0.25, gt=0)
    references: PositiveInt = 8
    least: PositiveInt = 2
    floor: float = Field(default=0.02, gt=0, le=1)
    judge: Literal["baseline"] | Path | None = None
    looks: float = Field(default=0.15, gt=0, le=1)
    prior: Literal["inter_similarity", "rival_margin"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least > self.references:
            raise ValueError(f"least={self.least}: only references={self.references} are kept")
        return self

    def build(self, categories: Sequence[Category], draws: Draws | None, iterations: int) -> TrainStep:
        """The step, at its beginning; raises `ConfigError` where there is nothing to draw."""
        from .belief_step import BeliefStep

        if draws is None:
            raise ConfigError(
                "bsgal: kind 'belief' changes how often instances are drawn: give draws, which says what may be drawn "
                "and takes weights; to bake or to paste without a pool, leave bsgal out"
            )
        if (lacking := draws.candidates.lacking()) is not None:
            warnings.warn(f"bsgal: {lacking}; each instance is judged for itself, which takes longer", stacklevel=2)
        settings = self.model_dump(exclude={"kind", "prior", "judge", "looks"})
        prior = None if self.prior is None else _prior(draws, self.prior)
        return BeliefStep(categories, draws, iterations, **settings, prior=prior)


def _prior(draws: Draws, score: str) -> NDArray[np.float64]:
    """(N,) scores of what may be drawn, and how many are known, said.

    Raises:
        ConfigError: If none is.
    """
    import numpy as np

    from .draws import Scored

    scores = draws.scores(score) if isinstance(draws, Scored) else np.full(len(draws.candidates), np.nan)
    known = int(np.isfinite(scores).sum())
    if not known:
        raise ConfigError(
            f"bsgal.prior: no instance of the pool has the score {score!r}; measure it (divergen run with "
            "--redo decide), or leave prior out"
        )
    note(f"bsgal: where nothing is known yet, instances are drawn by {score}, known of {known:,} of {len(scores):,}")
    return scores


class PublishedConfig(Config):
    """Learn a batch as pasted where that helps the real images it is matched with, else unpasted (BSGAL).

    The published training begins with the weights of a trained baseline: `TrainConfig.init`.

    Attributes:
        kind: ``"published"``.
        compare: ``"gradient"``: cosine of real and pasted gradient. ``"raw gradient"``: their inner product, which
            large gradients dominate (BSGAL, table 8). ``"steps"``: the real loss after a step on each version, as
            published for Swin-L.
        momentum: Share of the old real gradient that is kept.
        threshold: What is accepted, where left out: a cosine above -0.05, an inner product above 0, the better version.
    """

    matches: ClassVar[bool] = True
    kind: Literal["published"] = "published"
    compare: Literal["gradient", "raw gradient", "steps"] = "gradient"
    momentum: float = Field(default=0.1, ge=0, lt=1)
    threshold: ThresholdConfig | None = None

    @property
    def accepted(self) -> ThresholdConfig:
        """The threshold."""
        return self.threshold or ThresholdConfig(fixed=-0.05 if self.compare == "gradient" else 0.0)

    def build(self, categories: Sequence[Category], draws: Draws | None, iterations: int) -> TrainStep:
        """The step, at its beginning."""
        from .published_step import PublishedStep

        return PublishedStep(categories, self.accepted.build(), compare=self.compare, momentum=self.momentum)


BsgalConfig = Annotated[BeliefConfig | PublishedConfig, Field(discriminator="kind")]
