"""Prompts out of whatever a language model answers: JSON, half a JSON, fences, lists, tables, chatter, thoughts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..attributes import KEYS
from .grids import tables
from .markup import listed, plain, tidy, without_tags
from .structured import cut_at, values
from .thoughts import without_thoughts

__all__ = ["Candidate", "read_prompts_of"]

_TEXT_KEYS = (
    "text",
    "prompt",
    "imageprompt",
    "prompttext",
    "description",
    "caption",
    "sentence",
    "content",
    "positive",
    "positiveprompt",
    "value",
)
_TEXT_ENDS = ("prompt", "description", "caption")
_NO_PROMPTS = re.compile(
    r"reason|thought|think|analysis|(?<![a-z])notes?(?![a-z])|explan|comment|negative|draft|reject|discard|example|wrong"
    r"|(?<![a-z])plan(?:s|ning)?(?![a-z])|summary|intro|rationale|justif|metadata|rules?\b|instruct|guideline|constraint|requirement|\berror"
)
_REVISED = re.compile(
    r"^(?:[^\n]{0,200}[.!?,:—-][ ]+)?\W{0,6}(?:the |my |here (?:is|are) (?:the |my )?)?(?:revised|corrected|improved"
    r"|updated|refined|rewritten|fixed)(?::| (?:answer|output|response|result|version|list|json|prompt|set)s?:?)\W*$"
    r"|^(?:[^\n]{0,200}[.!?,] )?(?:let me|i'll|i will|i should|let's) (?:fix|correct|revise|rewrite|redo|improve"
    r"|try again)\b[^\n]{0,60}$",
    re.IGNORECASE | re.MULTILINE,
)
"""Where a model takes back what it wrote, and writes it anew."""
_MOST_REVISIONS = 3
_LABELS = re.compile(r"title|categor")
_NOTHING = frozenset(
    "null none nil n/a na nan undefined unspecified unknown any default - -- — – . ? empty false not_applicable".split()  # noqa: SIM905
) | {"", "not applicable", "not specified", "not used", "no value", "(none)"}
_SCHEMA_TYPES = ("string", "array", "number", "integer", "boolean")
_LEAST_WORDS = 3


@dataclass(frozen=True)
class Candidate:
    """A proposed prompt, not yet checked."""

    text: str
    attributes: dict[str, str] = field(default_factory=dict)


def read_prompts_of(content: str) -> list[Candidate]:
    """The prompts in a model's answer; possibly none.

    What the model thought is taken out. Then are tried, in this order: JSON (whole, in a code fence, between chatter,
    the complete parts of one that was cut off, Python's or any other near JSON), a table, a list, plain lines.
    """
    content = plain(without_thoughts(content))
    found = _read(content)
    for mark in list(_REVISED.finditer(content))[-_MOST_REVISIONS:]:
        revised = _read(content[mark.end() :])
        found = revised if 2 * len(revised) >= len(found) else found  # else it speaks of what comes to nothing
    return found


def _read(content: str) -> list[Candidate]:
    for reading in (_from_values, _from_tables, _from_lines):
        found = [Candidate(tidy(item.text), item.attributes) for item in reading(content)]
        found = list(filter(_is_long, found))
        if found:
            return found
    return []


def _from_values(content: str) -> list[Candidate]:
    for found in values(content):
        candidates = [candidate for value in found for candidate in _walk(value) if _is_long(candidate)]
        if candidates and cut_at(content, candidates[-1].text):
            candidates.pop()
        if candidates:
            return candidates
    return []


def _walk(value: Any) -> Iterator[Candidate]:
    if isinstance(value, str):
        yield from _of_text(value)
    elif isinstance(value, (list, tuple, set)):
        for item in _unwrapped(list(value)):
            yield from _walk(item)
    elif isinstance(value, dict):
        yield from _of_object(value)


def _unwrapped(items: list[Any]) -> list[Any]:
    """The items of a list; texts that all begin alike are one line each, where no line below begins so."""
    texts = [item for item in items if isinstance(item, str)]
    begins = {_begin(text) for text in texts}
    below = [line for text in texts for line in text.strip().splitlines()[1:]]
    if len(texts) < 2 or len(begins) > 1 or any(_begin(line) in begins for line in below):
        return items
    return [" ".join(item.split()) if isinstance(item, str) else item for item in items]


def _begin(text: str) -> tuple[str, ...]:
    return tuple(text.lower().split()[:2])


def _of_text(text: str) -> Iterator[Candidate]:
    """A text is a prompt, unless it holds JSON itself, or a list."""
    if text.lstrip().startswith(("{", "[")):
        yield from (found for value in next(values(text), []) if not isinstance(value, str) for found in _walk(value))
    elif "\n" in text.strip() or "\\n" in text:
        text = text.replace("\\n", "\n")  # escaped twice
        yield from (Candidate(line) for line in listed(without_tags(text), _LEAST_WORDS))
    else:
        yield Candidate(text)


def _of_object(value: dict[Any, Any]) -> Iterator[Candidate]:
    """The prompt of an object that has one, or those in its parts; what a JSON schema describes is none."""
    filled = value.get("properties")
    if isinstance(filled, dict) and not any(isinstance(one, dict) for one in filled.values()):
        value = filled  # a schema, with what it asks for in its place
    if value.get("type") in _SCHEMA_TYPES or "properties" in value:
        value = {key: item for key, item in value.items() if key not in ("description", "properties", "items")}
    names = {key: re.sub(r"[^a-z]", "", str(key).lower()) for key in value}
    lists = [item for key, item in value.items() if "prompts" in names[key] and not _NO_PROMPTS.search(names[key])]
    if whole := [one for item in lists if not isinstance(item, str) for one in _walk(item) if _is_long(one)]:
        yield from whole  # and nothing of what is said beside them
        return
    numbered = [item for key, item in value.items() if names[key] in _TEXT_KEYS and re.search(r"\d", str(key))]
    if len(numbered) > 1:  # prompt_1, prompt_2
        yield from (found for item in numbered for found in _walk(item))
        return
    named = {names[key]: item for key, item in value.items()}
    ends = [key for key in named if key.endswith(_TEXT_ENDS) and not _NO_PROMPTS.search(key)]  # final_prompt
    text = next((named[key] for key in (*_TEXT_KEYS, *ends) if isinstance(named.get(key), str)), None)
    if text is not None:
        attributes = _attributes(value)
        yield from (replace(found, attributes=attributes) for found in _of_text(text))
        return
    parts = [item for key, item in value.items() if not _is_beside(str(key).lower(), item)]
    nested = [found for item in parts if not isinstance(item, str) for found in _walk(item)]
    found = nested or [found for item in parts for found in _walk(item)]
    yield from found if any(map(_is_long, found)) else (*_keyed(value), *found)


def _is_beside(key: str, item: Any) -> bool:
    """Whether a part of an object holds no prompts; what lies under a category may."""
    return bool(_NO_PROMPTS.search(key) or (isinstance(item, str) and _LABELS.search(key)))


def _is_long(candidate: Candidate) -> bool:
    return len(candidate.text.split()) >= _LEAST_WORDS


def _keyed(value: dict[Any, Any]) -> Iterator[Candidate]:
    """The prompts that are the keys of an object, each with its attributes."""
    for key, about in value.items():
        if len(str(key).split()) > _LEAST_WORDS and not isinstance(about, list):
            yield Candidate(str(key), _attributes(about) if isinstance(about, dict) else {})


def _attributes(value: dict[Any, Any]) -> dict[str, str]:
    """The attributes that a prompt is said to have; what stands for nothing is left out."""
    nested = value.get("attributes")
    found = {**value, **nested} if isinstance(nested, dict) else value
    named = {str(key).strip().lower(): item for key, item in found.items()}
    named = {"colour" if key == "color" else key: item for key, item in named.items()}
    texts = {key: tidy(named[key]) for key in KEYS if isinstance(named.get(key), str)}
    return {key: text for key, text in texts.items() if text.lower() not in _NOTHING}


def _from_tables(content: str) -> Iterator[Candidate]:
    return (Candidate(row["text"], _attributes(row)) for row in tables(content))


def _from_lines(content: str) -> Iterable[Candidate]:
    if "<html" in content.lower() or re.match(r"\s*(?!\[\[?\w+\]\]?\s*\n)(?:\{|\[\s*[\[{\"'“”„‘’«「『])", content):
        return ()
    return [Candidate(line) for line in listed(without_tags(content), _LEAST_WORDS)]
