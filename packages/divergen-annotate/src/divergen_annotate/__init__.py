"""Instance masks for pictures of one object: background-prompted segmentation, repair and quality."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .annotator import Annotator, Prediction
    from .cleanup import repair
    from .grabcut import GrabCut
    from .simple import ColourKey, TrueAlpha
    from .stage import AnnotateStage, Annotation, annotate

__all__ = [
    "AnnotateStage",
    "Annotation",
    "Annotator",
    "ColourKey",
    "GrabCut",
    "Prediction",
    "TrueAlpha",
    "annotate",
    "repair",
]

_MODULES = {
    "AnnotateStage": "stage",
    "Annotation": "stage",
    "Annotator": "annotator",
    "ColourKey": "simple",
    "GrabCut": "grabcut",
    "Prediction": "annotator",
    "TrueAlpha": "simple",
    "annotate": "stage",
    "repair": "cleanup",
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
