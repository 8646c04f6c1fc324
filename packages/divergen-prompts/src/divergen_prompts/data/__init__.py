"""Word lists of the package, as TOML; words are separated by commas."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

__all__ = ["load", "split", "word_lists"]


def load(name: str) -> dict[str, Any]:
    """The content of a file of this folder."""
    return tomllib.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))


def split(text: str) -> list[str]:
    """The words of a list."""
    return [" ".join(word.split()) for word in text.split(",")]


def word_lists(name: str) -> dict[str, list[str]]:
    """A file of nothing but lists."""
    return {key: split(text) for key, text in load(name).items()}
