from __future__ import annotations

import json

import pytest
from divergen_records.endpoint import Transient, Usage
from divergen_records.endpoint.payload import filtered, is_page, read_payload
from divergen_records.endpoint.usage import usage_of


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!DOCTYPE html><html>", "not JSON: '<!DOCTYPE html><html>'"),
        ("", "is empty"),
        ('{"choices": [', "not JSON"),
        ("[1]", "holds no completion"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_read_payload__names_the_fault(text: str, said: str) -> None:
    with pytest.raises(Transient) as raised:
        read_payload(text)
    assert said in str(raised.value)


def test_read_payload__joins_what_is_streamed() -> None:
    chunks = [{"choices": [{"delta": {"role": "assistant", "content": text}}]} for text in ("a ", "cup")]
    end = {"choices": [{"delta": {}, "finish_reason": "length"}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks, end]) + "data: [DONE]\n"
    for text in (events, "\n".join(json.dumps(chunk) for chunk in [*chunks, end])):
        payload = read_payload(text)
        assert payload["choices"] == [{"message": {"content": "a cup"}, "finish_reason": "length"}]
        assert usage_of(payload) == Usage(3, 2)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_read_payload__streams_whose_texts_hold_other_ends_of_lines(end: str) -> None:
    chunks = [{"choices": [{"delta": {"content": text}}]} for text in ("a\u2028", "cup\x85")]
    events = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}{end}{end}" for chunk in chunks)
    assert read_payload(events)["choices"][0]["message"] == {"content": "a\u2028cup\x85"}


REASONED = {"completion_tokens_details": {"reasoning_tokens": 90}}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
        ({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 107}, Usage(3, 104)),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 90}},
            Usage(3, 94),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 94, "completion_tokens_details": {"reasoning_tokens": 90}},
            Usage(3, 94),
        ),
        ({"prompt_tokens": 3, "completion_tokens": None}, Usage(3, 0)),
        ({}, None),
        (None, None),
    ],
)
def test_usage_of__reasoning_counts(usage: object, expected: Usage | None) -> None:
    assert usage_of({"usage": usage}) == expected


def test_usage_of__pictures() -> None:
    assert usage_of({"data": [{"b64_json": ""}, {"b64_json": ""}]}) == Usage(pictures=2)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "The response was filtered", "code": "content_filter"},
        {"message": "blocked", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
        {"message": "Content Exists Risk", "type": "invalid_request_error"},
        {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."},
        {"message": "Your input was flagged", "metadata": {"reasons": ["violence"]}},
        {"message": "Your request was rejected as a result of our safety system."},
        {"code": "moderation_blocked", "message": "no"},
        "content_filter: PROHIBITED_CONTENT",
    ],
)
def test_filtered__knows_filters(body: object) -> None:
    assert filtered(body)


@pytest.mark.parametrize(
    "body", [None, {}, {"message": "'temperature' is not supported"}, "stop", {"message": "too long"}]
)
def test_filtered__knows_what_is_none(body: object) -> None:
    assert filtered(body) is None


def test_is_page() -> None:
    assert is_page("\n<!DOCTYPE html><html>")
    assert not is_page('{"x": "<html>"}')


def test_read_payload__an_event_over_several_lines_of_data() -> None:
    pieces = [json.dumps({"choices": [{"delta": {"content": text}}]}, indent=1) for text in ("a red ", "cup")]
    events = [f"event: x\n{''.join(f'data: {line}{chr(10)}' for line in piece.splitlines())}\n" for piece in pieces]
    found = read_payload("".join(events) + "data: [DONE]\n\n")
    assert found["choices"][0]["message"]["content"] == "a red cup"
    with pytest.raises(Transient, match="not JSON"):
        read_payload("".join(events) + "data: {\n\n")
