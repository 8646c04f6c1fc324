"""Checkpoints: everything that a killed training needs to go on, and that a prediction needs to be right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, DatasetError, WeightsError
from divergen_records.files import writing
from divergen_records.weights_files import read_tensors
from pydantic import ValidationError

from ..detectors.build import build_detector
from ..detectors.protocol import Detector
from .config import TrainConfig

__all__ = [
    "Checkpoint",
    "check_categories",
    "check_evaluated",
    "load_checkpoint",
    "load_detector",
    "save_checkpoint",
    "start_from",
]

_FORMAT = "divergen-train/1"


@dataclass(frozen=True)
class Checkpoint:
    """A training run at an iteration. Random numbers need no state: each iteration derives its own seed.

    Attributes:
        iteration: Steps done.
        seed: Of the run.
        config: Of the run.
        categories: What the labels 1, 2, … mean.
        model: Weights and buffers that are being trained.
        average: Their moving average, which predicts; the same as ``model`` where averaging is off.
        optimizer: State of the optimiser.
        scaler: State of float16's loss scaler; empty where there is none.
        step: Name of the strategy that turned batches into gradients.
        step_state: What it remembers.
        data: `data_mark` of what it learns from; empty where an older version saved it.
    """

    iteration: int
    seed: int
    config: TrainConfig
    categories: tuple[Category, ...]
    model: dict[str, Any]
    average: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] = field(default_factory=dict)
    step: str = "plain"
    step_state: dict[str, Any] = field(default_factory=dict)
    data: str = ""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a kill leaves the old one whole."""
    data = {
        "format": _FORMAT,
        "iteration": checkpoint.iteration,
        "seed": checkpoint.seed,
        "config": checkpoint.config.model_dump_json(),
        "categories": [category.model_dump_json() for category in checkpoint.categories],
        "model": checkpoint.model,
        "average": checkpoint.average,
        "optimizer": checkpoint.optimizer,
        "scaler": checkpoint.scaler,
        "step": checkpoint.step,
        "step_state": checkpoint.step_state,
        "data": checkpoint.data,
    }
    with writing(path, overwrite=True) as file:
        torch.save(data, file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in the file is executed.

    Raises:
        WeightsError: If the file is missing, damaged, or not a checkpoint of this package.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint")
    data = read_tensors(path, "checkpoint")
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise WeightsError(f"{path}: not a checkpoint of this version of divergen-train ({_FORMAT})")
    try:
        config = TrainConfig.model_validate_json(data["config"])
        categories = tuple(Category.model_validate_json(text) for text in data["categories"])
        rest = {key: data[key] for key in ("iteration", "seed", "model", "average", "optimizer")}
    except ValidationError as error:
        raise WeightsError(f"{path}: its config is of another version: {error}") from error
    except KeyError as error:
        raise WeightsError(
            f"{path}: the checkpoint is damaged, it has no {error}; remove it and train again from the start (in a "
            "run: --redo train)"
        ) from error
    newer = {key: data[key] for key in ("scaler", "step", "step_state", "data") if key in data}
    return Checkpoint(config=config, categories=categories, **rest, **newer)


def load_detector(checkpoint: Checkpoint) -> Detector:
    """The trained detector in evaluation mode, with its averaged weights."""
    detector: Detector = build_detector(checkpoint.config.detector, checkpoint.categories, pretrained=False)
    try:
        detector.load_state_dict(checkpoint.average)
    except RuntimeError as error:
        raise WeightsError(f"the checkpoint does not fit its own config: {error}") from error
    detector.train(False)
    return detector


def start_from(detector: Detector, path: Path, config: TrainConfig, dataset: Dataset) -> None:
    """Give a new detector the averaged weights of another training.

    Raises:
        WeightsError: If it was one of another detector.
        DatasetError: If it was one on other categories.
    """
    checkpoint = load_checkpoint(path)
    check_categories(checkpoint.categories, dataset.categories, str(dataset.path))
    try:
        detector.load_state_dict(checkpoint.average)
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: these are weights of another detector ({checkpoint.config.detector.kind}) or of other settings "
            f"than this training's ({config.detector.kind}); begin with a checkpoint of the same detector"
        ) from error


def check_categories(trained: Sequence[Category], given: Sequence[Category], where: str) -> None:
    """Refuse data whose categories are not those of the checkpoint.

    Args:
        trained: The checkpoint's categories.
        given: The data set's categories.
        where: Names the data set in the message.

    Raises:
        DatasetError: If ids, names or their order differ.
    """
    ours, theirs = ([(category.id, category.name) for category in some] for some in (trained, given))
    if ours == theirs:
        return
    missing = [name for _, name in ours if name not in {name for _, name in theirs}]
    extra = [name for _, name in theirs if name not in {name for _, name in ours}]
    detail = f"missing {missing[:5]}, unknown {extra[:5]}" if missing or extra else "same names, other ids or order"
    raise DatasetError(
        f"{where}: its {len(theirs)} categories are not the {len(ours)} that the checkpoint was trained on ({detail})"
    )


def check_evaluated(learned: Sequence[Category], data: Dataset) -> None:
    """Refuse data with a category that is not learned, or is called otherwise; it may have some of them only.

    Args:
        learned: What a detector knows.
        data: What it is to detect in.

    Raises:
        DatasetError: If it does not know them all.
    """
    known, names = {(one.id, one.name) for one in learned}, [one.name for one in learned]
    others = [one.name for one in data.categories if (one.id, one.name) not in known]
    if others:
        same = set(others) <= set(names)
        detail = "same names, other ids" if same else f"unknown {others[:5]}, trained are {names[:5]}"
        raise DatasetError(
            f"{data.path}: {len(others)} of its {len(data.categories)} categories are not among the {len(names)} that "
            f"the checkpoint was trained on ({detail})"
        )


def data_mark(dataset: Dataset) -> str:
    """Tells a data set's pictures and objects from others', wherever they lie."""
    names = json.dumps([(image.id, image.file_name) for image in dataset.images])
    objects = [(one.image_id, one.category_id, *one.bbox) for one in dataset.annotations]
    return blake2b(names.encode() + np.array(objects, np.float64).tobytes(), digest_size=16).hexdigest()


def check_data(checkpoint: Checkpoint, dataset: Dataset, path: Path) -> None:
    """Refuse to continue a run with other data; raises `DatasetError`."""
    if checkpoint.data not in ("", data_mark(dataset)):
        raise DatasetError(
            f"{path}: was trained with other pictures or objects than those of {dataset.path}; use the same, or "
            "another output folder (in a run: --redo train)"
        )


def check_resume(checkpoint: Checkpoint, config: TrainConfig, seed: int, step: str, path: Path) -> None:
    """Refuse to continue a run with other settings; raises `ConfigError`."""
    if checkpoint.seed != seed:
        raise ConfigError(f"{path}: was trained with seed={checkpoint.seed}, not {seed}; give another output folder")
    if checkpoint.step != step:
        raise ConfigError(f"{path}: was trained with the step {checkpoint.step!r}, not {step!r}; give the same step")
    ours, theirs = config.model_dump(mode="json"), checkpoint.config.model_dump(mode="json")
    free = {"workers", "log_every", "checkpoint_every", "eval_every", "device", "loggers"}
    for now, before, key in ((ours, theirs, "init"), (ours["bsgal"] or {}, theirs["bsgal"] or {}, "judge")):
        if _is_still(before.get(key), now.get(key)):
            before[key] = now[key]
    changed = [key for key in ours if key not in free and ours[key] != theirs.get(key)]
    if changed:
        raise ConfigError(
            f"{path}: was trained with other settings ({', '.join(changed)}); use the same, or another output folder"
        )


def _is_still(before: str | None, now: str | None) -> bool:
    """Whether a checkpoint is the one that a training began with, or that one is gone: going on does not read it."""
    if before is None or now is None:
        return False
    return not Path(before).exists() or (Path(now).exists() and Path(before).samefile(now))
