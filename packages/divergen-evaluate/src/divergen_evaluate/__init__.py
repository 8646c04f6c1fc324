"""LVIS and COCO average precision that can be trusted, with intervals and comparisons; needs no torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
