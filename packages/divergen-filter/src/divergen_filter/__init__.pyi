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
