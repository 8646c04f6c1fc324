"""The attribute grammar's words, from ``data/attributes.toml``: what each kind of thing can look like."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from .data import load, split

__all__ = ["KEYS", "PROFILES", "STYLES"]

KEYS = ("style", "size", "condition", "colour", "pattern", "material", "pose", "view")
"""Attribute keys of a grammar prompt, in the order of the sentence; ``background`` closes it."""


def _words(text: str, shared: dict[str, str]) -> tuple[str, ...]:
    words: list[str] = []
    for word in split(text):
        words += _words(shared[word[1:]], shared) if word.startswith("$") else [word]
    return tuple(dict.fromkeys(words))


def _profile(kind: dict[str, str], data: dict[str, Any]) -> MappingProxyType[str, tuple[str, ...]]:
    texts = {"style": data["styles"], "view": "$views", **kind}
    return MappingProxyType({key: _words(texts[key], data["shared"]) for key in KEYS if key in texts})


_DATA = load("attributes.toml")

STYLES = _words(_DATA["styles"], {})
"""How the picture is made: "a photo", "a watercolor painting", …"""

PROFILES = MappingProxyType({name: _profile(kind, _DATA) for name, kind in _DATA["kinds"].items()})
"""Kind -> attribute key -> words, in sentence order."""
