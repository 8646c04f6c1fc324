"""Values out of text that holds JSON, more or less: in fences, in chatter, one a line, cut off, in Python's words."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

__all__ = ["cut_at", "values"]

_FENCE = re.compile(r"(?:```|~~~)[\w-]*\s*\n?(.*?)(?:```|~~~|\Z)", re.DOTALL)
_ESCAPED = re.compile(r"[\[{]\s*\\\"")
_UNESCAPED = re.compile(r"[\[{:,]\s*\"")
_OPENING = re.compile(r"[\[{]")
_SINGLE = re.compile(r"'(?=\s*[\]},:])|(?<=[\[{,:])\s*'")
"""A single quote that begins or ends a text, and is no apostrophe in it."""
_WITHIN = re.compile(r'(?<=[^\s\[{,:"\\])(\s*)"(?!\s*(?:[,:}\]"]|\Z))')
"""A double quote in the midst of a text, of inches or around a word, that is not escaped."""
_STRAIGHT = str.maketrans("“”„‟″«»「」『』", '"' * 11)
_SIDE_BY_SIDE = re.compile(r"[\"'][ \t]*\n\s*[\"']|[\"']\s+[\"'](?=\w)")
"""Texts without a comma between them, which Python makes one of."""
_MOST_TRIES = 300
"""Brackets that may open nothing, before a text is no JSON."""
_LETTERS_A_TRY = 10_000
"""Of a value that breaks off later than that, each so many count as a further try."""
_LONGEST_REPAIR = 200_000
_DEEPEST_REPAIR = 30
"""Brackets that are open at once, in a text that is worth a repair."""


def values(content: str) -> Iterator[list[Any]]:
    """The values in a text, one reading after the other, the strictest first; each may be empty."""
    content = content.replace('\\"', '"') if _ESCAPED.search(content) and not _UNESCAPED.search(content) else content
    yield _parsed([content])
    yield _parsed(_FENCE.findall(content))
    start = _start(content)
    text = "" if start is None else content[start : max(content.rfind("]"), content.rfind("}")) + 1]
    yield _parsed([_WITHIN.sub(r'\1\\"', text)])
    yield _whole(content)
    if start is not None:
        yield from _literal(text)
        content = content if '"' in content else _SINGLE.sub('"', content)
        straight = content[start:].translate(_STRAIGHT)
        yield from _repaired(straight if straight.count('"') > 2 * content.count('"') else content[start:])


def cut_at(content: str, text: str) -> bool:
    """Whether an answer breaks off in the midst of a text, which then is no whole one."""
    end = content.rstrip().rstrip("`").rstrip()
    return bool(text) and end.endswith(text.strip()) and end[-1:] not in "\"'”’»}])"


def _parsed(texts: Iterable[str]) -> list[Any]:
    """The values of those texts that are JSON."""
    found = []
    for text in texts:
        try:
            found.append(json.loads(text, object_pairs_hook=_object))
        except (ValueError, RecursionError):
            continue
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; what comes several times under one key is a list of it all."""
    found: dict[str, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else _distinct(values) for key, values in found.items()}


def _distinct(values: list[Any]) -> Any:
    """What is said under one key several times: all of it, or the one thing that it is."""
    distinct = list({repr(value): value for value in values}.values())
    return distinct if len(distinct) > 1 else distinct[0]


def _start(content: str) -> int | None:
    """Where a list or an object seems to begin; words in square brackets are none."""
    found = re.search(r"\[\s*[\"'“‘„«「『{\[]|\{\s*[\"'“‘„«「『{\[\w]", content)
    return found.start() if found else None


def _whole(content: str) -> list[Any]:
    """Every complete value in a text, in its order; parts of one that is not complete count."""
    decoder, found, place, tries = json.JSONDecoder(object_pairs_hook=_object), [], 0, 0
    while tries < _MOST_TRIES and (opening := _OPENING.search(content, place)):
        try:
            value, place = decoder.raw_decode(content, opening.start())
        except ValueError as error:
            broken = getattr(error, "pos", opening.start())
            place, tries = opening.start() + 1, tries + 1 + (broken - opening.start()) // _LETTERS_A_TRY
        except RecursionError:
            break
        else:
            found.append(value)
    return found


def _literal(text: str) -> Iterator[list[Any]]:
    """A Python list or dictionary."""
    if _SIDE_BY_SIDE.search(text):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of what is no Python, or nearly
            warnings.simplefilter("ignore", DeprecationWarning)
            found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return
    yield [found]


def _repaired(text: str) -> Iterator[list[Any]]:
    """What a library for broken JSON makes of it: single and curly quotes, trailing commas, a missing end."""
    if len(text) > _LONGEST_REPAIR or _depth(text) > _DEEPEST_REPAIR:
        return
    from json_repair import repair_json

    try:
        yield [repair_json(text, return_objects=True)]
    except (RecursionError, ValueError):
        return


def _depth(text: str) -> int:
    """Most brackets that are open at once, in texts or not."""
    steps = (1 if mark in "[{" else -1 for mark in re.findall(r"[\[{\]}]", text))
    return max(accumulate(steps), default=0)
