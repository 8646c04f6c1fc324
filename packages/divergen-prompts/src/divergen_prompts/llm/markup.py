"""Prompts out of text that people would read: lists, labels, tables, tags, emphasis, quotes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

__all__ = ["listed", "plain", "tables", "tidy", "without_tags"]

_BREAKS = re.compile(r"<(?:br|/p|/li|/tr|/td|/th|/h\d|/div|/item|/prompt|/text|/ul|/ol)\s*/?>", re.IGNORECASE)
_TAGS = re.compile(r"</?[a-zA-Z][\w:-]*(?:\s[^<>]*)?/?>")
_COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)
_EMPHASIS = re.compile(r"\*{1,3}|_{2,3}|~~|`+|(?<!\w)_|_(?!\w)")
_LINKS = re.compile(r"!?\[([^\]]+)\]\([^)]*\)")
_BULLET = r"[-*+•·‣◦▪▫●○■□►▶→✓✔✦★–—>]|[\U0001F300-\U0001FAFF\u2600-\u27BF]\ufe0f?|\[[ xX]?\]|#{1,6}|\\item\b"
_NUMBER = (
    r"#\d{1,3}(?=\s)|\(?#?\d{1,3}\s*(?:[.):\]]|-(?=\s)|–|—)|\d{1,3}️?⃣|[①-⑳❶-❿]|\[\d{1,3}\]"
    r"|\(?[ivxlcIVXLC]{1,7}[.)]|\(?[a-zA-Z][.)](?=\s)|\d{1,3}\s*/\s*\d{1,3}\s*[.):-]|\d{1,3}\s*[°º]\s*[.):]?"
    r"|\d{1,3}\s*[、．）：]|\d{1,3}[;,](?=\s*[\"'A-Za-z])|[一二三四五六七八九十]{1,3}\s*[、．.）):：]"
)
_LABEL = (
    r"(?:(?:image|text|final|new|photo|picture)[\s-]+)?(?:prompts?|variations?|versions?|options?|ideas?|images?|examples?"
    r"|entry|item|text|description|caption|no\.?|number|提示词?|プロンプト|프롬프트)"
    r"\s*(?:#?\s*\d{0,3}|[ivxlcIVXLC]{1,7})\s*[:：.)=–—-]+"
)
_MARK = re.compile(rf"\A\s*(?:{_NUMBER}|{_LABEL}|{_BULLET})\s*", re.IGNORECASE)
_HEADING = re.compile(r"\A[A-Z][\w /&'-]{0,40}:\s+(?=\S+(?:\s+\S+){3})")
_QUOTES = "\"'“”„‟«»‹›‘’‚「」『』`´"
_SHAPES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "\u00a0": " ", "\u200b": ""})
_FRAMES = str.maketrans({**dict.fromkeys("│┃║", "|"), **dict.fromkeys("─━═┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬╭╮╰╯", "-")})
_WIDE_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{\w+\*?\}")
_FIRST_CELL = re.compile(r"\A\s*(\d{1,3})\t")
_ROW = re.compile(r"\A\s*\|?(.*?)\|?\s*\Z")
_RULE = re.compile(r"\A[\s|:+=-]+\Z")
_TEXT_COLUMN = re.compile(r"prompt|text|description|caption", re.IGNORECASE)


def plain(content: str) -> str:
    """Frames of tables, wide digits and LaTeX's lists in the letters that everything else is looked for in."""
    return _ENVIRONMENT.sub("\n", content.translate(_FRAMES).translate(_WIDE_DIGITS))


def without_tags(content: str) -> str:
    """HTML and XML as plain lines."""
    content = _COMMENTS.sub("", content)
    return html.unescape(_TAGS.sub("", _BREAKS.sub("\n", content)))


def tidy(text: str) -> str:
    """One line, without the marks, quotes, stars and full stop that models put around a prompt."""
    text = _FIRST_CELL.sub(r"\1. ", text)
    text = " ".join(_EMPHASIS.sub("", _LINKS.sub(r"\1", without_tags(text))).translate(_SHAPES).split())
    while True:
        before = text
        text = _MARK.sub("", text.strip(f" ,;{_QUOTES}"), count=1)
        if text == before:
            return text.rstrip(f" .,;{_QUOTES}")


def listed(content: str, least_words: int) -> list[str]:
    """The items of a list, or where no item is long enough, the lines that might be prompts.

    Args:
        content: The text.
        least_words: Words that an item has at least.
    """
    lines = [line.strip() for line in content.splitlines() if line.strip() and not _RULE.match(line)]
    items = [line for line in lines if _MARK.match(line) or _MARK.match(_EMPHASIS.sub("", line).strip(f" {_QUOTES}"))]
    others = [line for line in lines if not line.rstrip("*_ ").endswith(":")]
    for found in (items, others):
        texts = [_HEADING.sub("", tidy(line)) for line in found]
        texts = [text for text in texts if len(text.split()) >= least_words]
        if texts:
            return texts
    return []


def tables(content: str) -> Iterator[dict[str, str]]:
    """The rows of Markdown tables: column title -> cell, the prompt under ``text``."""
    block: list[list[str]] = []
    for line in [*content.splitlines(), ""]:
        if line.count("|") >= 1 and not line.lstrip().startswith(("{", "[")):
            if not _RULE.match(line):
                block.append([cell.strip() for cell in _cells(line)])
            continue
        yield from _rows(block)
        block = []


def _cells(line: str) -> list[str]:
    match = _ROW.match(line)
    return re.split(r"(?<!\\)\|", match.group(1)) if match else []


def _rows(block: Sequence[list[str]]) -> Iterator[dict[str, str]]:
    if not block:
        return
    titles = [tidy(title).lower() for title in block[0]]
    named = [place for place, title in enumerate(titles) if _TEXT_COLUMN.search(title) and len(title.split()) <= 3]
    width = max(map(len, block))
    column = named[-1] if named else max(range(width), key=lambda place: _words(block, place))
    for cells in block[1:] if named or _words(block[:1], column) <= 3 else block:
        if column < len(cells):
            yield {**dict(zip(titles, cells, strict=False)), "text": cells[column]}


def _words(rows: Sequence[list[str]], place: int) -> float:
    """Mean number of words in a column."""
    counts = [len(cells[place].split()) for cells in rows if place < len(cells)]
    return sum(counts) / len(counts) if counts else 0.0
