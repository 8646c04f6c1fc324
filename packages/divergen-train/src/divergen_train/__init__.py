"""Detectors for long-tailed instance segmentation and LVIS evaluation that can be trusted."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import DetectorConfig, TorchvisionConfig, TrainConfig, preset
    from .draw import draw_predictions
    from .errors import TrainingDiverged
    from .evaluate import evaluate_lvis, read_results
    from .inference import predict
    from .log import read_log
    from .metrics import Metrics
    from .training import FitResult, fit

__all__ = [
    "DetectorConfig",
    "FitResult",
    "Metrics",
    "TorchvisionConfig",
    "TrainConfig",
    "TrainingDiverged",
    "draw_predictions",
    "evaluate_lvis",
    "fit",
    "predict",
    "preset",
    "read_log",
    "read_results",
]

_MODULES = {
    "DetectorConfig": "config",
    "FitResult": "training",
    "Metrics": "metrics",
    "TorchvisionConfig": "config",
    "TrainConfig": "config",
    "TrainingDiverged": "errors",
    "draw_predictions": "draw",
    "evaluate_lvis": "evaluate",
    "fit": "training",
    "predict": "inference",
    "preset": "config",
    "read_log": "log",
    "read_results": "evaluate",
}
"""Each name is imported when it is asked for: torch takes seconds."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
