"""Prompts out of whatever a language model answers: JSON, half a JSON, code fences, numbered lists, chatter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..attributes import KEYS
from .errors import Transient

__all__ = ["Candidate", "Completion", "read_completion", "read_prompts_of"]

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"```[\w-]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_OBJECT = re.compile(r"\{[^{}]*\}")
_TEXT_FIELD = re.compile(r'"(?:text|prompt)"\s*:\s*("(?:[^"\\]|\\.)*")')
_STRING = re.compile(r'(?<=[\[,\s])("(?:[^"\\]|\\.)*")(?=\s*[,\]])')
_LISTED = re.compile(r"^\s*(?:\(?\d{1,3}[.):\]]|[-*•])\s+(.+?)\s*$", re.MULTILINE)
_TEXT_KEYS = ("text", "prompt", "description", "caption")
_LEAST_WORDS = 3


@dataclass(frozen=True)
class Completion:
    """The text of a chat completion and what it used.

    Attributes:
        content: The model's answer.
        prompt_tokens: As reported; None if not.
        completion_tokens: As reported; None if not.
    """

    content: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True)
class Candidate:
    """A proposed prompt, not yet checked."""

    text: str
    attributes: dict[str, str] = field(default_factory=dict)


def read_completion(body: bytes) -> Completion:
    """The completion in the body of an HTTP answer.

    Raises:
        Transient: If it is none: a web page, half a JSON, an error in disguise, no choices.
    """
    try:
        content = json.loads(body)
    except ValueError as error:
        start = " ".join(body[:60].decode("utf-8", "replace").split())
        raise Transient(f"the answer is not JSON: {start!r}" if start else "the answer is empty") from error
    try:
        message = content["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        said = content.get("error") if isinstance(content, dict) else None
        raise Transient(f"the answer holds no completion{f': {said}' if said else ''}") from error
    if not isinstance(message, str) or not message.strip():
        raise Transient("the completion is empty")
    usage = content.get("usage") or {}
    return Completion(message, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def _count(usage: Any, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, dict) else None
    return value if isinstance(value, int) else None


def read_prompts_of(content: str) -> list[Candidate]:
    """The prompts in a model's answer; possibly none.

    Tried in this order: JSON (whole, in a code fence, or between chatter), the complete parts of a JSON that was cut
    off, a numbered or bulleted list, plain lines.
    """
    content = _THOUGHT.sub("", content)
    for reading in (_from_json, _from_half_json, _from_list, _from_lines):
        found = [Candidate(_tidy(item.text), item.attributes) for item in reading(content)]
        found = [item for item in found if len(item.text.split()) >= _LEAST_WORDS]
        if found:
            return found
    return []


def _from_json(content: str) -> Iterator[Candidate]:
    for text in _json_texts(content):
        try:
            yield from _walk(json.loads(text))
        except (ValueError, RecursionError):
            continue
        return


def _json_texts(content: str) -> Iterator[str]:
    yield content
    yield from _FENCE.findall(content)
    for opening, closing in ("[]", "{}"):
        start, stop = content.find(opening), content.rfind(closing)
        if 0 <= start < stop:
            yield content[start : stop + 1]


def _walk(value: Any) -> Iterator[Candidate]:
    if isinstance(value, str):
        yield Candidate(value)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)
    elif isinstance(value, dict):
        text = next((value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str)), None)
        if text is not None:
            yield Candidate(text, _attributes(value))
        else:
            for item in value.values():
                yield from _walk(item)


def _attributes(value: dict[str, Any]) -> dict[str, str]:
    nested = value.get("attributes")
    found = {**value, **nested} if isinstance(nested, dict) else value
    found = {"colour" if key == "color" else key: item for key, item in found.items()}
    return {key: found[key].strip() for key in KEYS if isinstance(found.get(key), str) and found[key].strip()}


def _from_half_json(content: str) -> Iterator[Candidate]:
    if "{" not in content and "[" not in content:
        return
    whole = [text for text in _OBJECT.findall(content) if any(f'"{key}"' in text for key in _TEXT_KEYS)]
    if whole:
        for text in whole:
            yield from _from_json(text)
        return
    for text in _TEXT_FIELD.findall(content) or _STRING.findall(content):
        yield from _from_json(text)


def _from_list(content: str) -> Iterator[Candidate]:
    return (Candidate(item) for item in _LISTED.findall(content))


def _from_lines(content: str) -> Iterator[Candidate]:
    if "<html" in content.lower() or content.lstrip().startswith(("{", "[")):
        return iter(())
    return (Candidate(line) for line in content.splitlines() if line.strip() and not line.rstrip().endswith(":"))


def _tidy(text: str) -> str:
    """One line, without the quotes, stars and full stop that models put around a prompt."""
    return " ".join(text.split()).strip(" \"'`*_“”„").rstrip(".").strip(" \"'`*_“”")
