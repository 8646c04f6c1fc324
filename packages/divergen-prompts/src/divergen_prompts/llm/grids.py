"""Prompts out of tables: Markdown's, and rows of cells between commas, semicolons or tabs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from .markup import is_rule, tidy

__all__ = ["tables"]

_ROW = re.compile(r"\A\s*\|?(.*?)\|?\s*\Z")
_TEXT_COLUMN = re.compile(r"(?<!negative )(?<!negative_)(?:prompt|text|description|caption)", re.IGNORECASE)
_TITLE = re.compile(r"(?!negative)(?:\w+[ _])?(?:prompts?|text|description|caption)(?:[ _]\w+)?")
_LONGEST_TITLE = 3
"""Words."""
_LONGEST_HEAD = 200
"""Letters."""
_MOST_HEADS = 20
"""Lines that are tried as titles."""
_MOST_COLUMNS = 50


def tables(content: str) -> Iterator[dict[str, str]]:
    """The rows of tables, Markdown's and those of CSV: column title -> cell, the prompt under ``text``."""
    yield from _sheet(content)
    block: list[list[str]] = []
    framed = False
    for line in [*content.splitlines(), ""]:
        if line.count("|") >= 1 and not line.lstrip().startswith(("{", "[")):
            framed = framed or line.lstrip().startswith("|")
            if not is_rule(line):
                block.append([cell.strip() for cell in _cells(line)])
            continue
        if framed or len(block) > 1:  # one line with a bar in it is no table
            yield from _rows(block)
        block, framed = [], False


def _cells(line: str) -> list[str]:
    match = _ROW.match(line)
    return re.split(r"(?<!\\)\|", match.group(1)) if match else []


def _rows(block: Sequence[list[str]]) -> Iterator[dict[str, str]]:
    if not block:
        return
    titles = [tidy(title).lower() for title in block[0]]
    named = [
        place
        for place, title in enumerate(titles)
        if _TEXT_COLUMN.search(title) and len(title.split()) <= _LONGEST_TITLE
    ]
    column = _column(named or range(min(max(map(len, block)), _MOST_COLUMNS)), titles, block[bool(named) :])
    for cells in block[1:] if named or _words(block[:1], column) <= _LONGEST_TITLE else block:
        if column < len(cells):
            yield {**dict(zip(titles, cells, strict=False)), "text": cells[column]}


def _column(places: Sequence[int], titles: Sequence[str], rows: Sequence[list[str]]) -> int:
    """Which of some columns holds the prompts: one that says so, else the one with most words."""

    def weight(place: int) -> tuple[bool, float]:
        count = _words(rows, place)
        return count > _LONGEST_TITLE and "prompt" in "".join(titles[place : place + 1]), count

    return max(places, key=weight)


def _words(rows: Sequence[list[str]], place: int) -> float:
    """Mean number of words in a column."""
    counts = [len(cells[place].split()) for cells in rows if place < len(cells)]
    return sum(counts) / len(counts) if counts else 0.0


def _sheet(content: str) -> Iterator[dict[str, str]]:
    """The rows below a line of titles that are separated by commas, semicolons or tabs."""
    lines = content.splitlines()
    heads = (place for place, line in enumerate(lines) if _may_be_titles(line))
    for place in islice(heads, _MOST_HEADS):
        line = lines[place]
        for mark in filter(line.count, "\t,;"):
            titles = [tidy(title).lower() for title in line.split(mark)]
            named = [column for column, title in enumerate(titles) if _TITLE.fullmatch(title)]
            if not named or not all(1 <= len(title.split()) <= _LONGEST_TITLE for title in titles):
                continue
            rows = [cells for cells in _below(lines[place + 1 :], mark) if len(cells) == len(titles)]
            if rows:
                column = _column(named, titles, rows)
                yield from ({**dict(zip(titles, cells, strict=True)), "text": cells[column]} for cells in rows)
                return


def _may_be_titles(line: str) -> bool:
    return ":" not in line and len(line) <= _LONGEST_HEAD and _TEXT_COLUMN.search(line) is not None


def _below(lines: Sequence[str], mark: str) -> list[list[str]]:
    kept = [line for line in lines if line.strip() and not line.startswith("```")]
    try:
        return list(csv.reader(kept, delimiter=mark, skipinitialspace=True))
    except csv.Error:  # a cell larger than any prompt
        return []
