from __future__ import annotations

import json

import pytest
from divergen_prompts.llm.answers import Candidate, read_completion, read_prompts_of
from divergen_prompts.llm.errors import Transient
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO = "a small red cup, side view", "a large blue cup, front view"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"prompts": [{"text": ONE}, {"text": TWO}]}),
        json.dumps({"prompts": [ONE, TWO]}),
        json.dumps([ONE, TWO]),
        json.dumps({"1": ONE, "2": TWO}),
        json.dumps([{"prompt": ONE, "number": 3}, {"description": TWO}]),
        f"Sure!\n```json\n{json.dumps([ONE, TWO])}\n```\nEnjoy.",
        f"Here you are: {json.dumps([ONE, TWO])} Enjoy.",
        f"<think>1. not this one at all</think>1. {ONE}\n2. {TWO}\n",
        f"Here are 2 prompts:\n\n1. {ONE}\n2) {TWO}.\n\nLet me know!",
        f"- **{ONE}**\n• “{TWO}”",
        f"{ONE}\n\n{TWO}\n",
        f'{{"prompts": [{{"text": "{ONE}", "colour": "red"}}, {{"text": "{TWO}"}}, {{"text": "a gre',
        f'["{ONE}", "{TWO}", "a gre',
        f'{{"prompts": ["{ONE}", "{TWO}", "a gre',
    ],
)
def test_read_prompts_of__finds_both(content: str) -> None:
    assert [candidate.text for candidate in read_prompts_of(content)] == [ONE, TWO]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"prompts": []}', "I cannot.", "<html><body>a red cup is here</body></html>", "{", '["a gre']
)
def test_read_prompts_of__finds_none(content: str) -> None:
    assert read_prompts_of(content) == []


def test_read_prompts_of__keeps_known_attributes() -> None:
    content = json.dumps({"prompts": [{"text": ONE, "color": "red", "view": None, "mood": "x", "size": " small "}]})
    assert read_prompts_of(content) == [Candidate(ONE, {"size": "small", "colour": "red"})]
    nested = json.dumps({"prompts": [{"text": ONE, "attributes": {"colour": "red"}}]})
    assert read_prompts_of(nested) == [Candidate(ONE, {"colour": "red"})]


@given(st.text())
def test_read_prompts_of__never_fails(content: str) -> None:
    for candidate in read_prompts_of(content):
        assert "\n" not in candidate.text
        assert len(candidate.text.split()) >= 3


def test_read_prompts_of__deep_json_is_no_crash() -> None:
    assert read_prompts_of("[" * 100_000) == []


def test_read_completion__content_and_usage() -> None:
    body = {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    completion = read_completion(json.dumps(body).encode())
    assert (completion.content, completion.prompt_tokens, completion.completion_tokens) == ("x", 3, 4)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><html>", "not JSON: '<!DOCTYPE html><html>'"),
        (b"", "is empty"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"choices": [', "not JSON"),
        (b'{"choices": []}', "holds no completion"),
        (b'{"error": "busy"}', "busy"),
        (b"[1]", "holds no completion"),
        (b'{"choices": [{"message": {"content": null}}]}', "completion is empty"),
    ],
)
def test_read_completion__names_the_fault(body: bytes, said: str) -> None:
    with pytest.raises(Transient) as raised:
        read_completion(body)
    assert said in str(raised.value)
