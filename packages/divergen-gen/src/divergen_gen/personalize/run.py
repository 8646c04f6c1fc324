"""Train the weights of many categories, one file each; killed at any time, the next call goes on with the next one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from divergen_records import Category, ConfigError, Progress, derive_seed
from divergen_records.coco import Dataset

from ..diffusion.environment import choose_device
from ..diffusion.model import Model
from .crops import read_crops, select_categories
from .training import TEMPLATES, Trainer, Training

__all__ = ["Trained", "personalize"]


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
        ConfigError: There is no such category, or the model is of another kind.
        WeightsError: The model's weights are missing or damaged.
    """
    model = Model(model=model, dtype="float32", safety_checker=False) if isinstance(model, str) else model
    training = training or Training()
    chosen = select_categories(dataset, categories)
    out.mkdir(parents=True, exist_ok=True)
    paths = {category.name: out / f"{_file_name(category.name)}.safetensors" for category in chosen}
    left = [category for category in chosen if not paths[category.name].exists()]
    if not left:
        return [Trained(category.name, paths[category.name]) for category in chosen]
    corpus = [template.format(one.label) for one in dataset.categories for template in TEMPLATES]
    trainer = Trainer(model, choose_device(device), training, corpus)
    results = []
    for category in chosen:
        path = paths[category.name]
        if category not in left:
            results.append(Trained(category.name, path))
            continue
        try:
            results.append(_train_one(trainer, dataset, category, path, size, crops, seed, progress))
        except ConfigError as error:
            results.append(Trained(category.name, path, error=str(error)))
    return results


def _train_one(
    trainer: Trainer, dataset: Dataset, category: Category, path: Path, size: int, limit: int, seed: int, progress: bool
) -> Trained:
    crops = read_crops(dataset, category, size=size, limit=limit)
    own = derive_seed(seed, "personalize", category.name)
    steps = trainer.training.steps
    bar = Progress(category.name, steps, unit="steps") if progress else None
    losses: list[float] = []
    weights = None
    for loss, weights in trainer.train(category.name, category.label, crops, own):
        losses.append(loss)
        if bar is not None and weights is None:
            bar.update(1, f"loss {loss:.4f}")
    assert weights is not None
    weights.save(path)
    tenth = max(steps // 10, 1)
    return Trained(
        category.name, path, len(crops), sum(losses[:tenth]) / tenth, sum(losses[steps - tenth : steps]) / tenth
    )


def _file_name(name: str) -> str:
    return re.sub(r"[^\w().-]+", "_", name).lstrip(".") or "_"
