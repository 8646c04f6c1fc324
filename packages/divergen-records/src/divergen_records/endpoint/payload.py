"""The JSON of an answer, in whatever wrapping it comes, and whether a filter or a limit ended it."""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import Transient
from .forms import as_completion, first
from .streams import joined

__all__ = ["CUT_OFF", "filtered", "is_cut_off", "is_page", "read_payload", "refused_inside"]

CUT_OFF = ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens")
"""Reasons to finish by which servers say that the limit of output tokens was reached."""

_FILTERED = re.compile(
    r"content[ _-]?(?:filter|polic|management|exists risk|moderation|violation|safety)|responsible ?ai|moderation"
    r"|flagged|data_?inspection|inappropriate|prohibited_content|\bsafety|sensitive (?:content|information|word)"
    r"|guardrail|usage polic|nsfw|image_safety|block_?reason|filtered_?reason"
    r"|\Arecitation\Z|\A(?:image_)?(?:blocklist|spii)\Z",
    re.IGNORECASE,
)


def read_payload(text: str) -> dict[str, Any]:
    """The JSON object of an answer; the pieces of a stream are put together, other doors' forms are known.

    Raises:
        Transient: If it is none: a web page, half a JSON, nothing.
    """
    try:
        payload = as_completion(json.loads(text))
    except (ValueError, RecursionError) as error:
        stream = joined(text)
        if stream:
            return stream
        start = " ".join(text[:60].split())
        raise Transient(f"the answer is not JSON: {start!r}" if start else "the answer is empty") from error
    if payload is None:
        raise Transient(f"the answer holds no completion: {text[:60]!r}")
    return payload


def is_page(text: str) -> bool:
    """Whether a text is a web page: somebody stands between, and the endpoint was not reached."""
    return text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<head", "<?xml"))


def refused_inside(payload: dict[str, Any]) -> tuple[int, str, dict[str, Any]] | None:
    """The status, words and error that an answer of status 200 holds instead of an answer (OpenRouter); else None."""
    error = payload.get("error")
    if not isinstance(error, dict) or payload.get("choices"):
        return None
    code = str(error.get("code") or error.get("status") or "")
    if not re.fullmatch(r"[45]\d\d", code):
        return None
    return int(code), " ".join(str(error.get("message") or code).split())[:300], error


def is_cut_off(payload: dict[str, Any]) -> bool:
    """Whether an answer ended at the limit of output tokens."""
    finish = first(payload.get("choices")).get("finish_reason") or payload.get("stop_reason")
    return finish in CUT_OFF


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
