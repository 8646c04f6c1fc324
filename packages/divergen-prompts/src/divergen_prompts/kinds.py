"""Which kind of thing a category is, so that its attributes fit: food is not made of chrome, a chair does not sleep.

The order of evidence: the whole name, the dataset's hint in parentheses, the name's last word, the first known word of
the definition. What nothing is known about is an ``object``, with attributes that fit nearly everything.
"""

from __future__ import annotations

import re
from functools import lru_cache

from divergen_records import Category

from .data import load, split
from .naming import hint, names

__all__ = ["kind_of"]

DEFAULT = "object"


def _by_word(table: dict[str, str]) -> dict[str, str]:
    return {word: kind for kind, words in table.items() for word in split(words)}


_DATA = load("kinds.toml")
NOUNS, HINTS = _by_word(_DATA["nouns"]), _by_word(_DATA["hints"])
DEFINING = NOUNS | _by_word(_DATA["defining"])
ANIMALS = frozenset({"mammal", "bird", "fish", "reptile", "insect"})


def kind_of(category: Category) -> str:
    """The kind of a category: ``"food"``, ``"furniture"``, ``"vehicle"``, … or ``"object"`` where unknown."""
    return _kind(names(category), hint(category), (category.synset or "").split(".")[0], category.definition or "")


@lru_cache(maxsize=65536)
def _kind(labels: tuple[str, ...], meant: str | None, lemma: str, definition: str) -> str:
    known = _by_noun(labels[0]) or _by_noun(lemma.replace("_", " "))
    meant_kind = _by_hint(meant or "")
    if meant_kind and not (meant_kind == "mammal" and known in ANIMALS):
        return meant_kind
    if known:
        return known
    defined = _by_definition(definition)
    if defined:
        return defined
    return next((kind for label in labels[1:] if (kind := _by_noun(label))), DEFAULT)


def _by_hint(meant: str) -> str | None:
    if meant in HINTS:
        return HINTS[meant]
    if meant.startswith(("for ", "on ")):
        return None
    return next((HINTS[word] for word in _words(meant) if word in HINTS), None)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _by_noun(label: str) -> str | None:
    """The kind of the longest known ending of a label: "hot dog" before "dog"; "lampposts" by "lamppost"."""
    words = re.findall(r"[a-z]+", label.lower())
    for start in range(len(words)):
        phrase = " ".join(words[start:])
        for form in (phrase, phrase.removesuffix("s"), phrase.removesuffix("es")):
            if form in NOUNS:
                return NOUNS[form]
    return None


def _by_definition(definition: str) -> str | None:
    """The kind of the first known word before the definition's first clause that explains a purpose."""
    clause = re.split(r";|\bused (?:to|for|in|by)\b|\bfor\b|\bof a\b|\bthat\b|\bwith\b|\bfrom\b", definition)[0]
    for text in (clause, definition):
        for word in _words(text):
            for form in (word, word.removesuffix("s"), word.removesuffix("es")):
                if form in DEFINING:
                    return DEFINING[form]
    return None
