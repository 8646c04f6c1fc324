"""The JSON of an answer, in whatever wrapping it comes, and what it says of tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from .account import Usage
from .errors import Transient

__all__ = ["CUT_OFF", "filtered", "first", "is_cut_off", "is_page", "read_payload", "usage_of"]

CUT_OFF = ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens")
"""Reasons to finish by which servers say that the limit of output tokens was reached."""

_FILTERED = re.compile(
    r"content[ _-]?(?:filter|polic|management|exists risk|moderation|violation|safety)|responsible ?ai|moderation"
    r"|flagged|data_?inspection|inappropriate|prohibited_content|\bsafety|sensitive (?:content|information|word)"
    r"|guardrail|usage polic",
    re.IGNORECASE,
)


def read_payload(text: str) -> dict[str, Any]:
    """The JSON object of an answer; the pieces of a stream are put together.

    Raises:
        Transient: If it is none: a web page, half a JSON, nothing.
    """
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        pieces = _pieces(text)
        if pieces:
            return _joined(pieces)
        start = " ".join(text[:60].split())
        raise Transient(f"the answer is not JSON: {start!r}" if start else "the answer is empty") from error
    if not isinstance(payload, dict):
        raise Transient(f"the answer holds no completion: {text[:60]!r}")
    return payload


def is_page(text: str) -> bool:
    """Whether a text is a web page: somebody stands between, and the endpoint was not reached."""
    return text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<head", "<?xml"))


def _pieces(text: str) -> list[dict[str, Any]]:
    """The objects of a stream: server-sent events (``data: {…}``) or one JSON a line; none if a line is no such."""
    found = []
    for line in text.splitlines():
        line = line.strip().removeprefix("data:").strip()
        if not line or line == "[DONE]" or line.startswith((":", "event:", "id:")):
            continue
        try:
            piece = json.loads(line)
        except (ValueError, RecursionError):
            return []
        if isinstance(piece, dict):
            found.append(piece)
    return found


def _joined(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """A stream's chunks as one completion."""
    message: dict[str, Any] = {"content": ""}
    joined: dict[str, Any] = {}
    for piece in pieces:
        choice = first(piece.get("choices"))
        delta = choice.get("delta") or choice.get("message") or piece.get("message") or {}
        for key, value in delta.items() if isinstance(delta, dict) else ():
            if isinstance(value, str) and key != "role":
                message[key] = str(message.get(key) or "") + value
        if choice.get("finish_reason"):
            joined["finish_reason"] = choice["finish_reason"]
        joined |= {key: piece[key] for key in ("usage", "error") if piece.get(key)}
    finish = joined.pop("finish_reason", None)
    return {**joined, "choices": [{"message": message, "finish_reason": finish}]}


def first(values: Any) -> dict[str, Any]:
    """The first object of a list; an empty one where there is none."""
    found = values[0] if isinstance(values, list) and values else None
    return found if isinstance(found, dict) else {}


def is_cut_off(payload: dict[str, Any]) -> bool:
    """Whether an answer ended at the limit of output tokens."""
    return first(payload.get("choices")).get("finish_reason") in CUT_OFF


def usage_of(payload: Any) -> Usage | None:
    """The tokens and pictures of an answer as it reports them; None if it does not.

    Some servers leave what the model reasoned out of the tokens of the answer and count it in the total alone, or
    beside it: the larger figure is taken.
    """
    if not isinstance(payload, dict):
        return None
    usage = payload.get("usage")
    pictures = len(payload["data"]) if isinstance(payload.get("data"), list) else 0
    if not isinstance(usage, dict):
        return Usage(pictures=pictures) if pictures else None
    sent = _count(usage, ("prompt_tokens", "input_tokens"))
    received = _count(usage, ("completion_tokens", "output_tokens"))
    total = _count(usage, ("total_tokens",))
    if sent is None and received is None and total is None:
        return Usage(pictures=pictures) if pictures else None
    details = usage.get("completion_tokens_details")
    reasoned = _count(details, ("reasoning_tokens",)) or 0 if isinstance(details, dict) else 0
    sent, received = sent or 0, received or 0
    received = max(received, (total or 0) - sent, received + reasoned if reasoned > received else 0)
    return Usage(sent, received, pictures)


def _count(usage: dict[str, Any], keys: Iterable[str]) -> int | None:
    for key in keys:
        value = usage.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
            return int(value)
    return None


def filtered(body: Any) -> str | None:
    """The words of a content filter in an error or a reason to finish; None where none speaks."""
    if not isinstance(body, (dict, str)) or not body:
        return None
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    if not _FILTERED.search(text):
        return None
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or text)
