from __future__ import annotations

from typing import Any

import pytest
from divergen_records.endpoint import Completion, Refused, Transient, Unusable, read_completion


def chat(content: Any, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    "content",
    [
        "a cup",
        [{"type": "text", "text": "a "}, {"type": "text", "text": "cup"}],
        [{"type": "output_text", "text": "a cup"}],
        [{"type": "text", "text": {"value": "a cup"}}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a cup"}],
        ["a ", "cup"],
        {"type": "text", "text": "a cup"},
    ],
)
def test_read_completion__forms_of_content(content: object) -> None:
    assert read_completion(chat(content)) == Completion("a cup")


CALL = {"function": {"name": "give", "arguments": '["a cup"]'}}


@pytest.mark.parametrize(
    ("payload", "content"),
    [
        (chat(None, "tool_calls", tool_calls=[CALL, CALL]), '["a cup"]\n["a cup"]'),
        (chat(None, tool_calls=[{"function": {"arguments": {"prompts": ["a cup"]}}}]), '{"prompts": ["a cup"]}'),
        (chat(None, function_call={"name": "give", "arguments": '["a cup"]'}), '["a cup"]'),
        (chat(None, parsed={"prompts": ["a cup"]}), '{"prompts": ["a cup"]}'),
        (chat("", reasoning_content='["a cup"]'), '["a cup"]'),
        (chat({"prompts": ["a cup"]}), '[{"prompts": ["a cup"]}]'),
        (chat([{"prompt": "a cup"}, {"prompt": "a hat"}]), '[{"prompt": "a cup"}, {"prompt": "a hat"}]'),
        (chat(["a cup", "a hat"]), "a cup\na hat"),
        ({"choices": [{"text": "a cup", "finish_reason": "stop"}]}, "a cup"),
        ({"type": "message", "content": [{"type": "text", "text": "a cup"}], "stop_reason": "end_turn"}, "a cup"),
    ],
)
def test_read_completion__where_other_servers_have_it(payload: dict[str, Any], content: str) -> None:
    assert read_completion(payload).content == content


def test_read_completion__what_follows_the_end_of_a_thought_is_no_thought() -> None:
    assert (
        read_completion(chat(None, reasoning_content="a cup?</think>\n1. a red cup")).content.strip() == "1. a red cup"
    )


def test_read_completion__cut_off() -> None:
    assert read_completion(chat("a cu", "length")).cut_off


@pytest.mark.parametrize(
    ("payload", "kind", "said"),
    [
        (chat(None, "length", reasoning_content="so"), Unusable, "the model only reasoned and gave no answer"),
        (chat("", "stop", reasoning="so"), Unusable, "the model only reasoned"),
        (chat([{"type": "thinking", "thinking": []}]), Unusable, "the model only reasoned"),
        (chat(None), Unusable, "the completion is empty"),
        (chat(None, refusal="I can't help with that."), Refused, "I can't help with that."),
        (chat(None, "content_filter"), Refused, "content filter"),
        (chat([{"type": "refusal", "refusal": "I will not."}]), Refused, "I will not."),
        ({"type": "message", "content": [], "stop_reason": "refusal"}, Refused, "the model refuses"),
        (chat(None, "content_filter: PROHIBITED_CONTENT"), Refused, "PROHIBITED_CONTENT"),
        ({"choices": [], "promptFeedback": {"blockReason": "SAFETY"}}, Refused, "SAFETY"),
        ({"choices": [{"error": {"code": 403, "message": "Your input was flagged"}}]}, Refused, "flagged"),
        ({"choices": [{"error": {"code": 502, "message": "provider down"}}]}, Transient, "provider down"),
        ({"choices": []}, Transient, "holds no completion"),
        ({"error": "busy"}, Transient, "busy"),
        ({"choices": [None]}, Transient, "holds no completion"),
        ({"detail": "Not authenticated"}, Transient, "Not authenticated"),
        ({"choices": None, "base_resp": {"status_msg": "insufficient balance"}}, Transient, "insufficient balance"),
    ],
)
def test_read_completion__says_why_there_is_none(payload: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as raised:
        read_completion(payload)
    assert said in str(raised.value)
