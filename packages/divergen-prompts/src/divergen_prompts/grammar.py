"""The attribute grammar: prompts that vary what fits the category, without any language model.

Each prompt draws some attributes, a name and a sentence form. Words of an attribute are dealt like cards: every word of
the profile comes once, in an order of its own per category, before any comes again, so that few prompts already cover
the words. All randomness comes from the seed and the category's content; a category's prompts depend neither on its
neighbours nor on how many are asked for: the first 32 of 128 are the 32.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Generic, TypeVar

from divergen_records import Category, ConfigError, PromptRecord, derive_seed

from .attributes import PROFILES
from .categories import check_categories
from .checks import Seen
from .kinds import kind_of
from .meanings import ambiguous_ids, definition_clause, meaning_of
from .naming import counted, names, plural

__all__ = ["BACKGROUND", "VERSION", "grammar_prompts"]

T = TypeVar("T")

VERSION = "grammar/1"
"""Goes into `PromptRecord.model`; it changes when equal seeds would give other prompts."""

BACKGROUND = "in a white background"
"""The closing clause of DiverGen (section 3.3); it lets the background be told from the object."""

_FORMS: tuple[tuple[str, ...], ...] = (
    ("style", "colour"),
    ("style", "colour", "view"),
    ("style", "condition", "colour", "pose"),
    ("style", "size", "material"),
    ("style", "colour", "pattern", "view"),
    ("style", "size", "colour", "material"),
    ("style", "condition", "material", "view"),
    ("style", "size", "condition", "pose"),
    ("style", "colour", "material", "pose", "view"),
    ("style", "condition", "pattern", "material"),
    ("style", "size", "condition", "colour", "view"),
    ("style", "size", "pattern", "pose"),
    ("style", "pattern", "pose", "view"),
    ("style", "condition", "colour", "material", "pose"),
    ("style", "size", "colour", "pattern", "material", "view"),
    ("style", "size", "condition", "colour", "material", "pose", "view"),
    ("style", "definition", "view"),
    ("style", "condition", "definition", "pose"),
)
"""Which attributes a prompt has; dealt like the words. A definition may speak of colours: it stands without."""

_COUNTS = ("a single", "one", "a lone", "just one", "exactly one")
_FRAMES = ("{style} of {object}", "{style} of {object}", "{style} showing {object}", "{object}, {style}")
"""Sentences; the background follows."""

_BEFORE = ("size", "condition", "colour", "pattern", "material")
_TRIES = 64
"""Draws in a row without a new prompt after which a category counts as exhausted."""


def grammar_prompts(
    categories: Sequence[Category],
    *,
    per_category: int = 128,
    seed: int = 0,
    background: str = BACKGROUND,
    attributes: Sequence[str] | None = None,
    styles: Sequence[str] | None = None,
) -> Iterator[PromptRecord]:
    """Different prompts for each category, each with exactly one object of it.

    Args:
        categories: The categories.
        per_category: Prompts per category; fewer come where the attributes give no more.
        seed: Another seed gives other prompts.
        background: The closing clause; empty for none.
        attributes: Only these attribute keys (of `divergen_prompts.attributes.KEYS`); None for all.
        styles: How the picture is made, in words that open a sentence, such as "a softly lit photo"; None for
            `divergen_prompts.attributes.STYLES`, of which twelve in twenty are photos.

    Raises:
        ConfigError: If a number or an attribute key is wrong.
        DatasetError: For categories that cannot be prompted: duplicate ids, empty names.
    """
    if per_category < 1:
        raise ConfigError(f"per_category is {per_category}; it must be at least 1")
    keys = _chosen_keys(attributes)
    if styles is not None and not (styles and all(style.strip() for style in styles)):
        raise ConfigError("styles: give at least one, and none that is empty")
    if styles is not None and "style" not in keys:
        raise ConfigError(f"styles: style is not among the attributes that vary, {', '.join(sorted(keys))}")
    check_categories(categories)
    ambiguous = ambiguous_ids(categories)
    return (
        prompt
        for category in categories
        for prompt in _Grammar(category, seed, background, keys, category.id in ambiguous, styles).prompts(per_category)
    )


def _chosen_keys(attributes: Sequence[str] | None) -> frozenset[str]:
    known = frozenset(key for profile in PROFILES.values() for key in profile)
    unknown = sorted(set(attributes or ()) - known)
    if unknown:
        raise ConfigError(f"attribute {unknown[0]!r} is unknown. Known: {', '.join(sorted(known))}")
    return known if attributes is None else frozenset(attributes)


class _Deck(Generic[T]):
    """Deals items in a random order, each once before any again."""

    def __init__(self, items: Sequence[T], seed: int) -> None:
        self._items, self._random = items, Random(seed)
        self._left: list[T] = []

    def draw(self) -> T:
        if not self._left:
            self._left = self._random.sample(self._items, len(self._items))
        return self._left.pop()


class _Grammar:
    """The prompts of one category."""

    def __init__(
        self,
        category: Category,
        seed: int,
        background: str,
        keys: frozenset[str],
        ambiguous: bool,
        styles: Sequence[str] | None,
    ) -> None:
        self.category, self.background = category, background.strip().lstrip(",").strip()
        self.kind = kind_of(category)
        self.meaning = meaning_of(category) if ambiguous else ""
        profile = {key: words for key, words in PROFILES[self.kind].items() if key in keys}
        if styles is not None:
            profile["style"] = tuple(style.strip() for style in styles)
        identity = (seed, category.id, category.name, category.synonyms, category.synset, category.definition)

        def deck(name: str, items: Sequence[T]) -> _Deck[T]:
            return _Deck(items, derive_seed("grammar", *identity, name))

        self.decks = {key: deck(key, words) for key, words in profile.items()}
        self.forms = deck("forms", _FORMS)
        self.counts, self.frames = deck("counts", _COUNTS), deck("frames", _FRAMES)
        self.names = deck("names", _usable_names(category))

    def prompts(self, count: int) -> Iterator[PromptRecord]:
        """``count`` different prompts, or as many as there are."""
        seen = Seen()
        made = misses = 0
        while made < count and misses < _TRIES:
            form = self.forms.draw()
            attributes = {key: self.decks[key].draw() for key in form if key in self.decks}
            text = self._sentence(attributes, self.names.draw(), defined="definition" in form)
            if seen(text):
                misses += 1
                continue
            misses = 0
            made += 1
            seen.add(text)
            yield self._record(text, attributes)

    def _record(self, text: str, attributes: dict[str, str]) -> PromptRecord:
        if self.background:
            attributes = attributes | {"background": self.background}
        return PromptRecord(
            text=text,
            category_id=self.category.id,
            category=self.category.name,
            source="grammar",
            model=VERSION,
            attributes=attributes,
        )

    def _sentence(self, attributes: dict[str, str], name: str, *, defined: bool) -> str:
        said = set(name.lower().split())
        before = [word for key in _BEFORE if (word := attributes.get(key)) and word.lower() not in said]
        noun = " ".join([*before, counted(name, self.kind)])
        meaning = definition_clause(self.category) if defined else self.meaning
        details = [meaning, attributes.get("pose"), attributes.get("view")]
        described = ", ".join([f"{self.counts.draw()} {noun}", *(detail for detail in details if detail)])
        style, frame = attributes.get("style"), self.frames.draw()
        text = frame.format(style=style, object=described) if style else described
        return f"{text}, {self.background}" if self.background else text


def _usable_names(category: Category) -> list[str]:
    """The label, twice as often as each synonym; plural, long and odd synonyms are left out."""
    label, *synonyms = names(category)
    plurals = {plural(name) for name in (label, *synonyms)}
    usable = [name for name in synonyms if name not in plurals and len(name.split()) <= 4 and _PLAIN.fullmatch(name)]
    return [label, label, *usable]


_PLAIN = re.compile(r"[\w '-]+")
