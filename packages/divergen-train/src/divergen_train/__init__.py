"""Detectors for long-tailed instance segmentation and LVIS evaluation that can be trusted."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from divergen_evaluate.bootstrap import compare_results, evaluate_with_intervals
    from .training.config import DetectorConfig, TorchvisionConfig, TrainConfig, preset
    from .detectors.config import CenterNet2Config, Detectron2MaskRCNNConfig, ResNet50Config, SwinConfig
    from .analysis.draw import draw_predictions
    from .analysis.energy import energy_report, free_energy, object_logits
    from .errors import TrainingDiverged
    from divergen_evaluate.evaluate import evaluate_coco, evaluate_lvis, read_results
    from divergen_evaluate.submission import export_results
    from .analysis.gap import train_val_gap
    from .training.inference import predict
    from .training.log import read_log
    from .analysis.maps import embed_objects, embedding_map
    from divergen_evaluate.metrics import Metrics
    from .training.recipe import Recipe, load_recipe, recipe_names
    from .training.fit import FitResult, fit
    from .detectors.truncate import truncate_checkpoint

__all__ = [
    "CenterNet2Config",
    "DetectorConfig",
    "Detectron2MaskRCNNConfig",
    "FitResult",
    "Metrics",
    "Recipe",
    "ResNet50Config",
    "SwinConfig",
    "TorchvisionConfig",
    "TrainConfig",
    "TrainingDiverged",
    "compare_results",
    "draw_predictions",
    "embed_objects",
    "embedding_map",
    "energy_report",
    "evaluate_coco",
    "evaluate_lvis",
    "evaluate_with_intervals",
    "export_results",
    "fit",
    "free_energy",
    "load_recipe",
    "object_logits",
    "predict",
    "preset",
    "read_log",
    "read_results",
    "recipe_names",
    "train_val_gap",
    "truncate_checkpoint",
]

_MODULES = {
    "CenterNet2Config": "detector_config",
    "DetectorConfig": "config",
    "Detectron2MaskRCNNConfig": "detector_config",
    "FitResult": "training",
    "Metrics": "metrics",
    "Recipe": "recipe",
    "ResNet50Config": "detector_config",
    "SwinConfig": "detector_config",
    "TorchvisionConfig": "config",
    "TrainConfig": "config",
    "TrainingDiverged": "errors",
    "compare_results": "bootstrap",
    "draw_predictions": "draw",
    "embed_objects": "maps",
    "embedding_map": "maps",
    "energy_report": "energy",
    "evaluate_coco": "evaluate",
    "evaluate_lvis": "evaluate",
    "evaluate_with_intervals": "bootstrap",
    "export_results": "export",
    "fit": "training",
    "free_energy": "energy",
    "load_recipe": "recipe",
    "object_logits": "energy",
    "predict": "inference",
    "preset": "config",
    "read_log": "log",
    "read_results": "evaluate",
    "recipe_names": "recipe",
    "train_val_gap": "gap",
    "truncate_checkpoint": "truncate",
}
"""Each name is imported when it is asked for: torch takes seconds."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
