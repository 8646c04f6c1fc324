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
