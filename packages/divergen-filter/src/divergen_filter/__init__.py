"""Keep generated instances that look like real ones: embeddings, inter-similarity, rules."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .basics import BasicsStage
    from .calibration import Calibration, calibrate
    from .decision import decide
    from .diversity import measure_diversity
    from .embed_real import reference_embeddings
    from .embedder import Embedder
    from .folder import filter_folder
    from .openclip import OpenClipEmbedder
    from .references import References, Summary
    from .score import Score
    from .sheet import write_sheet
    from .similarity import CategorySums, inter_similarity, leave_one_out
    from .stages import DecideStage, EmbedStage, ScoreStage, TextScoreStage
    from .timm_tower import TimmEmbedder
    from .transformers_tower import TransformersEmbedder
    from .whole_table import DecisionReport, decide_table, score_generated

__all__ = [
    "BasicsStage",
    "Calibration",
    "CategorySums",
    "DecideStage",
    "DecisionReport",
    "EmbedStage",
    "Embedder",
    "OpenClipEmbedder",
    "References",
    "Score",
    "ScoreStage",
    "Summary",
    "TextScoreStage",
    "TimmEmbedder",
    "TransformersEmbedder",
    "calibrate",
    "decide",
    "decide_table",
    "filter_folder",
    "inter_similarity",
    "leave_one_out",
    "measure_diversity",
    "reference_embeddings",
    "score_generated",
    "write_sheet",
]

_MODULES = {
    "BasicsStage": "basics",
    "Calibration": "calibration",
    "CategorySums": "similarity",
    "DecideStage": "stages",
    "DecisionReport": "whole_table",
    "EmbedStage": "stages",
    "Embedder": "embedder",
    "OpenClipEmbedder": "openclip",
    "References": "references",
    "Score": "score",
    "ScoreStage": "stages",
    "Summary": "references",
    "TextScoreStage": "stages",
    "TimmEmbedder": "timm_tower",
    "TransformersEmbedder": "transformers_tower",
    "calibrate": "calibration",
    "decide": "decision",
    "decide_table": "whole_table",
    "filter_folder": "folder",
    "inter_similarity": "similarity",
    "leave_one_out": "similarity",
    "measure_diversity": "diversity",
    "reference_embeddings": "embed_real",
    "score_generated": "whole_table",
    "write_sheet": "sheet",
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
