"""Keep generated instances that look like real ones: embeddings, inter-similarity, rules."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calibration import Calibration, calibrate
    from .decision import decide
    from .embedder import Embedder
    from .references import References, reference_embeddings
    from .similarity import CategorySums, inter_similarity, leave_one_out
    from .stages import DecideStage, EmbedStage, ScoreStage

__all__ = [
    "Calibration",
    "CategorySums",
    "DecideStage",
    "EmbedStage",
    "Embedder",
    "References",
    "ScoreStage",
    "calibrate",
    "decide",
    "inter_similarity",
    "leave_one_out",
    "reference_embeddings",
]

_MODULES = {
    "Calibration": "calibration",
    "CategorySums": "similarity",
    "DecideStage": "stages",
    "EmbedStage": "stages",
    "Embedder": "embedder",
    "References": "references",
    "ScoreStage": "stages",
    "calibrate": "calibration",
    "decide": "decision",
    "inter_similarity": "similarity",
    "leave_one_out": "similarity",
    "reference_embeddings": "references",
}
"""Where each name lives: NumPy and OpenCV load with the first use, not with the import of the package."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
