"""Answers of other doors as chat completions: a gateway may pass on what Gemini, Anthropic, Bedrock or Ollama said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["as_completion", "first"]

_WRAPPERS = ("data", "body", "result", "response", "completion")
_MOST_WRAPPERS = 4


def as_completion(value: Any) -> dict[str, Any] | None:
    """The completion in an answer, in the form of the OpenAI protocol where its own is known.

    Args:
        value: The answer's JSON. A list, a text that holds JSON, or an object around it is taken off.

    Returns:
        An object; None where the answer is none.
    """
    for _ in range(_MOST_WRAPPERS):
        inner = _inside(value)
        if inner is None:
            break
        value = inner
    if not isinstance(value, dict):
        return None
    return next((form(value) for key, form in _FORMS.items() if key in value and "choices" not in value), value)


def first(values: Any) -> dict[str, Any]:
    """The first choice that holds an answer, else the first; an empty one where there is none."""
    found = list(values.values()) if isinstance(values, dict) else values if isinstance(values, list) else []
    found = [one for one in found if isinstance(one, dict)]
    return next((one for one in found if _says(one)), found[0] if found else {})


def _says(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    return bool(isinstance(message, dict) and message.get("content")) or bool(choice.get("text"))


def _inside(value: Any) -> Any:
    """What is wrapped in a value; None where it is the answer itself."""
    if isinstance(value, str):
        try:
            return json.loads(value) if value.lstrip().startswith(("{", "[", '"')) else None
        except (ValueError, RecursionError):
            return None
    if isinstance(value, list):
        return value[0] if value and isinstance(value[0], dict) else None
    if not isinstance(value, dict) or "choices" in value:
        return None
    return next((inner for key in _WRAPPERS if _is_answer(inner := _opened(value.get(key)))), None)


def _opened(value: Any) -> Any:
    return _inside(value) if isinstance(value, str) else value


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and not {"choices", *_FORMS}.isdisjoint(value)


def _completion(whole: Mapping[str, Any], content: Any, finish: Any) -> dict[str, Any]:
    return {**whole, "choices": [{"message": {"content": content}, "finish_reason": finish}]}


def _gemini(whole: dict[str, Any]) -> dict[str, Any]:
    """https://ai.google.dev/api/generate-content: ``candidates[].content.parts[].text``, thoughts marked."""
    candidate = first(whole["candidates"])
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    kept = [part for part in parts if isinstance(part, dict) and not part.get("thought")] if parts else None
    return _completion(whole, kept, candidate.get("finishReason"))


def _output(whole: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's Responses (a list of items), Bedrock's Converse (``output.message``), DashScope (``output.choices``)."""
    output = whole["output"]
    if isinstance(output, dict) and not {"choices", "text"}.isdisjoint(output):
        return {**whole, "choices": output.get("choices") or [output]}
    if isinstance(output, dict):
        message = output.get("message")
        return _completion(
            whole, message.get("content") if isinstance(message, dict) else None, whole.get("stopReason")
        )
    items = output if isinstance(output, list) else [output]
    messages = [item for item in items if isinstance(item, dict) and item.get("type", "message") == "message"]
    parts = [part for item in messages if isinstance(item.get("content"), list) for part in item["content"]]
    details = whole.get("incomplete_details")
    finish = details.get("reason") if isinstance(details, dict) else whole.get("status")
    return _completion(whole, parts or (output if isinstance(output, str) else None), finish)


def _text(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda whole: _completion(whole, whole[key], whole.get("done_reason") or whole.get("finish_reason"))


_FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "candidates": _gemini,
    "output_text": _text("output_text"),
    "output": _output,
    "generated_text": _text("generated_text"),  # text-generation-inference
    "response": _text("response"),  # Ollama's /api/generate
}
