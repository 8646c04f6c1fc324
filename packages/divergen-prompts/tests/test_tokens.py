from __future__ import annotations

from pathlib import Path

import pytest
from divergen_prompts.tokens import EstimatedTokens, TokenizerTokens, build_counter
from divergen_records import ConfigError


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """A real word-level tokenizer with a start and an end token."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"<s>": 0, "</s>": 1, "?": 2, "a": 3, "red": 4, "cup": 5}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.enable_truncation(4)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_tokenizer_tokens__counts_what_would_be_cut_off(tokenizer_file: Path) -> None:
    assert TokenizerTokens(tokenizer_file)("a red cup, a red cup") == 9
    assert TokenizerTokens(tokenizer_file.parent)("a") == 3


def test_tokenizer_tokens__missing(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    with pytest.raises(ConfigError, match=r"neither a tokenizer\.json"):
        TokenizerTokens(tmp_path / "none")


def test_build_counter__estimates_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="estimated"):
        counter = build_counter(None)
    assert counter("a photo of a cat") == 7  # CLIP: 7 as well


@pytest.mark.parametrize(("text", "clip"), [("a red cup, side view", 8), ("watercolor painting", 4), ("two-tone", 5)])
def test_estimated_tokens__near_clip(text: str, clip: int) -> None:
    assert abs(EstimatedTokens()(text) - clip) <= 2
