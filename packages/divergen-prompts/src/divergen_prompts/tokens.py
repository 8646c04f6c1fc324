"""Length of prompts in tokens of the text encoder that will read them; what is beyond its limit is cut off unseen."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Protocol

from divergen_records import ConfigError, require_extra

__all__ = ["CLIP_TOKENS", "EstimatedTokens", "TokenCounter", "TokenizerTokens", "build_counter"]

CLIP_TOKENS = 77
"""Limit of the CLIP text encoders, with their start and end tokens (Stable Diffusion v1 and v2)."""

_PIECE = re.compile(r"[^\W\d_]+|\d|[^\w\s]+")


class TokenCounter(Protocol):
    """Counts tokens.

    Attributes:
        identity: Which tokenizer it is.
    """

    identity: str

    def __call__(self, text: str) -> int:
        """Tokens of a text, with the special ones."""


class EstimatedTokens:
    """An estimate without a tokenizer: words and marks, long words count twice, plus start and end.

    On 5,200 template and grammar prompts for LVIS, one token above CLIP's own count on average, below it for 8 %.
    """

    identity = "estimate"

    def __call__(self, text: str) -> int:
        """Tokens of a text, about."""
        return 2 + sum(1 + (len(piece) - 1) // 8 for piece in _PIECE.findall(text))


class TokenizerTokens:
    """A tokenizer in the format of Hugging Face tokenizers (CLIP, T5 and others ship one as ``tokenizer.json``).

    Args:
        source: The file, a folder that holds it, or a name on the hub, for example ``openai/clip-vit-large-patch14``.

    Raises:
        MissingExtra: If the extra ``[tokenizers]`` is not installed.
        ConfigError: If there is no such tokenizer.
    """

    def __init__(self, source: str | Path) -> None:
        with require_extra("divergen-prompts", "tokenizers"):
            from tokenizers import Tokenizer  # type: ignore[import-not-found, unused-ignore]
        path = Path(source)
        path = path / "tokenizer.json" if path.is_dir() else path
        try:
            self._tokenizer: Any = (
                Tokenizer.from_file(str(path)) if path.is_file() else Tokenizer.from_pretrained(str(source))
            )
        except Exception as error:
            raise ConfigError(
                f"tokenizer {str(source)!r}: neither a tokenizer.json, a folder with one, nor to be had from the hub: "
                f"{error}"
            ) from error
        self._tokenizer.no_truncation()
        self.identity = str(source)

    def __call__(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._tokenizer.encode(text).ids)


def build_counter(tokenizer: str | Path | None) -> TokenCounter:
    """The named tokenizer; without one an estimate, with a warning."""
    if tokenizer is not None:
        return TokenizerTokens(tokenizer)
    warnings.warn(
        "prompt lengths are estimated; name the text encoder's tokenizer to count them (--tokenizer FILE)", stacklevel=2
    )
    return EstimatedTokens()
