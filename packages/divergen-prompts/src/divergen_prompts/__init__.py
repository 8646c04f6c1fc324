"""Categories to prompts: templates, an attribute grammar, LLMs, and measures of their diversity."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
