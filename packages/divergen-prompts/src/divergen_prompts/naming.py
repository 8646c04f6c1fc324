"""Names as a person writes them: labels, articles, plurals and counted nouns.

The rules are ours, not inflect's, by measurement on the 1,818 names and synonyms of LVIS: all articles are the same,
and of the 186 plurals that differ, inflect has most wrong (``glassess``, ``eggss``, ``milks``, of names that are plural
or uncountable already); what it knew better is in the table below. It also takes two seconds to import.
"""

from __future__ import annotations

import re
from functools import lru_cache

from divergen_records import Category

from .data import word_lists

__all__ = ["counted", "hint", "names", "plural", "with_article"]

_VOWEL_SOUND = re.compile(
    r"(?:[aeio]|u(?!ni(?:c|f|t|v)|rin|te|su|kul)|hour|heir|honest|honor|8|11\b|18\b)", re.IGNORECASE
)
_CONSONANT_SOUND = re.compile(r"(?:eu|ewe|one\b|once|used|unique|useful|usb|ufo|ukulele)", re.IGNORECASE)

_WORDS = word_lists("naming.toml")
PAIRS, MASS = frozenset(_WORDS["pairs"]), frozenset(_WORDS["mass"])

_IRREGULAR = {
    "calf": "calves", "foot": "feet", "goose": "geese", "knife": "knives", "leaf": "leaves", "loaf": "loaves",
    "mouse": "mice", "person": "people", "scarf": "scarves", "shelf": "shelves", "tooth": "teeth", "wolf": "wolves",
    "die": "dice", "elf": "elves", "half": "halves", "man": "men", "woman": "women", "child": "children",
    "fish": "fish", "deer": "deer", "sheep": "sheep", "elk": "elk", "shrimp": "shrimp", "salmon": "salmon",
    "bison": "bison", "squid": "squid", "ox": "oxen", "octopus": "octopuses", "cactus": "cacti",
    "aircraft": "aircraft", "series": "series", "moose": "moose", "goldfish": "goldfish", "starfish": "starfish",
    "luggage": "luggage", "baggage": "baggage", "potato": "potatoes", "tomato": "tomatoes", "lens": "lenses",
    "rhinoceros": "rhinoceroses", "snowman": "snowmen", "strawman": "strawmen", "pocketknife": "pocketknives",
    "headscarf": "headscarves",
}  # fmt: skip


def with_article(phrase: str) -> str:
    """``"an apple"``, ``"a unicycle"``, ``"an hourglass"``: the article goes by sound."""
    vowel = _VOWEL_SOUND.match(phrase) and not _CONSONANT_SOUND.match(phrase)
    return f"{'an' if vowel else 'a'} {phrase}"


def plural(label: str) -> str:
    """``"mice"``, ``"boxes"``, ``"pairs of scissors"``; nouns without a plural stay."""
    words, _, last = label.rpartition(" ")
    start, low = f"{words} " if words else "", last.lower()
    if low in PAIRS:
        return f"pairs of {label}"
    if low in _IRREGULAR:
        return start + _IRREGULAR[low]
    if low in MASS or (low.endswith("s") and not low.endswith(("ss", "us", "is"))):
        return label
    if re.search(r"[^aeiou]y$", low):
        return f"{start}{last[:-1]}ies"
    return f"{start}{last}{'es' if re.search(r'(s|x|z|ch|sh)$', low) else 's'}"


@lru_cache(maxsize=65536)
def counted(label: str, kind: str = "object") -> str:
    """A countable form: ``"pair of scissors"``, ``"portion of rice"``; other labels stay.

    Args:
        label: The name, for example ``"olive oil"``.
        kind: The category's kind (`divergen_prompts.kind_of`): food comes in portions, other matter in pieces.
    """
    last = label.lower().rpartition(" ")[2]
    if last in PAIRS:
        return f"pair of {label}"
    if last == "jean":
        return f"pair of {label}s"
    if last in MASS:
        return f"{_PORTIONS.get(kind, 'piece')} of {label}"
    return label


_PORTIONS = {"food": "portion", "produce": "portion", "drink": "serving", "cleaning": "portion", "plant": "stalk"}


def names(category: Category) -> tuple[str, ...]:
    """The label and the synonyms as a person writes them, without repeats, the label first."""
    written = [category.label, *(_written(synonym) for synonym in category.synonyms)]
    return tuple(dict.fromkeys(name for name in written if name))


def _written(name: str) -> str:
    return re.split(r"[_ ]\(", name, maxsplit=1)[0].replace("_", " ").strip()


def hint(category: Category) -> str | None:
    """What stands in parentheses in the name: ``"weapon"`` for ``"bow_(weapon)"``."""
    found = re.search(r"[_ ]\((.+)\)", category.name)
    return found.group(1).replace("_", " ") if found else None
