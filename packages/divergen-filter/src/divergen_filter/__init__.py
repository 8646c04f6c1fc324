"""Keep generated instances that look like real ones: embeddings, inter-similarity, rules."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
