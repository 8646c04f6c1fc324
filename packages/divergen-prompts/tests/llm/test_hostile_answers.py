"""Answers made to take long: each is read in time that grows with its length, and comes to nothing.

Before, most of these took from ten seconds to minutes. The bound is on processor time, and far above what is taken now.
"""

import re
import time

import pytest
from divergen_prompts.llm.answers import read_prompts_of
from divergen_prompts.llm.spans import without_spans

SIZE = 60_000
PIECES = [
    *("{", "[{", '{"', '["', '{\\"', "“{", '{"a":', "}{", '["a" "b" '),
    *("```json\n", "```think\n", "```plan\nabc\n", ">\n", "*\n", "\n", "<plan>", "think-", "[think x", "# thinking\n"),
    *("<think>", "<|channel|>final", "analysis assistant commentary", "<unused94>"),
    *("<!--", "<![CDATA[", '<a text="', "![a](", 'prompt,text\n"\n', "|"),
]


@pytest.mark.parametrize("piece", PIECES)
def test_read_prompts_of__hostile_answers_cost_little(piece):
    begun = time.process_time()
    assert read_prompts_of("<" + piece * (SIZE // len(piece))) == []
    assert time.process_time() - begun < 10


def test_read_prompts_of__many_values_under_one_key():
    begun = time.process_time()
    found = read_prompts_of('{"prompt": [' + ",".join(f'{{"a": {i}, "a": {i}}}' for i in range(5000)) + "]}")
    assert found == [] and time.process_time() - begun < 10


def test_read_prompts_of__what_is_said_twice_under_one_key_counts_once():
    found = read_prompts_of('{"text": "a red cup here", "text": "a red cup here", "text": "a blue cup here"}')
    assert [item.text for item in found] == ["a red cup here", "a blue cup here"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a(b)c(d)e", "ace"), ("a(b", "a(b"), ("a)b(c)d", "a)bd"), ("((a)b)", "b)"), ("", "")],
)
def test_without_spans(text, expected):
    assert without_spans(text, re.compile(r"\("), re.compile(r"\)")) == expected
