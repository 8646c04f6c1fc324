"""Answers of image servers in the form of OpenAI's: ``data`` is a list of pictures, in base64 or behind an address."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from .errors import Transient
from .payload import filtered
from .streams import pieces_of

__all__ = ["as_json", "is_picture", "read_pictures"]

_MAGIC = re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP|....ftypavif", re.DOTALL)
_FIELDS = (
    *(
        "b64_json",
        "url",
        "base64",
        "b64",
        "image_base64",
        "bytesBase64Encoded",
        "imageBytes",
        "image_url",
        "image_urls",
        "uri",
    ),
    *("image", "images", "data", "artifacts", "predictions", "generatedImages", "output", "outputs", "result"),
    *("results", "sample", "inlineData", "inline_data", "img", "image_data"),
)
"""Names under which servers put a picture, or what holds it, the most telling first: Stability, Automatic1111, fal,
Replicate, Vertex AI, Gemini, Bedrock, Cloudflare, DashScope, Together, Black Forest Labs and OpenAI's Responses."""
_AROUND = ("response", "body", "choices", "message", "candidates", "content", "parts")
"""Names of what may hold one of `_FIELDS`, and whose own text is no picture."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:|/(?!9j/)|[^\s,]{1,300}\.(?:png|jpe?g|webp|gif|avif)\Z", re.IGNORECASE)
"""An address; ``/9j/`` begins every JPEG in base64."""
_PARTIAL = re.compile(r"partial|progress|generating", re.IGNORECASE)
_DEEPEST = 12
_SHORTEST = 24
"""Letters of a picture in base64; a shorter text is a word, such as ``ok``."""
_LONGEST_SHOWN = 60


def is_picture(content: bytes, kind: str) -> bool:
    """Whether an answer's body is a picture itself, by its type or its first bytes; JSON under any type is none."""
    typed = kind.lower().startswith("image/") and content.lstrip()[:1] not in (b"{", b"[")
    return typed or _MAGIC.match(content[:16]) is not None


def as_json(content: bytes, finish: str | None) -> str:
    """A body that is a picture as the JSON that would hold it.

    Args:
        content: The picture.
        finish: Why the picture ended, where a header says so (Stability's ``finish-reason``).
    """
    return json.dumps({"data": [{"b64_json": base64.b64encode(content).decode(), "finish_reason": finish}]})


def read_pictures(text: str) -> dict[str, Any]:
    """The answer's JSON with its pictures in ``data``; where none are found it is as the server sent it.

    Of a stream only the complete pictures are taken; ``pieces`` says how many pieces it had.

    Raises:
        Transient: If it is neither JSON nor a stream of it.
    """
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        pieces = pieces_of(text)
        if not pieces:
            start = " ".join(text[:_LONGEST_SHOWN].split())
            raise Transient(
                f"the answer is neither JSON nor a picture: {start!r}" if start else "the answer is empty"
            ) from None
        payload = _joined(pieces)
    whole = payload if isinstance(payload, dict) else {"data": payload}
    if _has_pictures(whole.get("data")):
        return whole
    found = _found(payload)
    return {**whole, "data": [{_name(text): text} for text in found]} if found else whole


def _has_pictures(data: Any) -> bool:
    """Whether it is a list of pictures as OpenAI sends them; others may be refused among them."""
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    return any(isinstance(entry.get(name), str) for entry in entries for name in _FIELDS[:2])


def _name(text: str) -> str:
    return "url" if _ADDRESS.match(text.strip()) else "b64_json"


def _found(value: Any, deep: int = 0, told: bool = True) -> list[str]:
    """The pictures in a value.

    Args:
        value: Any JSON.
        deep: In how many others it lies.
        told: Whether its name says that a text in it is a picture.
    """
    if deep > _DEEPEST:
        return []
    if isinstance(value, str):
        return [value] if told and (len(value) >= _SHORTEST or _ADDRESS.match(value)) else []
    if isinstance(value, list):
        return [text for one in value for text in _found(one, deep + 1, told)]
    if not isinstance(value, dict) or any(map(filtered, map(value.get, ("finish_reason", "finishReason")))):
        return []
    places: Iterable[list[str]] = (_found(value.get(name), deep + 1, name in _FIELDS) for name in (*_FIELDS, *_AROUND))
    return next(filter(None, places), [])


def _joined(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """A stream as one answer: its complete pictures, or its error, and what it says of tokens."""
    told = [part for piece in pieces for part in (piece.get("response"), piece) if isinstance(part, dict)]
    whole = {key: value for part in told for key, value in part.items() if key in ("usage", "error") and value}
    complete = [piece for piece in pieces if not _PARTIAL.search(f"{piece.get('type')} {piece.get('status')}")]
    found = dict.fromkeys(text for piece in complete for text in _found(piece))
    return {**whole, "data": [{_name(text): text} for text in found], "pieces": len(pieces)}
