from .config import ProceduralConfig
from .generator import ProceduralGenerator
from .scenes import MiniLVIS, make_minilvis, sketch_categories

__all__ = [
    "MiniLVIS",
    "ProceduralConfig",
    "ProceduralGenerator",
    "make_minilvis",
    "sketch_categories",
]
