"""Prompts out of text that people would read: lists, labels, tables, tags, emphasis, quotes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..attributes import KEYS
from .spans import without_spans

__all__ = ["is_rule", "listed", "plain", "tidy", "without_tags"]

_BREAKS = re.compile(
    r"<(?:br|/p|/li|/tr|/td|/th|/h\d|/div|/item|/prompt|/text|/ul|/ol|/dt|/dd)\s*/?>|</\w+>(?=\s*<\w)",
    re.IGNORECASE,
)
_TAGS = re.compile(r"</?[a-zA-Z][\w:-]*(?:\s[^<>]*)?/?>")
_COMMENTS = re.compile("<!--"), re.compile("-->")
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_TEXT_ATTRIBUTE = re.compile(
    r"<\w+\s[^<>]{0,999}?\b(?:text|prompt|description|caption|value)=(['\"])([^<]{0,5000}?)\1[^<>]{0,999}>"
)
_EMPHASIS = re.compile(r"\*{1,3}|_{2,3}|~~|`+|(?<!\w)_|_(?!\w)")
_ITALIC = re.compile(r"\s*\*[^*\s](?:[^*]*[^*\s])?\*\W*")
"""A line within stars, whose first one is no bullet."""
_LINKS = re.compile(r"!?\[([^\[\]]+)\]\([^)]*\)")
_BRACKETS = re.compile(r"\A\[([^\[\]]+)\]\W*\Z")
_CODE = re.compile(r"\\u([0-9a-f]{4})", re.IGNORECASE)
"""A letter that was escaped twice."""
_BULLET = (
    r"[-*+•·・‣◦▪▫●○■□►▶→✓✔✦★–—>]|[^\w\s\"'|]{1,3}(?=\s)"
    r"|[\U0001F300-\U0001FAFF\u2600-\u27BF]\ufe0f?|\[[ xX]?\]|#{1,6}|\\item\b"
)
_NUMBER = (
    r"\d{1,2}\.\d{1,2}[.)]?(?=\s+[A-Za-z])(?!\s+(?:lit|l\b|ml\b|[ck]?m\b|mm\b|met|inch|oz\b|k?g\b|lb|f[eo]*t\b|gal|pint|quart))"
    r"|#\d{1,3}(?=\s)|\(?#?\d{1,3}\s*(?:[.):\]]{1,2}(?!\d+\s)|-(?=\s)|–|—)|\d{1,3}️?⃣"
    r"|[①-⒛⓪-⓿❶-➓㈠-㈩㊀-㊉]|[【〔［(]\s*\d{1,3}\s*[】〕］)]|\[\d{1,3}\]"
    r"|\(?[ivxlcIVXLC]{1,7}(?:[.)]|\s+[–—-](?=\s))|\(?[a-zA-Z][.)](?=\s)|\d{1,3}\s*(?:/|of)\s*\d{1,3}\s*[.):-]|\d{1,3}\s*[°ºª]\s*[.):/]?"
    r"|\d{1,3}\s*[、．）：]|\d{1,3}[;,](?=\s*[\"'A-Za-z])|[(（]?[一二三四五六七八九十]{1,3}\s*[、．.）):：]"
    r"|第\s*(?:\d{1,3}|[一二三四五六七八九十]{1,3})\s*[个個条條则則张張幅目]{0,2}\s*(?:提示词?|プロンプト)?\s*[:：、.)）]"
    r"|[^\sA-Za-z\"'“«]{1,12}\s?[.):：、．）](?=\s*[\"'A-Za-z])"
)
"""What numbers an item; the last, in letters of another writing, stands before Latin ones."""
_LABEL = (
    r"(?:(?:image|text|final|new|photo|picture)[\s-]+)?(?:prompts?|variations?|versions?|options?|ideas?|images?|examples?"
    r"|entry|item|text|description|caption|n(?:o|r|um)?[.º°]?|number|提示词?|プロンプト|프롬프트)"
    r"\s*(?:[#_]?\s*\d{0,3}|[ivxlcIVXLC]{1,7})\s*[:：.)=–—>-]+"
    r"|(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|next|last|final)(?:ly)?\s*[,:]"
    r"|/imagine(?:\s+prompt)?\s*:?|[^\s\d_.,;:!?'\"()]{3,20}\s*(?:#|[nN][.º°]?)?\s*\d{1,3}\s*[:：]"
)
_MARK = re.compile(rf"\A\s*(?:{_NUMBER}|{_LABEL}|{_BULLET})\s*", re.IGNORECASE)
_HEADING = re.compile(r"\A(?:(?:[A-Z]|[^\W\da-z_])[\w /&'-]{0,40}:|\[[A-Z][^\[\]]{0,40}\]:?)\s+(?=\S+(?:\s+\S+){3})")
_BOLD_TITLE = re.compile(rf"\A(\s*(?:{_NUMBER}|{_BULLET})?\s*)\*\*[^*\n]{{1,60}}\*\*\s*[:–—-]\s*(?=\S+(?:\s+\S+){{2}})")
_TITLED = re.compile(
    rf"\A(\s*(?:{_NUMBER}|{_BULLET})?\s*)\*\*[^\s*]+(?:\s+[^\s*]+){{0,2}}\*\*\s*\((?=\S+(?:\s+\S+){{5}})([^()\n]+)\)\W*\Z"
)
"""A short title, and the prompt in brackets."""
_AFTER = re.compile(
    r"\s+--(?:ar|v|no|style|q|s|stylize|niji|seed|chaos|quality|iw)\b.*\Z"  # Midjourney
    rf"|\s*[(\[](?:(?:focus|emphasi|highlight|vari|note)[^()\[\]]*|[^()\[\]]*\b(?:{'|'.join(KEYS)}|color)\s*:[^()\[\]]*|\d+\s+(?:words?|tokens?|characters?))[)\]]\s*\Z"
    r"|\s+(?:[–—]|--?)\s+(?:this|it|focus|emphasi|highlight|show|vari)\w*\s.*\Z"
    r"|(?:\s*\[\^?\d{1,3}\])+\s*\Z|\s*【[^】]*】\s*\Z"
    rf"|\s+(?:[–—|;]|--?)\s+(?:\d+\s+(?:words?|tokens?|characters?)\b|(?:{'|'.join(KEYS)}|color)\s*:).*\Z"
    r"|\s+(?:[-=]>|[→⇒➜])(?:\s+\S+){1,6}\Z"
    r"|\s*[(（\[/|–—-](?=[^A-Za-z]{1,200}\Z)(?=[\W\d_]*[^\W\d_]).*\Z",
    re.IGNORECASE,
)
"""What stands after a prompt and is none of it: parameters, attributes, counts, citations, a short verdict behind an
arrow, the same in letters that are not Latin."""
_EMOJI = re.compile(r"(?:[\U0001F300-\U0001FAFF\u2600-\u27BF][\ufe0f\u200d]*)+")
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What no picture is made of, such as marks of the direction of writing; half a pair of UTF-16, as a cut answer may
hold, cannot even be written."""
_LATEX = re.compile(r"\\(?:text\w{2}|emph|boxed|underline)\{([^{}]*)\}")
_WRAPPED = re.compile(r"^([^\n]{25,}\w|[^\n]{9,},)\n[ \t]+(?=[a-z][^:\n]*$)(?![a-z]{1,4}[.)]\s)", re.MULTILINE)
_BROKEN = re.compile(
    r"^([^\n]{15,}(?:[\w,](?=\n(?:in|on|with|against|of|and|from|at|under|seen|viewed|shown|featuring|isolated|set)\b)"
    r"|\s(?:in|on|with|of|an?|the|and|against|from|at|by|for)(?=\n[a-z]))|[ \t]*\d{1,3}[.)] [^\n]{15,},(?=\n[a-z]))\n",
    re.MULTILINE,
)
"""The end of a line that the next one goes on from, without a margin."""
_ROW = re.compile(r"^[ \t]*\(\d{1,3},[ \t]*(['\"])([^\n'\"]{10,1000})\1[^\n]*$", re.MULTILINE)
"""A row of values, of SQL or of tuples."""
_QUOTED = re.compile(r"(?<!\w)([\"'`])((?:(?!\1)[^\\\n]|(?<=\w)'(?=\w)){25,1000}?)\1(?!\w)")
"""A long text in quotes: among others in a line, or in the call of a function."""
_COUNT = re.compile(r"\A\W{0,4}(?:[^\W\d]{1,20}[\s#=]{1,2})?(?:\d{1,3}\.)?(\d{1,3})(?:st|nd|rd|th)?(?!\w)\W{0,4}")
_IN_LINE = re.compile(r"(?:\A|(?<=\s))\(?(\d{1,2})[.)](?=\s)")
_BETWEEN = re.compile(r"[;|]\s+")
_LONGEST = 5_000
"""Letters of a text that may be a prompt."""
_QUOTES = "\"'“”„‟«»‹›‘’‚「」『』《》〈〉＂`´"
_SHAPES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "\u00a0": " ", "\u200b": ""})
_FRAMES = str.maketrans({**dict.fromkeys("│┃║", "|"), **dict.fromkeys("─━═┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬╭╮╰╯", "-")})
_DIGITS = str.maketrans(
    "".join("".join(chr(zero + digit) for digit in range(10)) for zero in (0xFF10, 0x660, 0x6F0, 0x966)),
    "0123456789" * 4,
)
"""Wide, Arabic, Persian and Devanagari digits."""
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{\w+\*?\}")
_FIRST_CELL = re.compile(r"\A\s*(\d{1,3})\t")
_LETTER = re.compile(r"\w")
_NO_ITEM = re.compile(
    r"\W{0,4}(?:(?:wrong|bad|incorrect|rejected|avoid|not this)\W{0,3}:|\[\^\d{1,3}\]:)", re.IGNORECASE
)
"""Begins a line that shows what not to write, or a footnote."""
_ASIDE = re.compile(
    r"(?!.*(?<!negative )prompts?)\W{0,6}(?:tips?|notes?|checklist|explanations?|summary|key (?:features|points)"
    r"|variations? used|verification|rules?|requirements?|constraints?|why (?:these|this)|negative prompts?)\b"
    r"[^:]{0,30}:?\W*",
    re.IGNORECASE,
)
"""The heading of a part that holds no prompts."""
_RULE = re.compile(r"\A[\s|:+=-]+\Z")


def plain(content: str) -> str:
    """The letters and lines that everything else is looked for in.

    Frames of tables, digits, LaTeX's lists and emphasis become plain ones, control letters go, a list within one line
    gets its lines, and an item over several lines one.
    """
    content = _ROW.sub(r"- \2", _CDATA.sub("", content) if "<![CDATA[" in content else content)
    content = _LATEX.sub(r"\1", _CONTROLS.sub("", content.translate(_FRAMES).translate(_DIGITS)))
    if "\n" not in content and content.count("\\n") > 1 and not content.lstrip().startswith(("{", "[", '"')):
        content = content.replace("\\n", "\n")
    if not content.lstrip().startswith(("{", "[")):
        content = _WRAPPED.sub(r"\1 ", "\n".join(_apart(line) for line in content.splitlines()))
    return _ENVIRONMENT.sub("\n", content)


def _apart(line: str) -> str:
    """A line that counts from one on, "1. … 2. … 3. …", or whose parts all begin alike, as lines."""
    if line.count(" • ") > 1:
        return "\n".join(f"• {part.lstrip(' •')}" for part in line.split(" • "))
    parts = [part.rpartition(": ")[2].strip() for part in _BETWEEN.split(line)]
    if len(parts) > 2 and len({tuple(part.lower().split()[:2]) for part in parts}) == 1:
        return "\n".join(f"- {part}" for part in parts)
    marks = list(_IN_LINE.finditer(line))
    if len(marks) < 3 or [int(mark[1]) for mark in marks] != list(range(1, len(marks) + 1)):
        return line
    starts = [0, *(mark.start() for mark in marks), len(line)]
    return "\n".join(line[start:end] for start, end in pairwise(starts))


def without_tags(content: str) -> str:
    """HTML and XML as plain lines."""
    content = _TEXT_ATTRIBUTE.sub(r"\n\2\n", without_spans(content, *_COMMENTS))
    return html.unescape(_TAGS.sub("", _BREAKS.sub("\n", content)))


def tidy(text: str) -> str:
    """One line, without the marks, quotes, stars and full stop that models put around a prompt.

    Nothing is left of a text that is far too long for a prompt.
    """
    if len(text) > _LONGEST:
        return ""
    text = _CODE.sub(lambda code: chr(int(code[1], 16)), text)
    text = _BOLD_TITLE.sub(r"\1", _TITLED.sub(r"\1\2", _FIRST_CELL.sub(r"\1. ", text.strip())))
    text = _EMOJI.sub(" ", _EMPHASIS.sub("", _LINKS.sub(r"\1", without_tags(text))))
    text = _unmarked(" ".join(_CONTROLS.sub("", text).translate(_SHAPES).split()))
    return _unmarked(_AFTER.sub("", text)).rstrip(f" .,;\\{_QUOTES}")


def _unmarked(text: str) -> str:
    while True:
        before = text
        text = _BRACKETS.sub(r"\1", _MARK.sub("", text.strip(f" ,;{_QUOTES}"), count=1))
        if text == before:
            return text


def is_rule(line: str) -> bool:
    """Whether a line only separates: of a table, or between parts."""
    return _RULE.match(line) is not None


def listed(content: str, least_words: int) -> list[str]:
    """The items of a list, or where no item is long enough, the lines that might be prompts.

    Args:
        content: The text.
        least_words: Words that an item has at least.
    """
    content = _BROKEN.sub(r"\1 ", content)
    whole = [line for line in content.splitlines() if _LETTER.search(line) and not _NO_ITEM.match(line)]
    for kept in (list(_without_asides(whole)), whole):
        lines = [part for line in kept for part in _quoted(line.strip())]
        others = [line for line in lines if not line.rstrip("*_ ").endswith(":")]
        for found in (_items(lines), others):
            texts = [_HEADING.sub("", tidy(line)) for line in found]
            texts = [text for text in texts if len(text.split()) >= least_words]
            if texts:
                return texts
    return []


def _without_asides(lines: Sequence[str]) -> Iterator[str]:
    """The lines but for the bullets below a heading such as "Tips:"."""
    aside = False
    for line in lines:
        if line.rstrip("*_ ").endswith(":") or line.startswith(("#", "**")):
            aside = _ASIDE.fullmatch(line) is not None
        bullet = line.lstrip().startswith(("-", "*", "•"))
        aside = aside and (bullet or _ASIDE.fullmatch(line) is not None)
        if not (aside and bullet):
            yield line


def _quoted(line: str) -> list[str]:
    """The long texts that a line quotes and holds little beside, such as the call of a function; else the line."""
    quoted = [f"- {found[2]}" for found in _QUOTED.finditer(line.translate(_SHAPES))]
    return quoted if sum(map(len, quoted)) > len(line) / 2 else [line]


def _items(lines: Sequence[str]) -> list[str]:
    """The items of a list; where most of them are titles, the lines below those."""
    items = [(line, below) for line, below in pairwise([*lines, ""]) if _is_item(line)]
    titled = [below for line, below in items if not _is_item(below) and _is_title(line, below)]
    return titled if 2 * len(titled) > len(items) else [line for line, _ in items] or _counted(lines)


def _counted(lines: Sequence[str]) -> list[str]:
    """The lines that count from one on, without their numbers, whatever stands around those; none if they do not."""
    found: list[str] = []
    for line in lines:
        mark = _COUNT.match(line)
        if mark and int(mark[1]) == len(found) + 1 and len(line[mark.end() :].split()) > 2:
            found.append(line[mark.end() :])
    return found if len(found) > 1 else []


def _is_item(line: str) -> bool:
    plainly = _EMPHASIS.sub("", line).strip(f" {_QUOTES}")
    return any(map(_MARK.match, (plainly if _ITALIC.fullmatch(line) else line, plainly)))


def _is_title(line: str, below: str) -> bool:
    """Whether a line is the title of a much longer one, as in "1. **Red Cup**" above its prompt."""
    count, more = len(tidy(line).split()), len(tidy(below).split())
    return more > (count if line.rstrip("*_ ").endswith(":") else 2 * count)
