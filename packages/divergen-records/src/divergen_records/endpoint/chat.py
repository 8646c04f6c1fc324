"""Chat completions: what was answered, in the forms that servers give it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import Refused, Transient, Unusable
from .forms import first
from .payload import CUT_OFF, filtered

__all__ = ["Completion", "read_completion"]

_REASONING = ("reasoning_content", "reasoning", "thinking")


@dataclass(frozen=True)
class Completion:
    """The text of a chat completion.

    Attributes:
        content: The model's answer, without what a server sets apart as reasoning.
        cut_off: It ended at the limit of output tokens.
    """

    content: str
    cut_off: bool = False


def read_completion(payload: Mapping[str, Any]) -> Completion:
    """The completion in an answer's JSON.

    Raises:
        Refused: If the model or a filter refuses, in its words.
        Unusable: If there is no text: the model only reasoned, or said nothing.
        Transient: If it is no completion: an error in disguise, no choices.
    """
    choice = first(payload.get("choices"))
    error = choice.get("error") or payload.get("error")
    reasons = (choice.get("finish_reason"), choice.get("native_finish_reason"), payload.get("stop_reason"))
    finish = str(next(filter(None, reasons), ""))
    message = _message(payload, choice)
    said = filtered(error) or filtered(_feedback(payload))
    if said:
        raise Refused(_line(said))
    if message is None and not filtered(finish):
        raise Transient(f"the answer holds no completion: {_line(_words(error or dict(payload)))}")
    message = message or {}
    content = _text(message.get("content")) or _called(message) or _used(message.get("content"))
    content = content if content.strip() or finish in CUT_OFF else _misplaced(message)
    refusal = message.get("refusal") or _refusal(message.get("content"))
    if not content and (refusal or finish == "refusal"):
        raise Refused(_line(str(refusal or "the model refuses, without a word")))
    if not content.strip():
        raise _nothing(payload, message, finish, error)
    return Completion(content, cut_off=finish in CUT_OFF)


def _feedback(payload: Mapping[str, Any]) -> Any:
    """What Gemini says of a prompt that it will not answer."""
    return payload.get("promptFeedback") or payload.get("prompt_feedback")


def _message(payload: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any] | None:
    """The message: a choice's, Ollama's, a plain completion's ``text``, or the answer itself (Anthropic, llama.cpp)."""
    for found in (choice.get("message"), choice.get("delta"), payload.get("message")):
        if isinstance(found, dict):
            return found
    for content in (choice.get("text"), choice.get("message"), payload.get("content")):
        if isinstance(content, (str, list)):
            return {"content": content}
    return None


def _called(message: Mapping[str, Any]) -> str:
    """What a model answers by calling a function, or what a server has read of it already."""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    given = [one.get("arguments") for one in (*functions, message.get("function_call")) if isinstance(one, dict)]
    found = [value for value in (*given, message.get("parsed")) if value]
    return "\n".join(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in found)


def _misplaced(message: Mapping[str, Any]) -> str:
    """An answer that a server took for reasoning (vLLM, SGLang): what follows the thought, or JSON and no more."""
    for text in filter(None, map(message.get, _REASONING)):
        _, ended, answer = str(text).rpartition("</think>")
        if ended and answer.strip():
            return answer
        try:
            json.loads(text)
        except (ValueError, TypeError, RecursionError):
            continue
        return str(text)
    return ""


def _used(content: Any) -> str:
    """What a model answers by using a tool, among a message's parts (Anthropic)."""
    parts = content if isinstance(content, list) else []
    inputs = [part.get("input") for part in parts if isinstance(part, dict) and part.get("type") == "tool_use"]
    return "\n".join(json.dumps(value, ensure_ascii=False) for value in inputs if value)


def _refusal(content: Any) -> str | None:
    """The words of a refusal among a message's parts."""
    parts = content if isinstance(content, list) else []
    return next((str(part["refusal"]) for part in parts if isinstance(part, dict) and part.get("refusal")), None)


def _text(content: Any) -> str:
    """A message's content: a text, a list of parts of which some are reasoning, or JSON that is no text any more."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list) and all(isinstance(part, str) for part in content):
        pieces = any(part != part.strip() for part in content)  # of one text; whole items else
        return ("" if pieces else "\n").join(content)
    if isinstance(content, list) and content and not any(_is_part(part) for part in content):
        return json.dumps(content, ensure_ascii=False)
    if not isinstance(content, Sequence):
        return ""
    return "".join(part if isinstance(part, str) else _part(part) for part in content)


def _is_part(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and bool({"type", "text", "refusal"} & part.keys()))


def _part(part: Any) -> str:
    if not isinstance(part, dict) or part.get("type", "text") not in ("text", "output_text"):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else str(text.get("value") or "") if isinstance(text, dict) else ""


def _nothing(payload: Mapping[str, Any], message: Mapping[str, Any], finish: str, error: Any) -> Exception:
    """Why a completion holds no text."""
    if filtered(finish) or finish == "refusal":
        return Refused(f"the answer was stopped by a content filter ({finish})")
    if error:
        return Transient(f"the answer holds no completion: {_line(_words(error))}")
    usage = payload.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if finish in CUT_OFF or any(message.get(key) for key in _REASONING) or _thinks(message.get("content")):
        used = f" with {tokens:,} tokens" if isinstance(tokens, int) else ""
        return Unusable(
            f"the model only reasoned{used} and gave no answer{f' (finish_reason {finish})' if finish else ''}. Allow "
            "longer answers (--max-output-tokens), or less reasoning, for example "
            '--extra-body \'{"reasoning_effort": "low"}\''
        )
    return Unusable("the completion is empty")


def _thinks(content: Any) -> bool:
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") == "thinking" for part in content
    )


def _words(error: Any) -> str:
    if isinstance(error, dict):
        return str(error.get("message") or json.dumps(error, ensure_ascii=False))
    return str(error)


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
