"""Cut a checkpoint down to the categories that are evaluated (DiverGen, section 3.3: 1,453 trained, 1,203 kept)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from divergen_records import Category
from divergen_records.errors import ConfigError, DatasetError
from divergen_records.files import parse_json, read_text
from torch import Tensor

from ..detectors.build import build_detector
from ..detectors.config import TorchvisionConfig
from ..detectors.protocol import ClassRows
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint

__all__ = ["read_categories", "truncate", "truncate_checkpoint"]


def truncate(checkpoint: Path | str, categories: Path | str | Sequence[Category], out: Path | str) -> Checkpoint:
    """Write a checkpoint that knows only some of the categories, with the same scores, boxes and masks for them.

    Args:
        checkpoint: As `fit` wrote it. What its optimiser remembers is left behind: the result is to predict with.
        categories: What to keep, in this order: categories, or a file as `read_categories` reads it.
        out: The new file.

    Raises:
        WeightsError: If the checkpoint cannot be read.
        DatasetError: If a category is not in the checkpoint, or the file has none.
        ConfigError: If the detector's scores would change without the others, or it cannot be cut.
    """
    kept = read_categories(Path(categories)) if isinstance(categories, Path | str) else list(categories)
    result = truncate_checkpoint(load_checkpoint(Path(checkpoint)), kept)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(Path(out), result)
    return result


def read_categories(path: Path) -> list[Category]:
    """Categories of an LVIS or COCO file, or of a JSON list of categories; only id and name are looked at.

    Raises:
        DatasetError: If the file is not JSON or has no categories.
    """
    try:
        data: Any = parse_json(read_text(path), f"{path}: has no list of categories with id and name")
        rows = data["categories"] if isinstance(data, dict) else data
        return [Category(id=row["id"], name=row["name"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: has no list of categories with id and name ({error})") from error


def truncate_checkpoint(checkpoint: Checkpoint, categories: Sequence[Category]) -> Checkpoint:
    """The checkpoint with only these categories, in this order; see `truncate`."""
    keep = _positions(checkpoint.categories, categories)
    cut = [index for index in range(len(checkpoint.categories)) if index not in set(keep)]
    detector: Any = build_detector(checkpoint.config.detector, checkpoint.categories, pretrained=False)
    config = checkpoint.config.detector
    if getattr(config, "classifier", None) == "softmax":
        # The categories share one sum, so what is cut stays in it, as part of the background.
        if not isinstance(config, TorchvisionConfig):
            raise ConfigError(
                f"detector {config.kind}: with classifier=softmax, scores depend on the categories to be cut off; "
                "train with classifier=sigmoid, or the detector 'torchvision'"
            )
        config = config.model_copy(update={"hidden_categories": config.hidden_categories + len(cut)})
    cutter = _Cutter(detector.class_rows(), len(checkpoint.categories), keep, cut)
    return dataclasses.replace(
        checkpoint,
        config=checkpoint.config.model_copy(update={"detector": config}),
        categories=tuple(checkpoint.categories[index] for index in keep),
        model=cutter(checkpoint.model),
        average=cutter(checkpoint.average),
        optimizer={},
        scaler={},
        step_state={},
    )


def _positions(trained: Sequence[Category], kept: Sequence[Category]) -> list[int]:
    """Index among the trained categories of each one that is kept; id and name must agree."""
    if not kept:
        raise DatasetError("no categories to keep")
    places = {(category.id, category.name): index for index, category in enumerate(trained)}
    unknown = [f"{category.name} (id {category.id})" for category in kept if (category.id, category.name) not in places]
    if unknown:
        raise DatasetError(
            f"{len(unknown)} of {len(kept)} categories are not in the checkpoint, which has {len(trained)}: "
            f"{', '.join(unknown[:5])}"
        )
    positions = [places[category.id, category.name] for category in kept]
    if len(set(positions)) < len(positions):
        raise DatasetError("a category is named twice")
    return positions


@dataclasses.dataclass(frozen=True)
class _Cutter:
    rows: Mapping[str, ClassRows]
    categories: int
    keep: Sequence[int]
    cut: Sequence[int]

    def __call__(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        missing = [name for name in self.rows if name not in state]
        if missing:
            raise ConfigError(f"the detector says its categories are in {missing[:3]}, which the checkpoint lacks")
        return {name: self._select(name, value) for name, value in state.items()}

    def _select(self, name: str, value: Tensor) -> Tensor:
        if name not in self.rows:
            return value
        return self.rows[name].select(value, self.keep, self.cut, self.categories)
