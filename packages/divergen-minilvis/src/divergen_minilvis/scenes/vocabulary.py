"""What the renderer's categories are called and what they mean, for the dataset's files and the prompts."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from divergen_records import Category

__all__ = ["describe"]


def describe(name: str, id: int) -> Category:  # noqa: A002
    """A category of the renderer with its synonyms, synset and definition; bare where the vocabulary lacks it."""
    return Category(id=id, name=name, **_vocabulary().get(name, {}))


@cache
def _vocabulary() -> dict[str, dict[str, Any]]:
    text = files(__package__).joinpath("categories.json").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(text)
    return entries
