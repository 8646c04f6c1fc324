"""What the language model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from divergen_records import Category, derive_seed, short_hash
from divergen_records.endpoint import Option, Query, chat

from ..attributes import KEYS, PROFILES
from ..kinds import kind_of
from ..meanings import definition_clause
from ..naming import names
from .settings import LlmSettings

__all__ = ["Request", "build_request"]

_RULES = """\
You write prompts for a text-to-image model. The pictures become training data for object detection, so each prompt \
asks for exactly one object.
Rules for every prompt:
1. Exactly one object: {name}. No second object, no person, no group, no scene.
2. It names the object: {names}.
3. Prompts differ as much as they can: vary colour, material, pattern, shape, size, age, condition, pose, view, style.
4. {ending}
5. At most {words} words, plain English, no line breaks.
Answer with JSON only: {{"prompts": [{{"text": "…", "colour": "…", "material": "…", "pattern": "…", "pose": "…", \
"view": "…", "style": "…", "size": "…", "condition": "…"}}]}}. Leave out attributes that a prompt does not use."""

_SAID = 60
"""Accepted prompts that are quoted as "do not repeat": the latest. Older ones are refused when they come back."""
_IDEAS = 4


def _schema() -> dict[str, Any]:
    fields = {key: {"type": ["string", "null"]} for key in KEYS}
    item = {
        "type": "object",
        "properties": {"text": {"type": "string"}, **fields},
        "required": ["text", *KEYS],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"prompts": {"type": "array", "items": item}},
        "required": ["prompts"],
        "additionalProperties": False,
    }


_STRUCTURED = Option(
    "structured output",
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "prompts", "strict": True, "schema": _schema()},
            }
        },
        {"response_format": {"type": "json_object"}},
        {},
    ),
    words=("json_schema", "json_object", "structured output", "structured_output", "grammar", "guided"),
)
"""How structured output is asked for, the strictest first; an endpoint that refuses one is asked by the next."""

_ROOM = 4
"""Times the tokens of the prompts that an answer may have at first: some models reason before they answer."""
_LEAST_ROOM, _MOST_ROOM = 2048, 32_768


@dataclass(frozen=True)
class Request:
    """A request for prompts.

    Attributes:
        messages: Chat messages, the system's and the user's.
        count: Prompts asked for.
        hash: Of model and messages; goes into the record of each prompt that comes of it.
        tokens: Estimated length of the messages.
        answer_tokens: Estimated length of the answer.
    """

    messages: tuple[dict[str, str], ...]
    count: int
    hash: str
    tokens: int
    answer_tokens: int

    def query(self, settings: LlmSettings) -> Query:
        """The request as an endpoint takes it."""
        rules, text = (message["content"] for message in self.messages)
        options = [_STRUCTURED, chat(rules, text)]
        if settings.temperature is not None:
            options.append(Option("temperature", ({"temperature": settings.temperature}, {})))
        limit = settings.max_output_tokens or max(_LEAST_ROOM, _ROOM * self.answer_tokens)
        return Query(
            body={"model": settings.model},
            tokens=self.tokens,
            options=tuple(options),
            limit=limit,
            least=min(limit, self.answer_tokens),
            most=settings.max_output_tokens or _MOST_ROOM,
        )


def build_request(
    category: Category,
    count: int,
    *,
    model: str,
    background: str,
    max_tokens: int,
    said: Sequence[str] = (),
    refused: Sequence[tuple[str, str]] = (),
    seed: int = 0,
) -> Request:
    """A request for ``count`` prompts of a category.

    Args:
        category: The category.
        count: Prompts to ask for.
        model: The language model.
        background: How every prompt is to end.
        max_tokens: Length limit of a prompt in tokens of the text encoder.
        said: Accepted prompts, not to be repeated.
        refused: (text, reason) of the prompts refused last.
        seed: Chooses the attributes that are suggested.
    """
    own = names(category)
    rules = _RULES.format(
        name=own[0], names=" or ".join(own), ending=_ending(background), words=max(8, int(max_tokens * 0.6))
    )
    parts = [f"Write {count} different prompts for one {own[0]}{_explained(category)}."]
    parts += [f"Ideas, not limits: {_ideas(category, len(said), seed)}."]
    if refused:
        parts += ["These were refused; do better:", *(f"- {text[:200]} ({reason})" for text, reason in refused)]
    if said:
        parts += ["Do not repeat, and do not rephrase, any of these:", *(f"- {text}" for text in said[-_SAID:])]
    messages = ({"role": "system", "content": rules}, {"role": "user", "content": "\n".join(parts)})
    length = sum(len(message["content"].encode()) for message in messages)
    return Request(messages, count, short_hash("request/1", model, messages), length // 4 + 8, count * 60 + 10)


def _ending(background: str) -> str:
    return f"It ends with: {background}" if background else "It says nothing of a background."


def _explained(category: Category) -> str:
    clause = definition_clause(category)
    return f" ({clause})" if clause else ""


def _ideas(category: Category, position: int, seed: int) -> str:
    """A few attribute words that fit; other ones with every request."""
    random = Random(derive_seed("ideas", seed, category.id, category.name, position))
    profile = PROFILES[kind_of(category)]
    return "; ".join(
        f"{key}: {', '.join(random.sample(words, min(_IDEAS, len(words))))}" for key, words in profile.items()
    )
