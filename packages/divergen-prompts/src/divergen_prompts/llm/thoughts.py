"""What a model thought before it answered, taken out: nothing of it is an answer."""

from __future__ import annotations

import re

__all__ = ["without_thoughts"]

_STEMS = "think|thought|reason|reflect|analysis|scratch|rationale|deliberat|monolog"
_WORDS = rf"(?:\w+:)?(?:[\w-]*(?:{_STEMS})[\w-]*)"
_OPEN, _CLOSE = r"(?:<\|?|\[|◁|【)\s*", r"\s*(?:\|?>|\]|▷|】)"
_END = rf"(?:/\s*{_WORDS}|{_WORDS}[_ ]?end|(?:end[_ ]of[_ ]|end[_ ]){_WORDS})"
_ENDS = re.compile(rf"{_OPEN}{_END}{_CLOSE}", re.IGNORECASE)
_BEGINS = re.compile(rf"{_OPEN}(?:begin[_ ]of[_ ]|start[_ ])?{_WORDS}(?:\s[^<>\n]*)?{_CLOSE}", re.IGNORECASE)
_ESCAPED = re.compile(r"&lt;(/?[\w:-]+)&gt;")
_WIDE = re.compile(r"<｜([^<>｜\n]{1,40})｜>")
_OVER_LINES = re.IGNORECASE | re.DOTALL | re.MULTILINE
_FENCE = re.compile(rf"^```[ ]?\w*(?:{_STEMS}|plan)\w*[ ]*\n.*?^```[ ]*$", _OVER_LINES)
_ASIDE = re.compile(r"<(plan|planning|draft|drafts|brainstorm\w*|details)\b[^<>]*>.*?</\1\s*>", _OVER_LINES)
_HEAD = r"^(?:#{1,6}|\*\*)[ ]*"
_SECTION = re.compile(rf"{_HEAD}(?:\w+[ ])?\w*(?:{_STEMS}|planning)[^\n]{{0,30}}\n.*?(?={_HEAD}\S)", _OVER_LINES)
_QUOTED = re.compile(r"\A\s*(?:>[^\n]*\n)+\s*(?=[^>\s])(?!.*^>)", _OVER_LINES)
"""A quotation before the answer, which quotes nothing itself."""
_CHANNEL_ENDS = re.compile(r"\A.*<channel\|>", re.DOTALL)
_UNUSED = re.compile(r"<unused94>.*?<unused95>", re.DOTALL)
_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\b[^<]*(?:<\|[^>]*\|>[^<]*)*?<\|message\|>", re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>", re.IGNORECASE)
_BARE_HARMONY = re.compile(r"\A\s*(?:analysis|commentary).*?assistant\s*(?:commentary.*?assistant\s*)?final", re.DOTALL)
_WHICH = r"(?:the |my |here (?:is|are) (?:the |my )?)?"
_ANSWER = re.compile(
    rf"^\W*{_WHICH}final (?:answer|output|response|result|version|list|prompts?)s?\W*$"
    rf"|^\W*{_WHICH}(?:answer|output|response)\W*$|^\W*final answer\W*:",
    re.IGNORECASE | re.MULTILINE,
)
_CONTROL = re.compile(
    r"<\|[^<>|\n]{1,40}\|>|<｜[^<>｜\n]{1,40}｜>|</?(?:s|bos|eos|pad|unk)>|\[/?INST\]"
    r"|<(?:start|end)_of_turn>\w*|<unused\d+>|\[e~\[|\]~!?b\]\w*|\A/(?:no_)?think\b"
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
    for aside in (_FENCE, _ASIDE, _SECTION, _QUOTED):
        content = aside.sub("", content) if aside.sub("", content).strip() else content
    content = _CHANNEL_ENDS.sub("", _UNUSED.sub("", content))
    content = _final_channel(content)
    ends = list(_ENDS.finditer(content))
    if ends:
        content = content[ends[-1].end() :]
    begins = _BEGINS.search(content)
    if begins:
        content = content[: begins.start()]
    content = _CONTROL.sub("", content)
    marks = list(_ANSWER.finditer(content))
    if marks and content[marks[-1].end() :].strip():
        content = content[marks[-1].end() :]
    return _WRAPPER.sub("\n", content)


def _final_channel(content: str) -> str:
    """The last message on harmony's final channel; nothing of the others."""
    finals = list(_FINAL_CHANNEL.finditer(content))
    if finals:
        rest = content[finals[-1].end() :]
        return re.split(r"<\|(?:end|return|start|call)\|>", rest)[0]
    if _CHANNEL.search(content):
        return content[: _CHANNEL.search(content).start()]  # type: ignore[union-attr]
    return _BARE_HARMONY.sub("", content)
