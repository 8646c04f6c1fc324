"""LVIS and COCO average precision that can be trusted, with intervals and comparisons; needs no torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bootstrap import compare_results, evaluate_with_intervals
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
]

_MODULES = {
    "Metrics": "metrics",
    "compare_results": "bootstrap",
    "draw_predictions": "draw",
    "evaluate_coco": "evaluate",
    "evaluate_lvis": "evaluate",
    "evaluate_with_intervals": "bootstrap",
    "export_results": "submission",
    "read_results": "evaluate",
}
"""Each name is imported when it is asked for: numpy and pycocotools are not needed for ``--help``."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
