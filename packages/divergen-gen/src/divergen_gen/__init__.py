"""Prompts to pictures: any text-to-image model, into one instance table."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
