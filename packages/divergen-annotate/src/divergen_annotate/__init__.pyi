from .annotator import Annotator, Prediction
from .bestof import BestOf
from .cleanup import repair
from .clipseg import ClipSeg
from .finding import Finder
from .grabcut import GrabCut
from .grounded_sam import GroundedSam
from .matting import snap_to_edges, soft_alpha
from .predictor import Predictor
from .saliency import Saliency
from .sam import SamBackground, load_predictor
from .sam3 import Sam3
from .simple import ColourKey, TrueAlpha
from .stage import AnnotateStage, Annotation, annotate

__all__ = [
    "AnnotateStage",
    "Annotation",
    "Annotator",
    "BestOf",
    "ClipSeg",
    "ColourKey",
    "Finder",
    "GrabCut",
    "GroundedSam",
    "Prediction",
    "Predictor",
    "Saliency",
    "Sam3",
    "SamBackground",
    "TrueAlpha",
    "annotate",
    "load_predictor",
    "repair",
    "snap_to_edges",
    "soft_alpha",
]
