"""A trained detector judges what may be drawn, before another begins to learn from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError
from torch import nn

from ..bsgal.belief_step import BeliefStep
from ..bsgal.config import BeliefConfig
from ..engine.step import Engine, TrainStep
from .checkpoint import start_from
from .config import TrainConfig

__all__ = ["count_looks", "looking"]


def count_looks(config: TrainConfig) -> int:
    """Batches that another detector judges before the first step; 0 where none is to."""
    bsgal = config.bsgal
    if not isinstance(bsgal, BeliefConfig) or bsgal.judge is None:
        return 0
    return max(round(bsgal.looks * config.iterations), 1)


@contextmanager
def looking(engine: Engine, step: TrainStep, config: TrainConfig, dataset: Dataset) -> Iterator[BeliefStep]:
    """The step, with the weights of ``config.bsgal.judge`` in the detector; its own are back when the block ends.

    Args:
        engine: Has the detector.
        step: Draws by what it was shown when the block ends.
        config: Of the training.
        dataset: Its categories must be the checkpoint's.

    Raises:
        WeightsError: If the checkpoint is missing, damaged, or of another detector.
        DatasetError: If it is one on other categories.
        ConfigError: If it is not known which checkpoint is meant.
    """
    assert isinstance(step, BeliefStep)
    assert isinstance(config.bsgal, BeliefConfig)
    judge = config.bsgal.judge
    if not isinstance(judge, Path):
        raise ConfigError("bsgal.judge: the baseline is known to `divergen run` alone; give the path of a checkpoint")
    detector = cast(nn.Module, engine.detector)
    own: dict[str, Any] = {name: value.clone() for name, value in detector.state_dict().items()}
    start_from(engine.detector, judge, config, dataset)
    yield step
    detector.load_state_dict(own)
    step.begin()
