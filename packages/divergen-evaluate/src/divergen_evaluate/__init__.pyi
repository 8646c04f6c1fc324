from .bootstrap import compare_results, evaluate_with_intervals, resampled_scores
from .draw import draw_predictions
from .evaluate import evaluate_coco, evaluate_lvis, read_results
from .metrics import Metrics
from .submission import export_results

__all__ = [
    "Metrics",
    "compare_results",
    "draw_predictions",
    "evaluate_coco",
    "evaluate_lvis",
    "evaluate_with_intervals",
    "export_results",
    "read_results",
    "resampled_scores",
]
