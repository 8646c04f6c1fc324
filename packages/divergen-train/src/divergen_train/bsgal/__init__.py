"""Learn from the generated samples that help (BSGAL, ICML 2024): any network, any loss, each sample judged by itself.

Nothing here knows detectors; `divergen_train.bsgal.detection` puts it into this package's trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import BsgalConfig, ThresholdConfig
    from .errors import LossNotPerSample, ModelChanged, NothingObserved
    from .estimator import ContributionEstimator
    from .step import SelectiveStep, StepResult
    from .threshold import AcceptanceThreshold, Rate

__all__ = [
    "AcceptanceThreshold",
    "BsgalConfig",
    "ContributionEstimator",
    "LossNotPerSample",
    "ModelChanged",
    "NothingObserved",
    "Rate",
    "SelectiveStep",
    "StepResult",
    "ThresholdConfig",
]

_MODULES = {
    "AcceptanceThreshold": "threshold",
    "BsgalConfig": "config",
    "ContributionEstimator": "estimator",
    "LossNotPerSample": "errors",
    "ModelChanged": "errors",
    "NothingObserved": "errors",
    "Rate": "threshold",
    "SelectiveStep": "step",
    "StepResult": "step",
    "ThresholdConfig": "config",
}
"""Each name is imported when it is asked for: torch takes seconds."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
