"""A study as data: the shipped ones, and what their numbers mean."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Literal

from divergen_records import Config
from divergen_records.errors import ConfigError
from pydantic import Field, PositiveFloat, PositiveInt

__all__ = ["StudyConfig", "study_config"]


class StudyConfig(Config):
    """A study: a classifier, its schedule, and the noise.

    Attributes:
        design: ``"splits"``, the paper's: stratified splits of the training images. Split 1 is R, whose gradient
            judges; split 2 is judged clean and with the least noise, each further one with the next. The classifier
            learns from R. ``"same images"``: the training images with each noise, by the held-out images' gradient.
        dataset: ``digits`` comes with scikit-learn; ``cifar10`` is the paper's.
        noise: Standard deviations in grey levels of 256. Digits have 17 levels, so 40 is 40/255 of their range.
        epochs: Passes over the training images.
        batch_size: Images per step.
        lr: Peak learning rate of SGD; a cosine brings it to 0.
        momentum: Of SGD.
        weight_decay: Of SGD.
        samples: Images judged at each noise, the first ones; all by default.
        published_accuracy: What the paper's classifier reaches on the held-out images, 0 to 1: the number to reach.
        normalize: What contributions are divided by: nothing, or the norm of v and each image's own loss.
        seed: Decides split, order, weights and noise.
        device: Where to compute.
    """

    dataset: Literal["digits", "cifar10"]
    design: Literal["splits", "same images"] = "splits"
    noise: tuple[float, ...] = (0, 40, 100, 200)
    epochs: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    samples: PositiveInt | None = None
    published_accuracy: float | None = Field(default=None, gt=0, le=1)
    normalize: Literal["none", "direction", "loss"] = "loss"
    seed: int = 0
    device: str = "cpu"


def study_config(name: str, **changes: Any) -> StudyConfig:
    """A shipped study, ``"digits"`` or ``"cifar10"``, with changes."""
    folder = files(__package__).joinpath("studies")
    names = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir())
    if name not in names:
        raise ConfigError(f"study {name!r}: unknown; there are {', '.join(names)}")
    return StudyConfig.model_validate(
        {**json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8")), **changes}
    )
