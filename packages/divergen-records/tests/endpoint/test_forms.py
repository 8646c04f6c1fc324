"""Answers in the forms of other doors, and what they say of tokens, read as chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from divergen_records.endpoint import Usage, read_completion
from divergen_records.endpoint.payload import is_cut_off, read_payload
from divergen_records.endpoint.usage import usage_of

SAID = "a red cup"
CHAT = {
    "choices": [{"message": {"content": SAID}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 9},
}
PARTS = [{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": SAID}]
FORMS: dict[str, Any] = {
    "chat": CHAT,
    "in a list": [CHAT],
    "in data": {"code": 0, "data": CHAT},
    "in a body of text": {"statusCode": 200, "body": json.dumps(CHAT)},
    "as text": json.dumps(CHAT),
    "choices by number": {**CHAT, "choices": {"0": CHAT["choices"][0]}},
    "first choice empty": {**CHAT, "choices": [{"message": {"content": None}}, *CHAT["choices"]]},
    "message a text": {**CHAT, "choices": [{"message": SAID}]},
    "delta": {**CHAT, "choices": [{"delta": {"content": SAID}}]},
    "texts for numbers": {**CHAT, "usage": {"prompt_tokens": "4", "completion_tokens": "9.0"}},
    "gemini": {
        "candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": SAID}]}}],
        "usageMetadata": {
            "promptTokenCount": 4,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 7,
            "totalTokenCount": 13,
        },
    },
    "anthropic": {
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": SAID}],
        "usage": {"input_tokens": 1, "cache_read_input_tokens": 3, "output_tokens": 9},
    },
    "anthropic, a tool": {
        "content": [{"type": "tool_use", "input": {"text": SAID}}],
        "usage": {"input_tokens": 4, "output_tokens": 9},
    },
    "bedrock": {
        "output": {"message": {"content": [{"reasoningContent": {}}, {"text": SAID}]}},
        "usage": {"inputTokens": 4, "outputTokens": 9},
    },
    "responses": {"output": [{"type": "reasoning"}, {"type": "message", "content": PARTS}], "usage": CHAT["usage"]},
    "dashscope": {"output": {"choices": CHAT["choices"]}, "usage": {"input_tokens": 4, "output_tokens": 9}},
    "ollama": {"message": {"content": SAID}, "prompt_eval_count": 4, "eval_count": 9},
    "ollama, generate": {"response": SAID, "prompt_eval_count": 4, "eval_count": 9},
    "llama.cpp": {"content": SAID, "tokens_evaluated": 4, "tokens_predicted": 9},
    "llama.cpp, chat": {"choices": CHAT["choices"], "timings": {"prompt_n": 4, "predicted_n": 9}},
    "cohere": {
        "message": {"content": [{"type": "text", "text": SAID}]},
        "usage": {"billed_units": {"input_tokens": 4, "output_tokens": 9}},
    },
}


@pytest.mark.parametrize("name", FORMS)
def test_read_payload__forms_of_other_doors(name: str) -> None:
    payload = read_payload(json.dumps(FORMS[name]))
    assert SAID in read_completion(payload).content
    assert "hm" not in read_completion(payload).content
    assert usage_of(payload) == Usage(4, 9)


def events(*pieces: Any) -> str:
    return "".join(f"event: x\ndata: {json.dumps(piece)}\n\n" for piece in pieces)


COUNTED = {"choices": [], "usage": CHAT["usage"]}
STREAMS = {
    "chat": events(
        *({"choices": [{"index": i, "delta": {"content": t}}]} for t in ("a red", " cup") for i in (0, 1)), COUNTED
    ),
    "tool": events(
        *({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": t}}]}}]} for t in ("a red", " cup")),
        COUNTED,
    ),
    "anthropic": events(
        {"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 4, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
        *({"type": "content_block_delta", "delta": {"type": "text_delta", "text": t}} for t in ("a red", " cup")),
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 9}},
    ),
    "responses": events(
        {"type": "response.output_text.delta", "delta": "a red"},
        {"type": "response.completed", "response": FORMS["responses"]},
    ),
    "responses, broken off": events(
        {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        *({"type": "response.output_text.delta", "delta": text} for text in ("a red", " cup")),
        {"usage": CHAT["usage"]},
    ),
    "groq": events(
        *({"choices": [{"delta": {"content": t}}]} for t in ("a red", " cup")),
        {"choices": [{"delta": {}, "finish_reason": "stop"}], "x_groq": {"id": "r", "usage": CHAT["usage"]}},
    ),
    "ollama": "\n".join(
        json.dumps(piece)
        for piece in ({"response": "a red"}, {"response": " cup", "prompt_eval_count": 4, "eval_count": 9})
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_read_payload__streams_of_other_doors(name: str) -> None:
    payload = read_payload(STREAMS[name])
    assert read_completion(payload).content == SAID
    assert usage_of(payload) == Usage(4, 9)
    assert is_cut_off(payload) == (name == "anthropic")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": -1, "completion_tokens": -1}, None),
        ({"prompt_tokens": 4, "completion_tokens": float("nan")}, Usage(4, 70)),
        ({"prompt_tokens": float("inf"), "completion_tokens": 9}, Usage(50, 9)),
        ({"total_tokens": 900}, Usage(0, 900)),
        ({"prompt_tokens": 4, "completion_tokens": 9, "reasoning_tokens": 20}, Usage(4, 29)),
        ({"prompt_tokens": "1,400", "completion_tokens": 9}, Usage(1400, 9)),
        ({"prompt_tokens": 4, "completion_tokens": 9, "cost": 0.95}, Usage(4, 9, cost=0.95)),
        ({"cost": {"total_cost": 0.95, "currency": "USD"}}, Usage(50, 70, cost=0.95)),
    ],
)
def test_usage_of__what_is_missing_or_none_is_estimated(usage: dict[str, Any], expected: Usage | None) -> None:
    assert usage_of({"usage": usage}, 50, 70) == expected
