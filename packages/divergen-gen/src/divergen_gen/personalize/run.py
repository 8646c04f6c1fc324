"""Train the weights of many categories, one file each.

Killed at any time, the next call goes on with the next category. Several processes at once share them out by locks, and
each ends when all are there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from divergen_records import Category, ConfigError, Progress, RowError, RunLocked, derive_seed
from divergen_records.coco import Dataset
from divergen_records.files import locked
from divergen_records.weights_files import read_header

from ..crops import check_objects, read_crops, select_categories
from ..diffusion.config import DiffusersConfig
from ..diffusion.environment import choose_device
from ..diffusion.model import LEARNING_RATES, Model, PersonalTraining
from .files import personal_file
from .training import TEMPLATES, Trainer, Training

__all__ = ["Trained", "personalize", "personalize_for"]

_WAIT = 1.0
"""Seconds between looks where others train all that is left."""


@dataclass(frozen=True)
class Trained:
    """What became of a category.

    Attributes:
        category: Its name.
        path: The file.
        crops: How many crops it was trained on; 0 where the file was there.
        first: Mean loss of the first tenth of the steps.
        last: Mean loss of the last tenth.
        error: Why there is no file.
    """

    category: str
    path: Path
    crops: int = 0
    first: float = 0.0
    last: float = 0.0
    error: str | None = None


def personalize(
    dataset: Dataset,
    model: Model | str,
    out: Path,
    *,
    categories: Sequence[str] = (),
    training: Training | None = None,
    size: int = 512,
    crops: int = 64,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> list[Trained]:
    """Teach a model what the objects of each category look like.

    Args:
        dataset: Real images with masks.
        model: Stable Diffusion 1.x: hub id, folder, or a `Model` of dtype float32.
        out: The folder of the files; a category whose file is there is done.
        categories: Names; all that have an object without it.
        training: How to train.
        size: Side of the crops, pixels.
        crops: At most so many of a category, the largest.
        seed: Decides noise and batches.
        device: ``"auto"`` is this process's GPU, or the CPU.
        progress: Show progress on standard error.

    Raises:
        ConfigError: There is no such category, the model is of another kind, or the folder holds weights that were
            trained in another way.
        WeightsError: The model's weights, or those of a category, are missing or damaged.
    """
    model = Model(model=model, dtype="float32", safety_checker=False) if isinstance(model, str) else model
    training = training or Training()
    chosen = select_categories(dataset, categories)
    out.mkdir(parents=True, exist_ok=True)
    job = _Job(dataset, model, training, choose_device(device), size, crops, seed, progress)
    waiting, results = chosen, {}
    while waiting:
        held = []
        for category in waiting:
            done = _claim(job, category, personal_file(out, category.name))
            if done is None:
                held.append(category)
            else:
                results[category.name] = done
        if held == waiting:
            time.sleep(_WAIT)
        waiting = held
    return [results[category.name] for category in chosen]


def personalize_for(
    config: DiffusersConfig, dataset: Dataset, categories: Sequence[str], *, seed: int = 0, progress: bool = True
) -> list[Trained]:
    """Train what a generator's ``personal`` asks for, and its folder lacks; see `personalize`.

    Args:
        config: Its ``personal`` is a `PersonalTraining` that names its folder.
        dataset: Real images with masks.
        categories: Names.
        seed: Decides noise and batches.
        progress: Show progress on standard error.
    """
    wanted = config.personal
    assert isinstance(wanted, PersonalTraining)
    assert wanted.folder is not None
    own = {name: getattr(config, name) for name in Model.model_fields}
    return personalize(
        dataset,
        Model(**{**own, "dtype": "float32", "safety_checker": False}),
        wanted.folder,
        categories=categories,
        training=Training(wanted.method, wanted.steps, wanted.batch_size, wanted.lr or LEARNING_RATES[wanted.method]),
        size=max(config.size or (512,)),
        crops=wanted.limit,
        seed=seed,
        device=config.device,
        progress=progress,
    )


@dataclass(frozen=True)
class _Job:
    """What all categories share; the model is loaded with the first that is to be trained."""

    dataset: Dataset
    model: Model
    training: Training
    device: Any
    size: int
    limit: int
    seed: int
    progress: bool

    @cached_property
    def trainer(self) -> Trainer:
        """The loaded model."""
        corpus = [template.format(one.label) for one in self.dataset.categories for template in TEMPLATES]
        return Trainer(self.model, self.device, self.training, corpus)

    @property
    def how(self) -> str:
        """What the weights come of, to be written beside them."""
        training, model = self.training, self.model.model.rpartition("/")[2]
        steps = f"{training.steps} steps of {training.batch_size} crops of {self.limit} at most"
        return f"{training.method} on {model}, {steps}, {self.size} px, lr {training.lr:g}"


def _claim(job: _Job, category: Category, path: Path) -> Trained | None:
    """The weights of a category, trained where they are missing; None while another process is at it."""
    if path.exists():
        return _there(job, category, path)
    try:
        check_objects(job.dataset, category)
    except ConfigError as error:
        return Trained(category.name, path, error=str(error))
    try:
        with locked(path.with_name(f".{path.name}.lock"), str(path)):
            return _there(job, category, path) if path.exists() else _train_one(job, category, path)
    except RunLocked:
        return None
    except RowError as error:
        return Trained(category.name, path, error=str(error))


def _there(job: _Job, category: Category, path: Path) -> Trained:
    """A file of an earlier call, which must have trained alike."""
    told = read_header(path).get("__metadata__", {}).get("divergen_training")
    if told and told != job.how:
        raise ConfigError(
            f"{path} comes of {told}; wanted is {job.how}. Delete it to train it anew, or use another folder"
        )
    return Trained(category.name, path)


def _train_one(job: _Job, category: Category, path: Path) -> Trained:
    crops = read_crops(job.dataset, category, size=job.size, limit=job.limit)
    own = derive_seed(job.seed, "personalize", category.name)
    steps = job.training.steps
    bar = Progress(category.name, steps, unit="steps") if job.progress else None
    losses: list[float] = []
    weights = None
    for loss, weights in job.trainer.train(category.name, category.label, crops, own):
        if not math.isfinite(loss):
            raise RowError(f"the loss of step {len(losses) + 1} is not a number; lower lr={job.training.lr:g}")
        losses.append(loss)
        if bar is not None and weights is None:
            bar.update(1, f"loss {loss:.4f}")
    assert weights is not None
    weights.save(path, job.how)
    tenth = max(steps // 10, 1)
    return Trained(
        category.name, path, len(crops), sum(losses[:tenth]) / tenth, sum(losses[steps - tenth : steps]) / tenth
    )
