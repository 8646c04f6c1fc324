from .config import ProceduralConfig
from .generator import ProceduralGenerator
from .scenes import MiniLVIS, make_minilvis

__all__ = [
    "MiniLVIS",
    "ProceduralConfig",
    "ProceduralGenerator",
    "make_minilvis",
]
