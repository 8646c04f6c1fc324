"""What a name means: definitions as parts of sentences, and what tells a bow from a bow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from divergen_records import Category

from .data import word_lists
from .kinds import kind_of
from .naming import hint

__all__ = ["ambiguous_ids", "definition_clause", "gloss", "meaning_of"]

_PARENTHESES = re.compile(r"\s*\([^()]*\)")
_OPENING = re.compile(r"^(?:(?:usually|typically) )?any of (?:various|numerous|several)(?: kinds of)? ", re.IGNORECASE)
_SHOUTING = re.compile(r"\b[A-Z]{3,}(?: [A-Z]{2,})*\b")
_COLOUR = "black|white|red|green|yellow|blue|brown|orange|purple|pink|gr[ea]y|golden|silver"
_COLOURS = re.compile(rf"\b(?:{_COLOUR})(?:ish)?\b(?:(?:,| or| and| to|-and-) ?(?={_COLOUR}))?")
_OPENS_SINGULAR = re.compile(r"(?:an?|the|one) ", re.IGNORECASE)
_HOMONYMS = frozenset(word_lists("naming.toml")["homonyms"])

_KIND_PHRASES = {
    "mammal": "an animal", "bird": "a bird", "fish": "a sea animal", "reptile": "a reptile", "insect": "an insect",
    "produce": "a fruit or vegetable", "food": "something to eat", "drink": "something to drink", "plant": "a plant",
    "clothing": "a garment", "footwear": "footwear", "jewelry": "a piece of jewelry", "bag": "a bag", "toy": "a toy",
    "furniture": "a piece of furniture", "vehicle": "a vehicle", "boat": "a boat", "aircraft": "an aircraft",
    "instrument": "a musical instrument", "weapon": "a weapon", "tool": "a tool", "vessel": "a container",
    "electronics": "an electronic device", "appliance": "an appliance", "sport": "a piece of sports equipment",
}  # fmt: skip


def definition_clause(category: Category) -> str:
    """The whole definition as part of a sentence; empty where there is none."""
    return " ".join((category.definition or "").replace(";", ",").split()).strip(" .,")


def gloss(definition: str, *, words: int = 12) -> str:
    """A definition's first clause, fit for use within a sentence.

    Parentheses, quotes, capital letters for emphasis and openings such as "any of various" are left out.

    Args:
        definition: As in the dataset.
        words: The clause is cut at the last comma before this many words, or dropped if there is none.
    """
    text = _SHOUTING.sub(lambda found: found.group().lower() if len(found.group()) > 4 else found.group(), definition)
    text = _OPENING.sub("", _PARENTHESES.sub("", text)).replace("`", "").replace('"', "")
    text = " ".join(text.split(";")[0].split()).strip(" .,'")
    while len(text.split()) > words:
        head, comma, _ = text.rpartition(",")
        if not comma:
            return ""
        text = head.strip()
    return text


def meaning_of(category: Category) -> str:
    """What tells this sense from another: the definition's first clause, else the kind or the dataset's hint.

    A clause that speaks of many ("large birds of prey") would ask for many; colours in it would fight the prompt's.
    """
    clause = gloss(category.definition or "", words=10)
    if _COLOURS.search(clause):
        clause = re.split(r",? (?:with|having|in) ", clause, maxsplit=1)[0]
        clause = " ".join(_COLOURS.sub(" ", clause).split())
    if _OPENS_SINGULAR.match(clause):
        return clause
    return _KIND_PHRASES.get(kind_of(category)) or hint(category) or clause


def ambiguous_ids(categories: Sequence[Category]) -> frozenset[int]:
    """Ids of the categories whose label alone could mean something else.

    A label is ambiguous if the dataset says so in parentheses (``bow_(weapon)``), if two categories share it, if its
    synset is not the word's first sense (``crane.n.04``), or if it is a well-known homonym.
    """
    shared = Counter(category.label.lower() for category in categories)
    return frozenset(
        category.id
        for category in categories
        if hint(category)
        or shared[category.label.lower()] > 1
        or category.label.lower() in _HOMONYMS
        or _is_later_sense(category)
    )


def _is_later_sense(category: Category) -> bool:
    parts = (category.synset or "").rsplit(".", 2)
    is_later = len(parts) == 3 and parts[2].isdecimal() and int(parts[2]) > 1
    return is_later and parts[0].replace("_", " ").lower() == category.label.lower()
