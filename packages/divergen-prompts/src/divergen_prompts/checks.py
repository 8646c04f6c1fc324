"""What is wrong with a prompt: none at all, two objects, no category, too long, banned, not English, said before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from divergen_records import Category, PromptRecord

from .data import word_lists
from .meanings import definition_clause, gloss, meaning_of
from .naming import counted, names, plural
from .ngrams import words
from .tokens import CLIP_TOKENS, EstimatedTokens, TokenCounter

__all__ = ["Checker", "Seen", "check_prompts"]

_LISTS = word_lists("checks.toml")
_SEVERAL = "|".join(map(re.escape, _LISTS["several"]))
_JOINED = re.compile(rf"\b(?:{'|'.join(map(re.escape, _LISTS['joining']))}) ((?:[\w'-]+ ?){{1,5}})")
_SPEAKING = re.compile(rf"\W*(?:{'|'.join(map(re.escape, _LISTS['speaking']))})(?![\w'])")
_TASK = re.compile(rf"\b(?:{'|'.join(map(re.escape, _LISTS['task']))})\b")
_MARKUP = re.compile(
    r"\|.*\||^\s*\||\|\s*$|[{}]|\[[a-z][a-z _-]*\]|<[a-z]|`[^`]*`|\*\*|</?\w+/?>|https?://|\\n|&\w+;"
    r"|^[^\w\s\"'(]+|^[\dIVX][\dIVX.]*\s+(?i:an?|the)\s|\w[(=][\"']",
    re.DOTALL,
)
_GROUND = re.compile(r"\b(?:in|on|against|with) (?:an? |the )?(?:[a-z]+ )?white background\b", re.IGNORECASE)
"""A clause that a model copies into a text of any language."""
_ENGLISH, _FOREIGN = frozenset(_LISTS["english"]), frozenset(_LISTS["foreign"])
_SMALL = frozenset(_LISTS["small"])
_FOREIGN_LETTERS = 0.15
"""Share of letters beyond ASCII above which a text is not English; a "café" in it is."""
_BETWEEN = 4
"""Words that may stand between "several" and the category's name."""


class Checker:
    """Checks single prompts.

    Args:
        categories: All categories of the dataset: a second object is known by its name. May be empty.
        max_tokens: Length limit in tokens.
        counter: Counts tokens; None for an estimate.
        banned: Words that no prompt may hold, besides the built-in ones.
        background: A text that every prompt must hold, for example ``"white background"``; None for no such rule.
    """

    def __init__(
        self,
        categories: Sequence[Category] = (),
        *,
        max_tokens: int = CLIP_TOKENS,
        counter: TokenCounter | None = None,
        banned: Iterable[str] = (),
        background: str | None = None,
    ) -> None:
        self.max_tokens, self.background = max_tokens, background
        self.counter = counter or EstimatedTokens()
        self._banned = _any_of({_plain(word) for word in (*_LISTS["banned"], *banned)} - {""})
        self._labels = frozenset(_plain(name) for category in categories for name in names(category))
        self._subjects: dict[tuple[int, str], _Subject] = {}

    def __call__(self, text: str, category: Category) -> list[str]:
        """What is wrong, one clear phrase each; empty if the prompt is good."""
        if not words(text):
            return ["empty"]
        subject = self._subjects.get((category.id, category.name))
        if subject is None:
            subject = self._subjects[category.id, category.name] = _Subject(category)
        plain = _plain(text)
        asked = subject.without_meaning(plain)
        problems = [
            _no_prompt(text, asked),
            self._language(text),
            None if subject.named.search(plain) else f"does not name the category ({category.label})",
            self._objects(asked, subject),
            self._length(text),
            self._words(asked),
            self._ending(text),
        ]
        return [problem for problem in problems if problem]

    def _language(self, text: str) -> str | None:
        if not text.isascii():
            letters = [letter for letter in text if letter.isalpha()]
            if sum(not letter.isascii() for letter in letters) > _FOREIGN_LETTERS * len(letters):
                return "not English"
        found = words(_GROUND.sub("", text))
        foreign = sum(word in _FOREIGN for word in found)
        return "not English" if foreign >= 2 and foreign > sum(word in _ENGLISH for word in found) else None

    def _objects(self, plain: str, subject: _Subject) -> str | None:
        found = subject.several.search(plain)
        if found:
            return f"more than one object ({found.group().strip()!r})"
        for joined in _JOINED.finditer(plain):
            other = self._known_object(joined.group(1).split(), subject.names)
            if other:
                return f"more than one object (also {other!r})"
        return None

    def _known_object(self, following: Sequence[str], own: frozenset[str]) -> str | None:
        for start in range(len(following)):
            for stop in range(len(following), start, -1):
                phrase = " ".join(following[start:stop])
                if phrase in self._labels and phrase not in own:
                    return phrase
        return None

    def _length(self, text: str) -> str | None:
        tokens = self.counter(text)
        return f"too long ({tokens} tokens, at most {self.max_tokens})" if tokens > self.max_tokens else None

    def _words(self, plain: str) -> str | None:
        found = self._banned.search(plain)
        return f"banned word ({found.group()!r})" if found else None

    def _ending(self, text: str) -> str | None:
        if self.background is None:
            return None
        asked = " ".join(text.lower().split()).count(self.background.lower())
        if asked > 1:
            return f"several prompts in one ({self.background!r} {asked} times)"
        return None if asked else f"does not ask for {self.background!r}"


def _no_prompt(text: str, plain: str) -> str | None:
    """Why a text is no prompt at all: markup, a question, or something said to the reader."""
    markup = _MARKUP.search(text)
    if markup:
        return f"holds markup ({markup.group()[:20]!r})"
    said = _SPEAKING.match(plain) or _TASK.search(plain)
    if said:
        return f"speaks of the task ({said.group().strip()!r})"
    return "is a question or a heading" if text.rstrip()[-1:] in ("?", ":") else None


def _plain(text: str) -> str:
    """Lower case, hyphens and underscores as spaces, one space between words; punctuation stays."""
    return " ".join(re.sub(r"[-_]", " ", text.lower()).split())


class _Subject:
    """What the rules need to know of a category.

    Attributes:
        names: Its names, plain.
        named: Finds one of them, or its plural.
        several: Finds "three ripe bananas", "bananas", "a group of banana"; but neither "a pair of scissors" nor
            "a stack of hay".
    """

    def __init__(self, category: Category) -> None:
        self.names = frozenset(_plain(name) for name in names(category))
        forms = {form for name in self.names for form in (name, plural(name), name.removesuffix("s"), name + "s")}
        self.named = _any_of(forms)
        countable = [name for name in self.names if counted(name) == name and plural(name) != name]
        plurals = _alternatives(plural(name) for name in countable if plural(name) not in self.names)
        between = rf"(?:[\w']+ ){{0,{_BETWEEN}}}?"
        self.several = re.compile(
            rf"(?<!\w)(?:(?:{_SEVERAL}) (?:of )?{between}(?:{plurals})"
            rf"|(?:{_SEVERAL}) of (?:{_alternatives(self.names)})|(?:{plurals}))(?!\w)"
        )
        quoted = (definition_clause(category), gloss(category.definition or ""), meaning_of(category))
        self._quoted = [_plain(text) for text in quoted if text]

    def without_meaning(self, plain: str) -> str:
        """A definition in the prompt may speak of other things ("a container with a lid"): it asks for none."""
        for quoted in self._quoted:
            plain = plain.replace(quoted, "")
        return plain


def _alternatives(phrases: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, phrases), key=len, reverse=True)) or "(?!)"


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    r"""Finds whole ones. They may begin or end with a sign ("A+"), where ``\b`` would ask for a letter beside it."""
    return re.compile(rf"(?<!\w)(?:{_alternatives(phrases)})(?!\w)")


class Seen:
    """The accepted prompts of a category, to tell what was said before.

    Args:
        near: Also refuse the same set of words in another order, whatever small words join them.
    """

    def __init__(self, *, near: bool = True) -> None:
        self.near = near
        self._exact: set[str] = set()
        self._sets: set[frozenset[str]] = set()

    def __call__(self, text: str) -> str | None:
        """What the text repeats, or None."""
        found = words(text)
        if " ".join(found) in self._exact:
            return "duplicate"
        return "near duplicate (the same words)" if self.near and frozenset(found) - _SMALL in self._sets else None

    def add(self, text: str) -> None:
        """Remember an accepted prompt."""
        found = words(text)
        self._exact.add(" ".join(found))
        self._sets.add(frozenset(found) - _SMALL)


def check_prompts(
    prompts: Iterable[PromptRecord], categories: Sequence[Category] = (), *, checker: Checker | None = None
) -> Iterator[tuple[PromptRecord, list[str]]]:
    """Each prompt with what is wrong with it.

    Args:
        prompts: The prompts.
        categories: Their categories, for synonyms, definitions and other objects; a category that is not among them is
            known by the record's name alone.
        checker: The rules; None for the defaults over ``categories``.
    """
    rules = checker or Checker(categories)
    known = {category.id: category for category in categories}
    seen: dict[int, Seen] = {}
    for prompt in prompts:
        category = known.get(prompt.category_id) or Category(id=prompt.category_id, name=prompt.category)
        earlier = seen.setdefault(category.id, Seen())
        repeated = earlier(prompt.text)
        earlier.add(prompt.text)
        yield prompt, [*rules(prompt.text, category), *([repeated] if repeated else [])]
