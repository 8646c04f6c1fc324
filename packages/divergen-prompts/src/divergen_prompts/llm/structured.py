"""Values out of text that holds JSON, more or less: in fences, in chatter, one a line, cut off, in Python's words."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["cut_at", "values"]

_FENCE = re.compile(r"(?:```|~~~)[\w-]*\s*\n?(.*?)(?:```|~~~|\Z)", re.DOTALL)
_ESCAPED = re.compile(r"[\[{]\s*\\\"")
_UNESCAPED = re.compile(r"[\[{:,]\s*\"")
_OPENING = re.compile(r"[\[{]")
_STRAIGHT = str.maketrans("“”„‟″", '"' * 5)
_MOST_TRIES = 300
"""Brackets that may open nothing, before a text is no JSON."""
_LONGEST_REPAIR = 200_000


def values(content: str) -> Iterator[list[Any]]:
    """The values in a text, one reading after the other, the strictest first; each may be empty."""
    content = content.replace('\\"', '"') if _ESCAPED.search(content) and not _UNESCAPED.search(content) else content
    yield _parsed([content])
    yield _parsed(_FENCE.findall(content))
    yield _whole(content)
    start = _start(content)
    if start is not None:
        text = content[start : max(content.rfind("]"), content.rfind("}")) + 1]
        yield from _literal(text)
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
    distinct = {
        key: [one for place, one in enumerate(values) if one not in values[:place]] for key, values in found.items()
    }
    return {key: values if len(values) > 1 else values[0] for key, values in distinct.items()}


def _start(content: str) -> int | None:
    """Where a list or an object seems to begin; a word in brackets is none."""
    found = re.search(r"[\[{]\s*[\"'“‘{\[\w]", content)
    return found.start() if found else None


def _whole(content: str) -> list[Any]:
    """Every complete value in a text, in its order; parts of one that is not complete count."""
    decoder, found, place, tries = json.JSONDecoder(object_pairs_hook=_object), [], 0, 0
    while tries < _MOST_TRIES and (opening := _OPENING.search(content, place)):
        try:
            value, place = decoder.raw_decode(content, opening.start())
        except ValueError:
            place, tries = opening.start() + 1, tries + 1
        except RecursionError:
            break
        else:
            found.append(value)
    return found


def _literal(text: str) -> Iterator[list[Any]]:
    """A Python list or dictionary."""
    try:
        yield [ast.literal_eval(text)]
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return


def _repaired(text: str) -> Iterator[list[Any]]:
    """What a library for broken JSON makes of it: single and curly quotes, trailing commas, a missing end."""
    if len(text) > _LONGEST_REPAIR:
        return
    from json_repair import repair_json

    try:
        yield [repair_json(text, return_objects=True)]
    except (RecursionError, ValueError):
        return
