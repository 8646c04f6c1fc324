"""Categories to prompts: templates, an attribute grammar, LLMs, and measures of their diversity."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .categories import read_categories
    from .checks import Checker, check_prompts
    from .expand import select_extra_categories
    from .files import read_prompts, write_prompts
    from .grammar import grammar_prompts
    from .llm.run import Account, EndpointError, estimate_llm, llm_prompts
    from .llm.settings import LlmSettings
    from .measures import diversity
    from .templates import template_prompts

__all__ = [
    "Account",
    "Checker",
    "EndpointError",
    "LlmSettings",
    "check_prompts",
    "diversity",
    "estimate_llm",
    "grammar_prompts",
    "llm_prompts",
    "read_categories",
    "read_prompts",
    "select_extra_categories",
    "template_prompts",
    "write_prompts",
]

_MODULES = {
    "Account": "llm.run",
    "Checker": "checks",
    "EndpointError": "llm.run",
    "LlmSettings": "llm.settings",
    "check_prompts": "checks",
    "diversity": "measures",
    "estimate_llm": "llm.run",
    "grammar_prompts": "grammar",
    "llm_prompts": "llm.run",
    "read_categories": "categories",
    "read_prompts": "files",
    "select_extra_categories": "expand",
    "template_prompts": "templates",
    "write_prompts": "files",
}
"""Where each name lives; modules are imported on first use, so that the package and its command start at once."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
