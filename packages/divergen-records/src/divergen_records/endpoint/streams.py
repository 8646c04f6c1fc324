"""The pieces of a stream put together: some servers stream unasked."""

from __future__ import annotations

import json
import re
from typing import Any

from .forms import as_completion, first
from .usage import is_told

__all__ = ["joined", "pieces_of"]

_USAGES = ("usage", "timings", "usageMetadata")
_DONE = ("response.completed", "response.incomplete", "response.failed")
"""Pieces that repeat the whole answer, the last ones of OpenAI's Responses; where none came the others are joined."""


def joined(text: str) -> dict[str, Any] | None:
    """A stream as one completion; None where the text is none."""
    pieces = pieces_of(text)
    wholes = [piece for piece in pieces if isinstance(piece.get("response"), dict)]
    whole = next((piece for piece in reversed(wholes) if piece.get("type") in _DONE), None)
    whole = whole or next((piece for piece in wholes if not str(piece.get("type")).startswith("response.")), None)
    return as_completion(whole["response"]) if whole else _joined(pieces) if pieces else None


def pieces_of(text: str) -> list[dict[str, Any]]:
    """The objects of a stream: server-sent events (``data: {…}``) or one JSON a line; none if a line is no such.

    One object may spread over several lines of data, up to an empty one.
    """
    lines = [line.strip().removeprefix("data:").strip() for line in re.split(r"\r\n?|\n", text)]  # no other ends one
    lines = [line for line in lines if line != "[DONE]" and not line.startswith((":", "event:", "id:", "retry:"))]
    try:
        found = [json.loads(line) for line in lines if line]
    except (ValueError, RecursionError):
        try:
            found = [json.loads(event) for event in re.split(r"\n{2,}", "\n".join(lines).strip("\n")) if event]
        except (ValueError, RecursionError):
            return []
    return [piece for piece in found if isinstance(piece, dict)]


def _joined(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"content": ""}
    whole: dict[str, Any] = {}
    called = ""
    for piece in pieces:
        choice, delta = _delta(piece)
        if choice.get("index", 0) not in (0, None):
            continue
        for key, value in delta.items():
            if isinstance(value, str) and key not in ("role", "type"):
                message[key] = str(message.get(key) or "") + value
        called += _arguments(delta)
        finish = choice.get("finish_reason") or delta.get("stop_reason") or piece.get("done_reason")
        whole |= {"finish": finish} if finish else {}
        whole = _counted(whole, piece)
    finish = whole.pop("finish", None)
    if called:
        message["tool_calls"] = [{"function": {"arguments": called}}]
    return {**whole, "choices": [{"message": message, "finish_reason": finish}]}


def _delta(piece: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The choice of a piece, and what it adds: OpenAI's and Anthropic's ``delta``, Ollama's ``message``."""
    choice = first(piece.get("choices"))
    found = choice.get("delta") or choice.get("message") or piece.get("delta") or piece.get("message") or {}
    if isinstance(piece.get("response"), str):
        found = {"content": piece["response"]}
    if isinstance(choice.get("text"), str):
        found = {"content": choice["text"]}
    if isinstance(found, str):  # OpenAI's Responses: of the answer, or of a thought
        found = {"content": found} if piece.get("type") in (None, "response.output_text.delta") else {}
    if not isinstance(found, dict):
        return choice, {}
    return choice, {**found, "content": found["text"]} if isinstance(found.get("text"), str) else found


def _arguments(delta: dict[str, Any]) -> str:
    calls = delta.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    given = [function.get("arguments") for function in functions if isinstance(function, dict)]
    return "".join(value for value in given if isinstance(value, str))


def _counted(whole: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """What the pieces so far say of tokens and errors, with what this one does; the later figure holds."""
    begun = piece.get("message")
    for told in (begun if isinstance(begun, dict) else {}, piece):
        if not is_told(told) and not told.get("error"):
            continue
        kept = {key: value for key, value in told.items() if key not in ("choices", "message", *_USAGES) and value}
        usages = {key: {**whole.get(key, {}), **told[key]} for key in _USAGES if isinstance(told.get(key), dict)}
        whole = {**whole, **(kept if told is piece else {}), **usages}
    return whole
