from __future__ import annotations

import subprocess
import sys

import divergen_prompts
import pytest

LIGHT = """
import sys, time
begun = time.perf_counter()
{statement}
heavy = {{"torch", "openai", "nltk", "sentence_transformers", "tokenizers", "timm", "pyarrow", "lance", "cv2"}}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
print(time.perf_counter() - begun)
"""


def test_all__is_sorted_and_resolves() -> None:
    assert divergen_prompts.__all__ == sorted(divergen_prompts.__all__)
    for name in divergen_prompts.__all__:
        assert getattr(divergen_prompts, name).__doc__


def test_all__no_name_is_hidden_by_a_module() -> None:
    code = (
        "import divergen_prompts as p, pkgutil, importlib, types\n"
        "[importlib.import_module('divergen_prompts.' + m.name) for m in pkgutil.iter_modules(p.__path__) "
        "if m.name != '__main__']\n"
        "assert not [n for n in p.__all__ if isinstance(getattr(p, n), types.ModuleType)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_getattr__unknown_name() -> None:
    with pytest.raises(AttributeError, match="attribute nonsense"):
        divergen_prompts.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "statement",
    [
        "import divergen_prompts",
        "from divergen_prompts import grammar_prompts, template_prompts, read_categories, diversity",
        "from divergen_prompts import llm_prompts, select_extra_categories",
        "import divergen_prompts.cli as cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
    ],
)
def test_import__loads_nothing_heavy(statement: str) -> None:
    code = LIGHT.format(statement=statement)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True)


def test_missing_extra__says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['openai'] = None\n"
        "from divergen_prompts import LlmSettings, llm_prompts\nllm_prompts([], LlmSettings('m'), 'p.jsonl')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'divergen-prompts[llm]'" in result.stderr
