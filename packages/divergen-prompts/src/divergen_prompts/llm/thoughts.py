"""What a model thought before it answered, taken out: nothing of it is an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from .spans import without_spans

__all__ = ["without_thoughts"]

_STEMS = (
    r"(?:think(?:ing)?|thoughts?|reason(?:ing|s)?|reflect(?:ions?)?|analysis|scratch[_-]?pad|rationale|deliberat(?:e|ion)"
    r"|monolog(?:ue)?)(?:process|blocks?|steps?)?(?![a-z])"
)
"""Words of thinking; not those of things, which are scratched, reflective or of a reasonable size."""
_WORDS = rf"(?:\w+:)?(?:[\w-]{{0,30}}(?:{_STEMS})[\w-]{{0,30}}|cot)"
_OPEN, _CLOSE = r"(?:<\|?|\[|◁|【)\s*", r"\s*(?:\|?>|\]|▷|】)"
_END = rf"(?:/\s*{_WORDS}|{_WORDS}[_ ]?end|(?:end[_ ]of[_ ]|end[_ ]){_WORDS})"
_ENDS = re.compile(rf"{_OPEN}{_END}{_CLOSE}", re.IGNORECASE)
_BEGINS = re.compile(rf"{_OPEN}(?:begin[_ ]of[_ ]|start[_ ])?{_WORDS}(?:\s[^<>\n]{{0,300}})?{_CLOSE}", re.IGNORECASE)
_ESCAPED = re.compile(r"&lt;(/?[\w:-]+)&gt;")
_WIDE = re.compile(r"<｜([^<>｜\n]{1,40})｜>")
_LINES = re.IGNORECASE | re.MULTILINE
_FENCE = rf"^```[ ]?\w{{0,30}}(?:{_STEMS}|plan)\w{{0,30}}[ ]*\n", r"^```[ ]*$"
_HEAD = r"^(?:#{1,6}|\*\*)[ ]*"
_SECTION = rf"{_HEAD}(?:\w{{1,30}}[ ])?\w{{0,30}}(?:{_STEMS}|planning)[^\n]{{0,30}}\n", rf"(?={_HEAD}\S)"
_NAMES = (
    "plan",
    "planning",
    "drafts?",
    r"brainstorm\w*",
    "details",
    "critique",
    "evaluation",
    r"self[_-]?\w+",
    "notes?",
)
_ASIDES = (_FENCE, *((rf"<{name}\b[^<>]*>", rf"</{name}\s*>") for name in _NAMES), _SECTION)
"""What stands beside an answer: how it begins, how it ends."""
_WITHOUT_ASIDES: list[Callable[[str], str]] = [
    partial(without_spans, opening=re.compile(begins, _LINES), closing=re.compile(ends, _LINES))
    for begins, ends in _ASIDES
]
_QUOTED = re.compile(r"\s*>")
_CHANNEL_ENDS = re.compile(r"\A.*<channel\|>", re.DOTALL)
_UNUSED = re.compile("<unused94>"), re.compile("<unused95>")
_FINAL_CHANNEL = re.compile(
    r"<\|channel\|>\s*(?:final\b|commentary\s+to=)[^<]{0,99}(?:<\|[^>]{0,99}\|>[^<]{0,99}){0,9}?<\|message\|>",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>", re.IGNORECASE)
_BARE_HARMONY = re.compile(r"\A\s*(?:analysis|commentary).*?assistant\s{0,9}final", re.DOTALL)
_WHICH = r"(?:the |my |here (?:is|are) (?:the |my )?)?"
_MARKS = r"[^\w\n]{0,30}"
_ANSWER = re.compile(
    rf"^{_MARKS}{_WHICH}final (?:answer|output|response|result|version|list|prompts?)s?{_MARKS}$"
    rf"|^{_MARKS}{_WHICH}(?:answer|output|response){_MARKS}$|^{_MARKS}final answer{_MARKS}:",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_TURN = re.compile(
    r"<\|(?:im_start|start_header_id|start|turn)\|>\s*(?:user|human|system)\b|<\|(?:user|system|human)\|>|<start_of_turn>user"
    r"|\[INST\]|^#{2,4} ?(?:instruction|user|human|input)s?\b|^(?:user|human): ",
    re.IGNORECASE | re.MULTILINE,
)
"""Where a model goes on with what the next to speak would say, because its template does not end its turn."""
_CONTROL = re.compile(
    r"<\|[^<>|\n]{1,40}\|>|<｜[^<>｜\n]{1,40}｜>|</?(?:s|bos|eos|pad|unk)>|\[/?INST\]"
    r"|<(?:start|end)_of_turn>\w*|<unused\d+>|\[e~\[|\]~!?b\]\w*|\A/(?:no_)?think\b"
    r"|\A\s*\W{0,4}assistant\W{0,2}:\W{0,2}(?=\s)",
    re.IGNORECASE,
)
_WRAPPER = re.compile(r"</?(?:answer|output|response|final|result|solution|(?:begin|end)_of_solution)>", re.IGNORECASE)


def without_thoughts(content: str) -> str:
    """The answer alone.

    Known are the marks of DeepSeek, Qwen and others (``<think>``, ``<thinking>``, with or without the opening one), of
    Kimi (``◁think▷``), Mistral (``[THINK]``), Cohere (``<|START_THINKING|>``), Gemma (``<|channel>thought``) and of
    harmony (``<|channel|>analysis``, or what is left of it where a server swallows the marks); plans, drafts and
    sections on reasoning beside an answer; a quotation before it. Thoughts that never end have no answer after them.
    """
    content = _ESCAPED.sub(r"<\1>", content) if "&lt;/" in content else content
    content = _WIDE.sub(lambda mark: f"<|{mark[1].replace('▁', '_')}|>", content)
    for without in (*_WITHOUT_ASIDES, _without_quotation):
        rest = without(content)
        content = rest if rest.strip() else content
    content = _CHANNEL_ENDS.sub("", without_spans(content, *_UNUSED))
    content = _final_channel(content)
    ends = list(_ENDS.finditer(content))
    if ends:
        content = content[ends[-1].end() :]
    begins = _BEGINS.search(content)
    if begins:
        content = content[: begins.start()]
    content = _CONTROL.sub("", _own_turn(content))
    marks = list(_ANSWER.finditer(content))
    if marks and content[marks[-1].end() :].strip():
        content = content[marks[-1].end() :]
    return _WRAPPER.sub("\n", content)


def _own_turn(content: str) -> str:
    """What a model says before it speaks for others, too."""
    turn = next((turn for turn in _NEXT_TURN.finditer(content) if content[: turn.start()].strip()), None)
    return content[: turn.start()] if turn else content


def _without_quotation(content: str) -> str:
    """What follows a quotation at the very beginning, where it quotes nothing itself."""
    lines = content.splitlines(keepends=True)
    first = next((place for place, line in enumerate(lines) if line.strip() and not _QUOTED.match(line)), 0)
    return content if any(map(_QUOTED.match, lines[first:])) else "".join(lines[first:])


def _final_channel(content: str) -> str:
    """The last message on harmony's final channel, or to a tool; nothing of the others."""
    finals = list(_FINAL_CHANNEL.finditer(content))
    if finals:
        rest = content[finals[-1].end() :]
        return re.split(r"<\|(?:end|return|start|call)\|>", rest)[0]
    if _CHANNEL.search(content):
        return content[: _CHANNEL.search(content).start()]  # type: ignore[union-attr]
    return _BARE_HARMONY.sub("", content)
