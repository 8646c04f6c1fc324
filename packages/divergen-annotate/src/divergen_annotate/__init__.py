"""Instance masks for pictures of one object: background-prompted segmentation, repair and quality."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .annotator import Annotator, Prediction
    from .bestof import BestOf
    from .cleanup import repair
    from .clipseg import ClipSeg
    from .grabcut import GrabCut
    from .matting import snap_to_edges, soft_alpha
    from .predictor import Predictor
    from .saliency import Saliency
    from .sam import SamBackground, load_predictor
    from .simple import ColourKey, TrueAlpha
    from .stage import AnnotateStage, Annotation, annotate

__all__ = [
    "AnnotateStage",
    "Annotation",
    "Annotator",
    "BestOf",
    "ClipSeg",
    "ColourKey",
    "GrabCut",
    "Prediction",
    "Predictor",
    "Saliency",
    "SamBackground",
    "TrueAlpha",
    "annotate",
    "load_predictor",
    "repair",
    "snap_to_edges",
    "soft_alpha",
]

_MODULES = {
    "AnnotateStage": "stage",
    "Annotation": "stage",
    "Annotator": "annotator",
    "BestOf": "bestof",
    "ClipSeg": "clipseg",
    "ColourKey": "simple",
    "GrabCut": "grabcut",
    "Prediction": "annotator",
    "Predictor": "predictor",
    "Saliency": "saliency",
    "SamBackground": "sam",
    "TrueAlpha": "simple",
    "annotate": "stage",
    "load_predictor": "sam",
    "repair": "cleanup",
    "snap_to_edges": "matting",
    "soft_alpha": "matting",
}
"""Where each name lives: OpenCV loads with the first use, not with the import of the package."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
