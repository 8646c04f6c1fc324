"""What an answer says of its tokens and cost, under whatever names, and an estimate of what it does not say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .account import Usage

__all__ = ["is_told", "usage_of", "used"]

_SENT = ("prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "prompt_eval_count", "tokens_evaluated")
_RECEIVED = (
    "completion_tokens",
    "output_tokens",
    "outputTokens",
    "candidatesTokenCount",
    "eval_count",
    "tokens_predicted",
)
_TOTAL = ("total_tokens", "totalTokens", "totalTokenCount")
_REASONED = ("reasoning_tokens", "thoughtsTokenCount")
_CACHED = (
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cacheWriteInputTokens",
    "cacheReadInputTokens",
)
"""What Anthropic counts beside the tokens sent, and not among them."""
_PICTURES = ("generated_images", "image_count", "images", "num_images")
"""Pictures that an image API counts: Seedream, DashScope and others."""
_PLACES = ("usage", "usageMetadata", "usage_metadata", "timings")
_COST = ("cost", "total_cost")
_PARTS = ("billed_units", "cost", "completion_tokens_details", "output_tokens_details")
"""Of Cohere, Perplexity and OpenAI."""


def used(payload: Mapping[str, Any], sent: int, received: int, pictures: int = 0) -> Usage:
    """What an answer used, by its own words, else estimated; nothing where it is an error.

    One that should hold pictures and holds none, nor says why, counts as if it held them: it may be paid for.

    Args:
        payload: The answer's JSON.
        sent: Tokens of the request, estimated.
        received: Tokens of the answer, estimated.
        pictures: Pictures asked for; an answer with pictures has no tokens but those that it counts.
    """
    received = 0 if pictures else received
    failed = "choices" not in payload and any(payload.get(name) for name in ("error", "refusal"))
    usage = usage_of(payload, sent, received) or (Usage() if failed else Usage(sent, received))
    return usage if failed or usage.pictures else replace(usage, pictures=pictures)


def usage_of(payload: Any, sent: int = 0, received: int = 0) -> Usage | None:
    """The tokens and pictures of an answer as it reports them; None if it does not.

    Some servers leave what the model reasoned out of the tokens of the answer and count it in the total alone, or
    beside it: the larger figure is taken. One that is missing, or no number, is taken from the estimate.

    Args:
        payload: The answer's JSON.
        sent: Tokens of the request, estimated.
        received: Tokens of the answer, estimated.
    """
    if not isinstance(payload, dict):
        return None
    told = _told(payload)
    pictures = max(len(payload["data"]) if isinstance(payload.get("data"), list) else 0, _count(told, _PICTURES) or 0)
    cost = _number(told, _COST) or 0.0
    found = _count(told, _SENT), _count(told, _RECEIVED), _count(told, _TOTAL)
    if not any(value is not None for value in found) or (not any(found) and received):
        return Usage(sent, received, pictures, cost) if cost else Usage(pictures=pictures) if pictures else None
    total, reasoned = found[2], _count(told, _REASONED) or 0
    given = found[0] if found[0] is not None else (0 if total else sent)
    answered = found[1] if found[1] is not None else (0 if total else received)
    answered = max(answered, (total or 0) - given, answered + reasoned if reasoned > answered else 0)
    return Usage(given + sum(_count(told, (key,)) or 0 for key in _CACHED), answered, pictures, cost)


def is_told(payload: Mapping[str, Any]) -> bool:
    """Whether an object says anything of tokens at its top: the last line of a stream may."""
    return any(key in payload for key in (*_SENT, *_RECEIVED, *_PLACES, "x_groq"))


def _told(payload: Mapping[str, Any]) -> dict[str, Any]:
    """All that an answer says of tokens, in one dictionary."""
    told: dict[str, Any] = {key: payload[key] for key in (*_SENT, *_RECEIVED) if key in payload}
    if isinstance(timings := payload.get("timings"), dict):  # llama.cpp
        told |= {"prompt_tokens": timings.get("prompt_n"), "completion_tokens": timings.get("predicted_n")}
    groq = payload.get("x_groq")  # in the last piece of a stream
    places = (*(payload.get(place) for place in _PLACES), groq.get("usage") if isinstance(groq, dict) else None)
    for usage in places:
        if isinstance(usage, dict):
            parts = (usage.get(key) for key in _PARTS)
            told |= {key: value for part in (*parts, usage) if isinstance(part, dict) for key, value in part.items()}
    return told


def _count(told: Mapping[str, Any], keys: Iterable[str]) -> int | None:
    """The first number under one of the names, as a whole one."""
    number = _number(told, keys)
    return None if number is None else int(number)


def _number(told: Mapping[str, Any], keys: Iterable[str]) -> float | None:
    """The first number under one of the names; a text may hold it."""
    for key in keys:
        value = told.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            continue
        try:
            number = float(value.replace(",", "") if isinstance(value, str) else value)
        except (ValueError, OverflowError):
            continue
        if math.isfinite(number) and number >= 0:
            return number
    return None
