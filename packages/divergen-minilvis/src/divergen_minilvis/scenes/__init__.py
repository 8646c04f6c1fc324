"""MiniLVIS: long-tailed instance segmentation datasets in LVIS v1 format, from the renderer's scenes."""

from .dataset import MiniLVIS, make_minilvis, sketch_categories

__all__ = ["MiniLVIS", "make_minilvis", "sketch_categories"]
