"""Instance masks for pictures of one object: background-prompted segmentation, repair and quality."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
