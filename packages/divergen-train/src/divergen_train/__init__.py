"""Detectors for long-tailed instance segmentation: their training, their analysis, and BSGAL."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.energy import energy_report, free_energy, object_logits
    from .analysis.gap import train_val_gap
    from .analysis.maps import embed_objects, embedding_map
    from .detectors.config import (
        CenterNet2Config,
        DetectorConfig,
        Detectron2MaskRCNNConfig,
        ResNet50Config,
        SwinConfig,
        TorchvisionConfig,
    )
    from .errors import TrainingDiverged
    from .training.config import TrainConfig
    from .training.fit import FitResult, fit
    from .training.inference import predict
    from .training.log import read_log
    from .training.presets import preset
    from .training.recipe import Recipe, load_recipe, recipe_names
    from .training.truncate import truncate_checkpoint

__all__ = [
    "CenterNet2Config",
    "DetectorConfig",
    "Detectron2MaskRCNNConfig",
    "FitResult",
    "Recipe",
    "ResNet50Config",
    "SwinConfig",
    "TorchvisionConfig",
    "TrainConfig",
    "TrainingDiverged",
    "embed_objects",
    "embedding_map",
    "energy_report",
    "fit",
    "free_energy",
    "load_recipe",
    "object_logits",
    "predict",
    "preset",
    "read_log",
    "recipe_names",
    "train_val_gap",
    "truncate_checkpoint",
]

_MODULES = {
    "CenterNet2Config": "detectors.config",
    "DetectorConfig": "detectors.config",
    "Detectron2MaskRCNNConfig": "detectors.config",
    "FitResult": "training.fit",
    "Recipe": "training.recipe",
    "ResNet50Config": "detectors.config",
    "SwinConfig": "detectors.config",
    "TorchvisionConfig": "detectors.config",
    "TrainConfig": "training.config",
    "TrainingDiverged": "errors",
    "embed_objects": "analysis.maps",
    "embedding_map": "analysis.maps",
    "energy_report": "analysis.energy",
    "fit": "training.fit",
    "free_energy": "analysis.energy",
    "load_recipe": "training.recipe",
    "object_logits": "analysis.energy",
    "predict": "training.inference",
    "preset": "training.presets",
    "read_log": "training.log",
    "recipe_names": "training.recipe",
    "train_val_gap": "analysis.gap",
    "truncate_checkpoint": "training.truncate",
}
"""Each name is imported when it is asked for: torch takes seconds."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
