"""Learn more from the generated samples that help (BSGAL, ICML 2024): any network, any sampler.

Nothing here but `belief_step`, `published_step` and what they use knows detectors.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..detectors.activations import Objects, sigmoid_activations, softmax_activations
    from .belief import Belief
    from .config import BeliefConfig, BsgalConfig, PublishedConfig, ThresholdConfig
    from .draws import Candidates, Draws
    from .errors import LossNotPerSample, ModelChanged, NothingObserved
    from .estimator import ContributionEstimator
    from .judge import Judge, Seen
    from .references import References
    from .threshold import AcceptanceThreshold, Rate

__all__ = [
    "AcceptanceThreshold",
    "Belief",
    "BeliefConfig",
    "BsgalConfig",
    "Candidates",
    "ContributionEstimator",
    "Draws",
    "Judge",
    "LossNotPerSample",
    "ModelChanged",
    "NothingObserved",
    "Objects",
    "PublishedConfig",
    "Rate",
    "References",
    "Seen",
    "ThresholdConfig",
    "sigmoid_activations",
    "softmax_activations",
]

_MODULES = {
    "AcceptanceThreshold": ".threshold",
    "Belief": ".belief",
    "BeliefConfig": ".config",
    "BsgalConfig": ".config",
    "Candidates": ".draws",
    "ContributionEstimator": ".estimator",
    "Draws": ".draws",
    "Judge": ".judge",
    "LossNotPerSample": ".errors",
    "ModelChanged": ".errors",
    "NothingObserved": ".errors",
    "Objects": "..detectors.activations",
    "PublishedConfig": ".config",
    "Rate": ".threshold",
    "References": ".references",
    "Seen": ".judge",
    "ThresholdConfig": ".config",
    "sigmoid_activations": "..detectors.activations",
    "softmax_activations": "..detectors.activations",
}
"""Each name is imported when it is asked for: torch takes seconds."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
